"""The device that a bundle is for: its machine, its Pythons, and what its system brings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edgekit.bundle.installation import Installation
from edgekit.errors import UsageError
from edgekit.targets import Target, load_target, target_names

# Machine -> bits of its programs.
MACHINES = {"aarch64": 64, "armv7l": 32, "x86_64": 64}
SYSTEM_PYTHONS = ("3.11", "3.13")  # of Raspberry Pi OS 12 and 13
CAMERA = ("camera",)  # the extra of all instructions
INTERPRETERS = {"ai-edge-litert", "tflite-runtime"}
# glibc 2.17 is the first that wheels name; Raspberry Pi OS 12 has 2.36.
_FIRST_GLIBC, _LAST_GLIBC = 17, 36
# No wheels are published for these on that machine; the system's package serves instead.
STAND_INS = {
    "armv7l": {
        "numpy": "python3-numpy",
        "opencv-python-headless": "python3-opencv",
        "cffi": "python3-cffi",
    }
}
# The wheel for these is there, but the library that it wants is the system's.
_LIBRARIES = {"armv7l": ("libsndfile1",)}

Needs = dict[str, Requirement]


@dataclass(frozen=True, slots=True)
class Device:
    """A small Linux computer.

    Attributes:
        target: Its profile.
        pythons: Python versions that the bundle serves, e.g. `3.11`.
    """

    target: Target
    pythons: tuple[str, ...]

    @property
    def bits(self) -> int:
        """Word size of its programs; the kernel's may be larger."""
        return MACHINES[self.target.arch]

    @property
    def platforms(self) -> list[str]:
        """Platform tags of the wheels that run there, the latest first."""
        tags = [
            f"manylinux_2_{minor}_{self.target.arch}"
            for minor in range(_LAST_GLIBC, _FIRST_GLIBC - 1, -1)
        ]
        return [*tags, f"manylinux2014_{self.target.arch}", f"linux_{self.target.arch}"]

    @property
    def apt(self) -> tuple[str, ...]:
        """Debian packages that stand in for wheels that nobody publishes."""
        machine = self.target.arch
        return (*STAND_INS.get(machine, {}).values(), *_LIBRARIES.get(machine, ()))

    def stands_in(self, name: str) -> bool:
        """Whether a Debian package serves instead of a wheel."""
        return name in STAND_INS.get(self.target.arch, {})

    def environment(self, python: str) -> dict[str, str]:
        """What markers of requirements are judged by, there."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{python}.0",
            "os_name": "posix",
            "platform_machine": self.target.arch,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": "linux",
        }

    def needs(self, about: Installation, python: str, extras: Iterable[str] = CAMERA) -> Needs:
        """What pip is to install beside edgekit itself, with one Python."""
        runtime = self.target.runtime
        wanted = [*about.dependencies]
        for extra in (*extras, runtime.package):  # what else that interpreter needs
            wanted += about.extras.get(extra, ())
        asked = [
            each
            for each in self.asked(wanted, python)
            if canonicalize_name(each.name) not in INTERPRETERS
        ]
        return self.merge([*asked, Requirement(f"{runtime.package}=={runtime.version}.*")])

    def asked(
        self, requirements: Iterable[str], python: str, extras: Iterable[str] = ()
    ) -> list[Requirement]:
        """The requirements whose markers hold there, without these markers."""
        environment = self.environment(python)
        found = []
        for need in map(Requirement, requirements):
            extra_names = ("", *extras)
            if need.marker is None or any(
                need.marker.evaluate(environment | {"extra": extra}) for extra in extra_names
            ):
                need.marker = None
                found.append(need)
        return found

    def merge(self, requirements: Iterable[Requirement]) -> Needs:
        """One requirement a package, without those that the system stands in for."""
        merged: Needs = {}
        for need in requirements:
            name = canonicalize_name(need.name)
            if self.stands_in(name):
                continue
            if name in merged:
                merged[name].specifier &= need.specifier
                merged[name].extras |= need.extras
            else:
                merged[name] = Requirement(str(need))
        return dict(sorted(merged.items()))


def choose_pythons(target: Target, wished: Sequence[str]) -> tuple[str, ...]:
    """The Pythons of a bundle: those wished for, else those of Raspberry Pi OS.

    Raises:
        UsageError: The target is not one computer that runs Python.
    """
    known = target.runtime.python
    if not known or target.arch not in MACHINES:
        ours = ", ".join(name for name in target_names() if _can_be_bundled(load_target(name)))
        why = (
            "edgekit does not run there: an app brings its own interpreter"
            if not known
            else "it is attached to a computer, or is any computer"
        )
        msg = f"No bundle can be made for {target.name}; {why}.\nBundles are for: {ours}."
        raise UsageError(msg)
    if wished:
        return tuple(sorted(set(wished), key=_number))
    return tuple(each for each in SYSTEM_PYTHONS if each in known) or known[:1]


def python_problems(target: Target, pythons: Sequence[str]) -> list[str]:
    """Say which Pythons the target's interpreter does not exist for."""
    runtime = target.runtime
    return [
        f"{runtime.package} {runtime.version} is not published for Python {python} on "
        f"{target.arch}. Published for: {', '.join(runtime.python)}."
        for python in pythons
        if python not in runtime.python
    ]


def _can_be_bundled(target: Target) -> bool:
    return bool(target.runtime.python) and target.arch in MACHINES


def _number(version: str) -> tuple[int, ...]:
    """Order of versions; the command line lets only `major.minor` through."""
    return tuple(int(part) for part in version.split("."))
