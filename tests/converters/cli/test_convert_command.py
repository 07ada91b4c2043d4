"""`edgekit convert` and `edgekit quantize` as real processes: what they print, how they end."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.tf

ROOT = Path(__file__).resolve().parents[3]
PATHS = [str(ROOT / name) for name in (".", "converters", "demos")]
PROGRAM = f"import sys; sys.path[:0] = {PATHS}; from edgekit.cli.main import main; main()"
FLOAT16 = ["m.keras", "--scheme", "float16"]


def edgekit(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_json_is_one_document_with_the_keys_of_the_contract(
    spots_model: Path, spots: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("--target", "coral-usb", "--calibrate", spots, "--evaluate", spots)
    ended = edgekit("convert", spots_model, *options, "-o", out, "--json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    (artifact,) = document["artifacts"]
    assert artifact.keys() >= {
        *("path", "target", "scheme", "bytes", "gzip_bytes", "fully_integer", "float"),
        *("quantized", "drop", "agreement", "warnings", "rejected"),
    }
    assert artifact["float"].keys() == artifact["quantized"].keys() == {"metric", "value"}
    assert Path(artifact["path"]).is_file()


def test_a_failed_gate_prints_the_document_and_ends_with_5(
    spots_model: Path, spots: Path, tmp_path: Path
) -> None:
    data = ("--calibrate", spots, "--evaluate", spots)
    out = tmp_path / "one.tflite"
    ended = edgekit("quantize", spots_model, *data, "--max-drop", "-50", "-o", out, "--json")
    assert ended.returncode == 5, ended.stderr
    document = json.loads(ended.stdout)
    assert document["rejected"] is True
    assert Path(document["path"]).name == "one.tflite.rejected"
    assert "--max-drop" in ended.stderr


def test_the_table_names_target_size_and_accuracy(
    spots_model: Path, spots: Path, tmp_path: Path
) -> None:
    data = ("--calibrate", spots, "--evaluate", spots)
    ended = edgekit("quantize", spots_model, *data, "-o", tmp_path / "one.tflite")
    assert ended.returncode == 0, ended.stderr
    assert "host" in ended.stdout
    assert "int8 / float32" in ended.stdout
    assert "Wrote one.tflite" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        pytest.param([], 2, "Missing argument 'MODEL'", id="no model"),
        pytest.param(["m.keras"], 2, "--calibrate DATA", id="no data"),
        pytest.param(["m.keras", "--target", "toaster"], 2, "Known: ", id="unknown target"),
        pytest.param(["m.keras", "--scheme", "int4"], 2, "int4", id="unknown scheme"),
        pytest.param(
            ["m.keras", "--target", "coral-usb", "--scheme", "float16"],
            4,
            "integers",
            id="misfit",
        ),
        pytest.param(
            ["m.keras", "--target", "coral-usb", "--calibrate", "x", "--keep-float", "head"],
            4,
            "8-bit integers only",
            id="float layer",
        ),
        pytest.param(["m.keras", "--auto-keep-float"], 2, "--max-drop", id="search, no limit"),
        pytest.param(["m.keras", "--max-drop", "1"], 2, "--evaluate DATA", id="gate, no data"),
        pytest.param(
            ["m.keras", "--prune", "a:b", "--scheme", "float16"], 2, "a:b", id="prune"
        ),
        pytest.param(["--recipe", "none.toml"], 3, "none.toml", id="no recipe"),
        pytest.param(["m.keras", "--mean", "1,2"], 2, "1,2", id="two means"),
    ],
)
def test_a_wrong_call_is_told_at_once(
    options: list[str], code: int, words: str, tmp_path: Path
) -> None:
    ended = edgekit("convert", *options, "-o", tmp_path / "out")
    assert (ended.returncode, words in ended.stderr) == (code, True), ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not (tmp_path / "out").exists()


def test_an_interrupted_conversion_leaves_nothing_behind(
    spots_model: Path, spots: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ["convert", str(spots_model), "--calibrate", str(spots), "-o", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *options], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not out.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert not out.exists()
