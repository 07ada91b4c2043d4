"""Make a bundle: check that all fits, gather the files, write one zip."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from packaging.requirements import Requirement

from edgekit.bundle.archive import Entry, write_zip
from edgekit.bundle.contents import (
    about_apt,
    pinned,
    read_me,
    requirement_lines,
    requirements_file,
    settings,
)
from edgekit.bundle.device import CAMERA, Device, Needs, choose_pythons, python_problems
from edgekit.bundle.download import PIP, Wheel, download
from edgekit.bundle.fit import (
    Candidate,
    common_target,
    doubts,
    open_candidates,
    reasons_against,
)
from edgekit.bundle.installation import light_files, running_installation
from edgekit.bundle.own_wheel import write_wheel
from edgekit.errors import TargetError, UsageError
from edgekit.files import scratch_dir, told
from edgekit.measure import sha256
from edgekit.records import to_json
from edgekit.targets import load_target

PROGRAM = "run.sh"
_CONTENTS = "bundle.json"

Files = dict[str, Path | bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A file in a bundle.

    Attributes:
        file: Its path below the bundle's folder.
        bytes: Its size.
        sha256: Digest of its bytes.
    """

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that was made.

    Attributes:
        bundle: The zip.
        bytes: Its size.
        target: The device it is for.
        machine: The machine type of that device.
        python: Python versions that it serves.
        edgekit: Version of edgekit in it.
        models: The models in it.
        requirements: Lines of its requirements file: what pip installs there.
        wheels: The wheels in it, edgekit's first.
        apt: Debian packages that the device needs, because nobody publishes wheels.
        warnings: What the person at the keyboard should know.
    """

    bundle: str
    bytes: int
    target: str
    machine: str
    python: tuple[str, ...]
    edgekit: str
    models: tuple[Packed, ...]
    requirements: tuple[str, ...]
    wheels: tuple[Packed, ...]
    apt: tuple[str, ...]
    warnings: tuple[str, ...]


def bundle(
    models: Sequence[str | Path],
    *,
    target: str | None = None,
    wheels: bool = False,
    pythons: Sequence[str] = (),
    output: str | Path | None = None,
) -> Bundle:
    """Make one zip with all that a device needs to run models.

    Args:
        models: `.tflite` files.
        target: Name of the device, or a TOML file; default is what the models were made for.
        wheels: Also pack what pip would download there, so that it needs no network.
        pythons: Python versions to serve, e.g. `3.13`; default are those of Raspberry Pi OS.
        output: The zip; default is `edgekit-TARGET.zip` here.

    Raises:
        InputError: A model cannot be read, is no .tflite, or is damaged.
        UnknownName: There is no such target.
        UsageError: The target runs no Python, or the output is something else already.
        TargetError: A model or a Python does not fit the target, or has no wheels there;
            with every reason.
        DeviceError: The package index cannot be reached.
        EdgekitError: The zip cannot be written.
    """
    candidates = open_candidates([Path(model) for model in models])
    profile = load_target(target or common_target(candidates))
    device = Device(profile, choose_pythons(profile, pythons))
    _refuse_misfits(candidates, device)
    place = _free_place(Path(output or f"edgekit-{profile.name}.zip"))
    with scratch_dir(place.parent) as scratch, told(f"write {place}"):
        made, files = gather(candidates, device, scratch, wheels=wheels)
        write(files, place, scratch)
        size = place.stat().st_size
    return replace(made, bundle=str(place), bytes=size)


def _refuse_misfits(candidates: Sequence[Candidate], device: Device) -> None:
    """See that every model and every Python fits.

    Raises:
        TargetError: With every reason.
    """
    target = device.target
    reasons = python_problems(target, device.pythons)
    for candidate in candidates:
        reasons += reasons_against(candidate, target)
    if reasons:
        msg = f"The bundle does not fit {target.name}:\n  " + "\n  ".join(reasons)
        raise TargetError(msg)


def _free_place(place: Path) -> Path:
    """See that the output may be written.

    Raises:
        UsageError: It is a folder, or a file that is no bundle.
    """
    if place.is_dir():
        msg = f"{place} is a folder. Name the zip to write, e.g. -o {place / 'bundle.zip'}"
        raise UsageError(msg)
    if place.exists() and not _is_bundle(place):
        msg = (
            f"{place} exists and was not made by `edgekit bundle`, so it stays as it is.\n"
            "Name another file with -o, or remove it."
        )
        raise UsageError(msg)
    return place


def _is_bundle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False
    return any(name.count("/") == 1 and name.endswith(f"/{_CONTENTS}") for name in names)


def write(files: Files, place: Path, scratch: Path) -> None:
    """Write the zip: all files in one folder of its name.

    Raises:
        OSError: It cannot be written.
    """
    finished = scratch / place.name
    write_zip(
        finished,
        [
            Entry(f"{place.stem}/{name}", content, executable=name == PROGRAM)
            for name, content in files.items()
        ],
    )
    finished.replace(place)


def gather(
    candidates: Sequence[Candidate],
    device: Device,
    scratch: Path,
    *,
    wheels: bool,
    extras: Sequence[str] = CAMERA,
) -> tuple[Bundle, Files]:
    """Say what the bundle will hold, and give its files by their path in it.

    Args:
        candidates: The models.
        device: What it is for.
        scratch: Where downloads and edgekit's own wheel go.
        wheels: Whether the wheels of others are in it.
        extras: Extras of edgekit that are wanted there.

    Raises:
        As `bundle`.
    """
    about = running_installation()
    needs = {python: device.needs(about, python, extras) for python in device.pythons}
    own = write_wheel(about, light_files(), scratch)
    fetched = _fetch(needs, device, scratch) if wheels else {}
    others = {wheel.path.name: wheel.path for found in fetched.values() for wheel in found}
    models = {f"models/{each.path.name}": each.path for each in candidates}
    shipped = {f"wheels/{path.name}": path for path in (own, *others.values())}
    made = Bundle(
        bundle="",
        bytes=0,
        target=device.target.name,
        machine=device.target.arch,
        python=device.pythons,
        edgekit=about.version,
        models=_packed(models),
        requirements=requirement_lines(pinned(fetched) if wheels else needs),
        wheels=_packed(shipped),
        apt=device.apt,
        warnings=(
            *(text for each in candidates for text in doubts(each, device.target)),
            *about_apt(device),
        ),
    )
    return made, {**models, **shipped, **_texts(made, device)}


def _fetch(
    needs: dict[str, Needs], device: Device, scratch: Path
) -> dict[str, tuple[Wheel, ...]]:
    """Download the wheels for each Python, and pip itself: a bare system may have none."""
    tool = Requirement(PIP)
    return {
        python: download(device.merge([*each.values(), tool]), device, python, scratch)
        for python, each in needs.items()
    }


def _packed(files: dict[str, Path]) -> tuple[Packed, ...]:
    return tuple(
        Packed(file=name, bytes=path.stat().st_size, sha256=sha256(path))
        for name, path in files.items()
    )


def _texts(made: Bundle, device: Device) -> dict[str, bytes]:
    """The files that are written for this bundle, and the program that serves all."""
    document = to_json(made)
    del document["bundle"], document["bytes"]  # of the zip, not of what is in it
    return {
        _CONTENTS: (json.dumps(document, indent=2) + "\n").encode(),
        "requirements.txt": requirements_file(made.requirements, device).encode(),
        "settings.sh": settings(device).encode(),
        "README.txt": read_me(device, [each.file for each in made.models]).encode(),
        PROGRAM: resources.files("edgekit.bundle").joinpath(PROGRAM).read_bytes(),
    }
