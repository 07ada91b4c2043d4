"""The texts of a bundle: what pip installs, what its program must know, what a person reads."""

import shlex
from collections.abc import Mapping, Sequence

from packaging.requirements import Requirement

from edgekit.bundle.device import Device, Needs
from edgekit.bundle.download import PIP, Wheel

_READ_ME = """\
edgekit for {title}

Everything that the device needs is in this folder. Copy the folder there, then:

    sh run.sh                      measures {first}
    sh run.sh inspect {first}
    sh run.sh run {first} photo.jpg
    sh run.sh --help               all commands

The first call makes a virtual environment in the folder `venv` beside run.sh.
{more}"""


def pinned(fetched: Mapping[str, Sequence[Wheel]]) -> dict[str, Needs]:
    """What pip is to install: exactly the wheels, for each Python."""
    return {
        python: {
            wheel.name: Requirement(f"{wheel.name}=={wheel.version}")
            for wheel in wheels
            if wheel.name != PIP
        }
        for python, wheels in fetched.items()
    }


def requirement_lines(needs: Mapping[str, Needs]) -> tuple[str, ...]:
    """One line a requirement; where the Pythons differ, each line says for which it is.

    >>> old, new = Requirement("numpy==2.4"), Requirement("numpy==2.5")
    >>> requirement_lines({"3.11": {"numpy": old}, "3.13": {"numpy": new}})
    ('numpy==2.4; python_version == "3.11"', 'numpy==2.5; python_version == "3.13"')
    >>> requirement_lines({"3.11": {"numpy": old}, "3.13": {"numpy": old}})
    ('numpy==2.4',)
    """
    pythons: dict[str, list[str]] = {}
    for python, wanted in needs.items():
        for need in wanted.values():
            pythons.setdefault(str(need), []).append(python)
    return tuple(
        sorted(
            line if len(found) == len(needs) else f"{line}; {_only_for(found)}"
            for line, found in pythons.items()
        )
    )


def requirements_file(lines: Sequence[str], device: Device) -> str:
    """The requirements file; edgekit's own wheel is installed beside it."""
    pythons = ", ".join(device.pythons)
    heads = [f"# {device.target.title}: {device.target.arch}, Python {pythons}."]
    if device.apt:
        heads.append(f"# From the system: sudo apt install {' '.join(device.apt)}")
    return "\n".join([*heads, *lines, ""])


def settings(device: Device) -> str:
    """What run.sh must know about the device, as assignments of a shell."""
    values = {
        "title": device.target.title,
        "target": device.target.name,
        "machine": device.target.arch,
        "bits": str(device.bits),
        "pythons": " ".join(device.pythons),
        "apt": " ".join(device.apt),
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def read_me(device: Device, models: Sequence[str]) -> str:
    """What a person reads who unpacks the bundle."""
    apt = " ".join(device.apt)
    more = f"\nIt needs packages of the system: sudo apt install {apt}\n" if apt else ""
    first = models[0] if models else "model.tflite"
    return _READ_ME.format(title=device.target.title, first=first, more=more)


def about_apt(device: Device) -> tuple[str, ...]:
    """Say which packages of the system stand in for wheels that nobody publishes."""
    if not device.apt:
        return ()
    said = (
        f"Not everything is published as a wheel for {device.target.arch}. "
        f"On the device, once: sudo apt install {' '.join(device.apt)}"
    )
    return (said,)


def _only_for(pythons: Sequence[str]) -> str:
    return " or ".join(f'python_version == "{each}"' for each in pythons)
