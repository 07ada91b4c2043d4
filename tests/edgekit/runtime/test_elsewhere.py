"""A model in another Python: the target's own runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import TargetError, UsageError
from edgekit.runtime import load
from edgekit.runtime.elsewhere import VARIABLE, other_python, run_elsewhere


@pytest.fixture
def python() -> str:
    """Return the Python with tflite-runtime that the environment names."""
    named = other_python()
    if named is None:
        pytest.skip(f"{VARIABLE} is not set")
    return named


def test_it_gives_what_this_runtime_gives_on_an_exact_model(
    python: str, relu_int8: Path
) -> None:
    x = np.random.default_rng(0).uniform(-20, 70, (5, 4)).astype(np.float32)
    found = run_elsewhere(relu_int8, {"x": x}, python=python)
    assert found.runtime.startswith("tflite-runtime 2.14")
    np.testing.assert_array_equal(found.outputs["y"], load(relu_int8, probe=False)(x))


def test_raw_values_go_there_and_back(python: str, relu_int8: Path) -> None:
    x = np.array([[-128, -28, 0, 127]], np.int8)
    found = run_elsewhere(relu_int8, {"x": x}, python=python, raw=True)
    assert found.outputs["y"].dtype == np.int8
    assert found.outputs["y"].tolist() == [[-28, -28, 0, 127]]


def test_names_may_be_anything(python: str, make: Any, tensor: Any) -> None:
    path = make("RELU", [tensor(name="file")], [tensor(name="a/b:0")])
    found = run_elsewhere(path, {"file": np.ones((1, 4))}, python=python)
    assert found.outputs["a/b:0"].tolist() == [[1.0] * 4]


def test_an_operator_that_is_too_new_there_is_said(python: str, make: Any, tensor: Any) -> None:
    path = make("RELU", [tensor(name="x")], [tensor(name="y")], version=99)
    with pytest.raises(TargetError, match=r"RELU version 99.*tflite-runtime 2\.14"):
        run_elsewhere(path, {"x": np.ones((1, 4))}, python=python)


def test_no_variable_means_no_other_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert other_python() is None


def test_a_variable_that_names_no_program_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere/python")
    with pytest.raises(UsageError, match="names /nowhere/python, which is no program"):
        other_python()
