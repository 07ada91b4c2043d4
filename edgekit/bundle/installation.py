"""The edgekit that is running: what it says about itself, and its light half's files.

A wheel that was installed, an editable installation and a plain source tree give the
same answers.
"""

import importlib.metadata
import importlib.util
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from edgekit.errors import InputError
from edgekit.targets import targets_dir

NAME = "edgekit"
LIGHT = ("edgekit", "edgekit_demos")
_TARGETS = "edgekit/_targets"
_HEAVY_EXTRAS = {"convert"}
# What TensorFlow alone reads stays on the workstation.
_LEFT_OUT = {".keras", ".pyc", ".pyo"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What a wheel of the light half says about itself.

    Attributes:
        version: Of edgekit.
        summary: One line on what it is.
        requires_python: Python versions that it runs with.
        dependencies: What it needs everywhere, as far as markers say so.
        extras: What else it can use, by the name of the extra; those of the light half.
        scripts: Commands, `name = module:function`.
        license: Text of the license.
    """

    version: str
    summary: str
    requires_python: str
    dependencies: tuple[str, ...]
    extras: dict[str, tuple[str, ...]]
    scripts: tuple[str, ...]
    license: str


def running_installation() -> Installation:
    """Describe the running edgekit.

    Raises:
        InputError: It lies in a folder alone, without metadata or a pyproject.toml.
    """
    tree = Path(__file__).resolve().parents[2]
    pyproject = tree / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == NAME:
            return _from_tree(project, tree)
    try:
        return _from_metadata(importlib.metadata.distribution(NAME))
    except importlib.metadata.PackageNotFoundError as error:
        msg = (
            f"The edgekit in {tree} was not installed, so nobody knows what it needs.\n"
            "Install it with pip, or run it from its source tree."
        )
        raise InputError(msg) from error


def light_files() -> dict[str, Path]:
    """The files of the light half: their path in a wheel -> where they are."""
    found: dict[str, Path] = {}
    for package in LIGHT:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        found |= _inside(Path(spec.origin).resolve().parent, package)
    return found | _inside(targets_dir().resolve(), _TARGETS)


def _inside(folder: Path, name: str) -> dict[str, Path]:
    """The files below a folder, but for caches and what is hidden."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if path.is_file() and not hidden and path.suffix not in _LEFT_OUT:
            found["/".join((name, *parts))] = path
    return found


def _from_tree(project: dict[str, Any], tree: Path) -> Installation:
    extras = project.get("optional-dependencies", {})
    scripts = project.get("scripts", {})
    notice = tree / "LICENSE"
    return Installation(
        version=project["version"],
        summary=project["description"],
        requires_python=project["requires-python"],
        dependencies=_plain(project["dependencies"]),
        extras={
            name: _plain(extras[name]) for name in sorted(extras) if name not in _HEAVY_EXTRAS
        },
        scripts=tuple(sorted(f"{name} = {place}" for name, place in scripts.items())),
        license=notice.read_text(encoding="utf-8") if notice.is_file() else "",
    )


def _from_metadata(found: importlib.metadata.Distribution) -> Installation:
    needs = [Requirement(each) for each in found.requires or []]
    names = set(found.metadata.get_all("Provides-Extra") or []) - _HEAVY_EXTRAS
    return Installation(
        version=found.version,
        summary=found.metadata["Summary"],
        requires_python=found.metadata["Requires-Python"],
        dependencies=_plain(str(each) for each in needs if "extra ==" not in str(each.marker)),
        extras={
            name: _plain(_without_extra(each, name) for each in needs if _is_for(each, name))
            for name in sorted(names)
        },
        scripts=tuple(
            sorted(
                f"{each.name} = {each.value}"
                for each in found.entry_points
                if each.group == "console_scripts"
            )
        ),
        license=found.read_text("licenses/LICENSE") or "",
    )


def _is_for(need: Requirement, extra: str) -> bool:
    return f'extra == "{extra}"' in str(need.marker)


def _without_extra(need: Requirement, extra: str) -> str:
    """The requirement as the extra's list has it: `a and extra == "x"` becomes `a`."""
    name, _, marker = str(need).partition("; ")
    rest = marker.replace(f'extra == "{extra}"', "").removesuffix(" and ")
    return f"{name}; {rest}" if rest else name


def _plain(requirements: Any) -> tuple[str, ...]:
    """Requirements in one spelling and order."""
    return tuple(sorted(str(Requirement(each)) for each in requirements))
