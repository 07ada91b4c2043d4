"""The light half needs no TensorFlow: every import of it is blocked here, in children too."""

import json
import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import small_model

HEAVY = ("tensorflow", "keras", "tf_keras", "ai_edge_quantizer", "h5py")
BLOCK = f"import sys; sys.modules.update(dict.fromkeys({HEAVY}))"  # None: not to be had


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model, data for it, and the block."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "sitecustomize.py").write_text(BLOCK)
    (folder / "small.tflite").write_bytes(small_model())
    with zipfile.ZipFile(folder / "small.keras", "w") as archive:  # sound as far as one can see
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    x = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    np.savez(folder / "data.npz", x=x, y=np.arange(12) % 3)
    np.save(folder / "one.npy", x[0])
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = [str(folder), *filter(None, sys.path)]
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def edgekit(folder: Path, *arguments: str) -> Any:
    done = python(folder, "-m", "edgekit", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_block_works(folder: Path) -> None:
    for name in HEAVY:
        assert python(folder, "-c", f"import {name}").returncode == 1


def test_targets(folder: Path) -> None:
    names = [each["name"] for each in edgekit(folder, "targets")]
    assert {"host", "raspberry-pi-4", "coral-usb"} <= set(names)


def test_models(folder: Path) -> None:
    found = edgekit(folder, "models")["models"]
    assert {"cards", "coco-ssd"} <= {each["name"] for each in found}


@pytest.mark.parametrize("target", ["host", "coral-usb", "android-gpu"])
def test_inspect(folder: Path, target: str) -> None:
    found = edgekit(folder, "inspect", "small.tflite", "--target", target)
    assert [op["op"] for op in found["ops"]] == ["FULLY_CONNECTED", "SOFTMAX"]
    assert found["manifest"]["labels"] == ["one", "two", "three"]


def test_run(folder: Path) -> None:
    [result] = edgekit(folder, "run", "small.tflite", "one.npy")["results"]
    assert {each["label"] for each in result["top"]} <= {"one", "two", "three"}


def test_profile(folder: Path) -> None:
    found = edgekit(folder, "profile", "small.tflite", "--runs", "5")
    assert found["kind"] == "measured"
    assert found["latency_ms"]["median"] > 0


def test_evaluate(folder: Path) -> None:
    found = edgekit(folder, "evaluate", "small.tflite", "data.npz")
    assert (found["metric"], found["samples"]) == ("accuracy", 12)


def test_compare(folder: Path) -> None:
    found = edgekit(folder, "compare", "small.tflite", "small.tflite", "--data", "data.npz")
    assert (found["agreement"], found["max_abs_diff"]) == (1.0, 0.0)


def test_a_model_is_a_function(folder: Path) -> None:
    code = (
        "import edgekit, numpy as np\n"
        "print(edgekit.load('small.tflite')(np.zeros((1, 4), np.float32)).shape)"
    )
    assert python(folder, "-c", code).stdout.strip() == "(1, 3)"


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert", "small.keras", "--target", "host", "--calibrate", "data.npz"],
        ["quantize", "small.keras", "--calibrate", "data.npz", "-o", "q.tflite"],
        ["prune", "small.keras", "--method", "channels", "--amount", "0.5", "-o", "p.keras"],
        ["evaluate", "small.keras", "data.npz"],
        ["compare", "small.keras", "small.tflite", "--data", "data.npz"],
        ["profile", "small.keras"],
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[1]}",
)
def test_what_needs_tensorflow_names_the_extra(folder: Path, arguments: list[str]) -> None:
    done = python(folder, "-m", "edgekit", *arguments)
    assert done.returncode == 6, done.stderr
    assert "pip install 'edgekit[convert]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_quickstart_says_what_it_left_out(folder: Path) -> None:
    done = python(folder, "-m", "edgekit", "quickstart", "-o", "quick", "--json")
    assert done.returncode == 0, done.stderr
    assert (folder / json.loads(done.stdout)["report"]).is_file()
    assert "edgekit[convert]" in done.stderr


@pytest.mark.parametrize("package", ["edgekit", "edgekit_demos", "edgekit_converters"])
def test_packages_are_imported(folder: Path, package: str) -> None:
    if find_spec(package) is None:
        pytest.skip(f"{package} is not there")
    assert python(folder, "-c", f"import {package}").returncode == 0
