"""The public face is what __all__ says, nothing more, and costs nothing to import."""

import contextlib
import importlib.util
import subprocess
import sys

import pytest

import edgekit
from edgekit.errors import MissingExtra

HEAVY = ("tensorflow", "keras", "cv2", "numpy", "ai_edge_litert", "rich", "click")


def test_all_is_sorted_and_is_what_dir_shows() -> None:
    assert sorted(edgekit.__all__) == edgekit.__all__ == dir(edgekit)


@pytest.mark.parametrize("name", ["compare", "evaluate", "inspect", "load", "profile"])
def test_every_name_of_the_light_half_is_a_documented_function(name: str) -> None:
    found = getattr(edgekit, name)
    assert callable(found)
    assert found.__doc__


@pytest.mark.parametrize("name", ["convert", "prune", "quantize"])
def test_every_name_of_the_heavy_half_is_there_or_its_extra_is_missing(name: str) -> None:
    if importlib.util.find_spec("tensorflow") is not None:
        assert callable(getattr(edgekit, name))
        return
    with contextlib.suppress(MissingExtra):  # some of it needs no TensorFlow to be imported
        assert callable(getattr(edgekit, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'estimation'"):
        _ = edgekit.estimation


def test_import_is_light() -> None:
    code = f"import edgekit, sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
