"""Target profiles: one TOML file per device, read into one frozen record.

Adding a device is adding a file; `targets/README.md` explains each field.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, Self

from edgekit.errors import RecordError, UnknownName
from edgekit.records import from_json, read_toml

_HERE = Path(__file__).resolve().parent
_NUMBERS = ("cores", "threads", "ram_mb", "memory_mb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The interpreter on the device.

    Attributes:
        package: `ai-edge-litert` or `tflite-runtime`.
        version: First two parts of the version that the profile is about, e.g. `2.3`.
        python: Python versions for which the package exists on the device's machine type;
            empty where edgekit itself does not run.
    """

    package: Literal["ai-edge-litert", "tflite-runtime"]
    version: str
    python: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Npu:
    """What Arm's compiler Vela is to compile for.

    Attributes:
        accelerator: Vela's name of the NPU, e.g. `ethos-u55-128`.
        system_config: Clock and memories that its estimates are for: a section of the
            `vela.ini` that it carries.
        memory_mode: What lies in which memory: a section of the same file.
    """

    accelerator: str
    system_config: str
    memory_mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What edgekit must know about one device.

    A value that is not known is None: nothing is guessed.

    Attributes:
        name: Same as the file name, e.g. `coral-usb`.
        title: Name for people, e.g. `Coral USB Accelerator`.
        arch: Machine as in `platform.machine()`, e.g. `aarch64`; `any` where it varies.
        cpu: Core and clock, e.g. `Cortex-A72 1.5 GHz`.
        cores: Number of CPU cores.
        threads: Interpreter threads on the CPU.
        ram_mb: Memory of the smallest model of the device, in MiB.
        memory_mb: Memory that a model and its tensors may take, in MiB.
        delegate: What runs the operators: `cpu`, `edgetpu`, `gpu`, `coreml` or `npu`.
        scheme: How models are quantized for it: `int8` or `float16`.
        io: Type of the inputs and outputs: `float32`, `int8` or `uint8`.
        io_choices: Types that can be asked for instead; empty for all that the scheme has.
        npu: What the compiler of an `npu` is told; None for the others.
        runtime: The interpreter on the device.
        op_versions: Table of operator versions that bounds it, in
            `edgekit/placement/op_versions.toml`.
        notes: What a person should know, one sentence each.
        sources: Address of the public source of each number and of the choices that are
            not edgekit's own, by field.
    """

    name: str
    title: str
    arch: str
    delegate: Literal["cpu", "edgetpu", "gpu", "coreml", "npu"]
    scheme: Literal["int8", "float16"]
    io: Literal["float32", "int8", "uint8"]
    runtime: Runtime
    op_versions: str
    sources: dict[str, str]
    io_choices: tuple[str, ...] = ()
    npu: Npu | None = None
    cpu: str | None = None
    cores: int | None = None
    threads: int | None = None
    ram_mb: float | None = None
    memory_mb: float | None = None
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read one profile.

        Args:
            path: A TOML file with the fields of this class but `name`.

        Raises:
            RecordError: It cannot be read, a field is missing, unknown or wrong, or a
                number has no source.
        """
        values = read_toml(path)
        if "name" in values:
            msg = f"{path} has a field 'name'; the name of a target is the file's: {path.stem}."
            raise RecordError(msg)
        target = from_json(cls, values | {"name": path.stem}, str(path))
        _check_choices(target, path)
        _check_numbers(target, path)
        _check_sources(target, path)
        return target


def targets_dir() -> Path:
    """Folder of the shipped profiles: inside the wheel, else beside `edgekit/`."""
    shipped = _HERE / "_targets"
    return shipped if shipped.is_dir() else _HERE.parent / "targets"


def target_names() -> list[str]:
    """Names of the shipped profiles, sorted."""
    return sorted(path.stem for path in targets_dir().glob("*.toml"))


def load_target(name: str) -> Target:
    """Read a target by its name, or from a TOML file of one's own.

    Args:
        name: A shipped name, e.g. `coral-usb`, or the path of a `.toml` file.

    Raises:
        UnknownName: There is no such target.
        RecordError: The file cannot be read, or is wrong.
    """
    if name.endswith(".toml"):
        return Target.read(Path(name))
    known = target_names()
    if name not in known:
        hint = "For your own device, pass the path of a TOML file; targets/README.md shows one."
        raise UnknownName(kind="target", name=name, known=known, hint=hint)
    return Target.read(targets_dir() / f"{name}.toml")


def _check_choices(target: Target, path: Path) -> None:
    """See that fields that belong together fit each other."""
    if target.io_choices and target.io not in target.io_choices:
        msg = (
            f"{path}: io is {target.io}, which io_choices ({', '.join(target.io_choices)}) "
            "leaves out. Name it there, or choose another io."
        )
        raise RecordError(msg)
    if (target.delegate == "npu") != (target.npu is not None):
        msg = (
            f"{path}: a target with delegate 'npu', and no other, has a table [npu]; "
            f"delegate is '{target.delegate}'. ethos-u55-128.toml shows one."
        )
        raise RecordError(msg)


def _check_numbers(target: Target, path: Path) -> None:
    for name in _NUMBERS:
        value = getattr(target, name)
        if value is not None and value <= 0:
            msg = f"{path}: {name} must be above 0; found {value}. Leave out what is unknown."
            raise RecordError(msg)


def _check_sources(target: Target, path: Path) -> None:
    """See that each number says where it comes from."""
    given = [name for name in _NUMBERS if getattr(target, name) is not None]
    if missing := [name for name in given if name not in target.sources]:
        msg = (
            f"{path} gives no source for {', '.join(missing)}.\n"
            "Name the page that each number comes from in the table [sources]."
        )
        raise RecordError(msg)
    known = {each.name for each in fields(target)}
    if unknown := sorted(target.sources.keys() - known):
        msg = f"{path}: [sources] names {', '.join(unknown)}, which is no field of a target."
        raise RecordError(msg)
    for name, url in target.sources.items():
        if not url.startswith("https://"):
            msg = f"{path}: the source of {name} must be an https address; found '{url}'."
            raise RecordError(msg)
