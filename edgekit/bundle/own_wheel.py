"""A wheel of edgekit's light half, made from the running installation without a build tool."""

import base64
import hashlib
from pathlib import Path

from edgekit.bundle.archive import Entry, write_zip
from edgekit.bundle.installation import NAME, Installation

_WHEEL = """\
Wheel-Version: 1.0
Generator: edgekit bundle
Root-Is-Purelib: true
Tag: py3-none-any
"""


def write_wheel(about: Installation, files: dict[str, Path], folder: Path) -> Path:
    """Write the wheel into a folder.

    Args:
        about: What it says about itself.
        files: What it installs: path in the wheel -> file.
        folder: Where to write it.

    Returns:
        The wheel.

    Raises:
        OSError: A file cannot be read, or the wheel cannot be written.
    """
    version = about.version.replace("-", "_")
    path = folder / f"{NAME}-{version}-py3-none-any.whl"
    notes = f"{NAME}-{version}.dist-info"
    contents = {name: source.read_bytes() for name, source in files.items()}
    contents |= {
        f"{notes}/METADATA": _metadata(about).encode(),
        f"{notes}/WHEEL": _WHEEL.encode(),
        f"{notes}/entry_points.txt": "\n".join(
            ["[console_scripts]", *about.scripts, ""]
        ).encode(),
        f"{notes}/licenses/LICENSE": about.license.encode(),
    }
    record = f"{notes}/RECORD"
    lines = [_recorded(name, content) for name, content in sorted(contents.items())]
    contents[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    write_zip(path, [Entry(name, content) for name, content in contents.items()])
    return path


def _metadata(about: Installation) -> str:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {NAME}",
        f"Version: {about.version}",
        f"Summary: {about.summary}",
        "License: Apache-2.0",
        "License-File: LICENSE",
        f"Requires-Python: {about.requires_python}",
        *(f"Requires-Dist: {each}" for each in about.dependencies),
    ]
    for extra, needs in about.extras.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {_for_extra(each, extra)}" for each in needs]
    return "\n".join([*lines, ""])


def _for_extra(need: str, extra: str) -> str:
    name, _, marker = need.partition("; ")
    condition = f'extra == "{extra}"'
    return f"{name}; {marker} and {condition}" if marker else f"{name}; {condition}"


def _recorded(name: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}"
