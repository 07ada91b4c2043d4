"""What is not installed is named with the extra that brings it."""

import sys
import tomllib
from pathlib import Path

import pytest

from edgekit.errors import MissingExtra
from edgekit.extras import EXTRAS, need


def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **modules: str) -> None:
    """Put modules in the way of the installed ones."""
    for name, content in modules.items():
        (tmp_path / f"{name}.py").write_text(content)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)


def test_what_is_there_is_imported() -> None:
    assert need("json", "read").loads("1") == 1


@pytest.mark.parametrize("name", ["cv2", "tensorflow"])
def test_what_is_missing_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    raises = f"raise ModuleNotFoundError('no', name='{name}')"
    broken(tmp_path, monkeypatch, **{name: raises, "needs_it": f"import {name}"})
    for module in (name, "needs_it"):
        with pytest.raises(MissingExtra) as caught:
            need(module, "see")
        assert f"{name} is needed to see, and it is not installed." in str(caught.value)
        assert f"pip install 'edgekit[{EXTRAS[name]}]'" in str(caught.value)


def test_what_cannot_be_loaded_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(tmp_path, monkeypatch, cv2="raise ImportError('libGL.so.1: no', name='cv2')")
    with pytest.raises(MissingExtra, match=r"cannot be loaded: libGL\.so\.1"):
        need("cv2", "see")


def test_a_defect_stays_a_defect() -> None:
    with pytest.raises(ModuleNotFoundError, match="edgekit_nowhere"):
        need("edgekit_nowhere", "see")


def test_every_extra_exists() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS.values()) <= extras.keys()
