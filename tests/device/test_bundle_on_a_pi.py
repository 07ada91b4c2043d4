"""Bundles on emulated Raspberry Pis: bare systems without a network. Run by .ci/emulated-pi.

The demos' tests on these boards take the fixture `pi`, too: `pi.edgekit("demo", ...)`.
"""

import functools
import itertools
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from emulated_pi import BOARDS, ROOT, Board, roots, run
from numpy.typing import NDArray

from edgekit.audio.sources import open_sound
from edgekit.flatbuffer.io_types import with_io
from edgekit.runtime import load
from edgekit.vision.sources.synthetic import Synthetic

pytestmark = [
    pytest.mark.device,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(roots() is None, reason="run it with .ci/emulated-pi"),
]

MODELS = ROOT / "demos/edgekit_demos/models"
CARRIED = sorted(MODELS.glob("*.tflite"))
MODEL = "bundle/models/shapes.raspberry-pi-4.tflite"
CARDS, WORDS = MODELS / "cards.tflite", MODELS / "words.tflite"
# 8-bit models of others; from the folder that EDGEKIT_DATA names.
REAL = (
    "edgetpu/test_data/keras_lstm_mnist_ptq.tflite",
    "edgetpu/test_data/mobilenet_v1_0.25_128_quant.tflite",
    "models/tflite/mlperf_tiny/anomaly_detection/trained_models/ad01_int8.tflite",
    "models/tflite/mlperf_tiny/image_classification/trained_models/pretrainedResnet_quant.tflite",
    "models/tflite/mlperf_tiny/keyword_spotting/trained_models/kws_ref_model.tflite",
    "models/tflite/mlperf_tiny/streaming_wakeword/trained_models/str_ww_ref_model.tflite",
    "models/tflite/mlperf_tiny/visual_wake_words/trained_models/vww_96_int8.tflite",
    "models/tflite/tflite_micro/examples/micro_speech/models/micro_speech_quantized.tflite",
    "models/tflite/tflite_micro/examples/mnist_lstm/trained_lstm_int8.tflite",
)
SAMPLES = 8
PIXELS = 4.0  # that a box of a frame of 1280 x 720 may be off; found: 2.5, on 32 bits
RATE, SPEECH_S = 16_000, 30
OTHER_PYTHON = "EDGEKIT_TFLITE_PYTHON"

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Pi:
    """A board with a bundle in its home folder, and what its first call said."""

    board: Board
    home: Path
    first: subprocess.CompletedProcess[str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return run(self.board, self.home, *command)

    def edgekit(self, *arguments: str) -> Any:
        done = self.run("sh", "bundle/run.sh", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def here(*arguments: str, cwd: Path) -> Any:
    """Run edgekit on this machine."""
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", *arguments, "--json"],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Give models with integers at both ends."""
    data = os.environ.get("EDGEKIT_DATA")
    folder, written = tmp_path_factory.mktemp("models"), []
    for path in (*CARRIED, *(Path(data, name) for name in REAL if data)):
        content = path.read_bytes()
        if load(path).inputs[0].dtype == "float32":
            content = with_io(content, "int8")
        written.append(folder / path.name)
        written[-1].write_bytes(content)
    return written


@pytest.fixture(scope="session")
def inputs(models: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw inputs of each model, from all that its type can hold."""
    rng = np.random.default_rng(7)
    drawn: Arrays = {}
    for path in models:
        spec = load(path).inputs[0]
        shape = (SAMPLES, *spec.shape[1:])
        ends = np.iinfo(spec.dtype)
        drawn[path.name] = rng.integers(ends.min, ends.max, shape, spec.dtype, endpoint=True)
    written = tmp_path_factory.mktemp("inputs") / "inputs.npz"
    np.savez(written, **drawn)  # type: ignore[arg-type] # names of models
    return written


@pytest.fixture(scope="session")
def home_for(
    models: list[Path], inputs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Path]:
    """Give the home folder of a root, with the unpacked bundle of a target in it."""

    @functools.cache
    def bundle(target: str) -> Path:
        folder = tmp_path_factory.mktemp(target)
        names = map(str, CARRIED)
        here("bundle", *names, "--target", target, "--wheels", "-o", "bundle.zip", cwd=folder)
        return folder / "bundle.zip"

    @functools.cache
    def home(target: str, root: str) -> Path:
        folder = tmp_path_factory.mktemp(root)
        with zipfile.ZipFile(bundle(target)) as archive:
            archive.extractall(folder)
        (folder / "others").mkdir()
        for path in models:
            shutil.copy(path, folder / "others")
        shutil.copy(inputs, folder)
        shutil.copy(ROOT / "tests/support/pi_outputs.py", folder)
        write_picture(folder / "red.png")
        write_cards(folder / "cards.png")
        write_speech(folder / "talk.wav")
        return folder

    return home


@pytest.fixture(scope="session", params=BOARDS, ids=lambda board: board.name)
def pi(request: pytest.FixtureRequest, home_for: Callable[[str, str], Path]) -> Pi:
    board: Board = request.param
    home = home_for(board.target, board.root)
    return Pi(board, home, run(board, home, "sh", "bundle/run.sh", "--version"))


@pytest.fixture(scope="session")
def expected(
    models: list[Path], inputs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Board, str], Arrays]:
    """Give the outputs of all models on this machine, in the same interpreter as a board's."""

    @functools.cache
    def outputs(python: str, delegate: str) -> Arrays:
        written = tmp_path_factory.mktemp("outputs") / "outputs.npz"
        subprocess.run(
            [
                *(python, str(ROOT / "tests/support/pi_outputs.py"), str(inputs)),
                *(str(written), delegate, *map(str, models)),
            ],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
        )
        return read(written)

    def on(board: Board, delegate: str) -> Arrays:
        python = os.environ.get(OTHER_PYTHON) if board.is_32bit else sys.executable
        if python is None:
            pytest.skip(f"{OTHER_PYTHON} names no Python with tflite-runtime")
        return outputs(python, delegate)

    return on


def read(path: Path) -> Arrays:
    with np.load(path) as file:
        return dict(file)


def write_picture(path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    picture = np.zeros((96, 128, 3), np.uint8)
    cv2.circle(picture, (60, 50), 30, (0, 0, 255), -1)
    cv2.imwrite(str(path), picture)


def write_cards(path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(path), next(Synthetic().frames()).pixels)


def write_speech(path: Path) -> None:
    with open_sound("synthetic", RATE) as source:
        chunks = itertools.takewhile(lambda chunk: chunk.t < SPEECH_S, source.chunks())
        soundfile.write(path, np.concatenate([chunk.samples for chunk in chunks]), RATE)


def test_a_bare_system_installs_it_without_a_network(pi: Pi) -> None:
    assert pi.first.returncode == 0, pi.first.stderr
    assert pi.first.stdout.startswith("edgekit, version ")
    probe = "import socket; socket.create_connection(('192.0.2.1', 80))"
    assert "unreachable" in pi.run("python3", "-c", probe).stderr
    assert "apt install" not in pi.first.stderr  # the 32-bit root has what that brings


def test_inspect_says_the_same_as_here(pi: Pi) -> None:
    found = pi.edgekit("inspect", MODEL, "--target", pi.board.target)
    assert found == here("inspect", MODEL, "--target", pi.board.target, cwd=pi.home)


def test_a_model_names_what_is_in_a_picture(pi: Pi) -> None:
    found = pi.edgekit("run", MODEL, "red.png")["results"][0]["top"][0]
    wanted = here("run", MODEL, "red.png", cwd=pi.home)["results"][0]["top"][0]
    assert found["label"] == wanted["label"]
    assert found["score"] == pytest.approx(wanted["score"], abs=pi.board.steps / 256)


def test_the_demo_runs_on_pictures_and_on_drawn_frames(pi: Pi) -> None:
    live = ("demo", "classify", "--model", MODEL, "--headless")
    on_picture = pi.edgekit(*live, "--source", "red.png")
    wanted = here(*live, "--source", "red.png", cwd=pi.home)
    assert (on_picture["frames"], on_picture["seen"]) == (1, wanted["seen"])
    if pi.board not in {BOARDS[0], BOARDS[-1]}:
        return  # those between have the same OpenCV as the first
    drawn = pi.edgekit(*live, "--source", "synthetic:320x240", "--frames", "5")
    assert drawn["frames"] == 5
    assert list(drawn["ms"]) == ["capture", "preprocess", "inference", "postprocess", "total"]


def test_the_demo_finds_the_cards_of_a_picture(pi: Pi) -> None:
    looking = ("demo", "detect", "--model", f"bundle/models/{CARDS.name}", "--headless")
    found = pi.edgekit(*looking, "--source", "cards.png", "--jsonl", "found.jsonl")
    wanted = here(*looking, "--source", "cards.png", "--jsonl", "wanted.jsonl", cwd=pi.home)
    assert found["seen"] == wanted["seen"]
    assert set(found["seen"]) == {"ace", "nine", "ten"}
    (line,), (other,) = (read_lines(pi.home / f"{name}.jsonl") for name in ("found", "wanted"))
    for seen, there in zip(line["detections"], other["detections"], strict=True):
        assert seen["label"] == there["label"]
        assert seen["box"] == pytest.approx(there["box"], abs=PIXELS)


def test_the_demo_hears_the_words_of_a_recording(pi: Pi) -> None:
    listening = ("demo", "keywords", "--model", f"bundle/models/{WORDS.name}")
    found = pi.edgekit(*listening, "--source", "talk.wav", "--jsonl", "heard.jsonl")
    wanted = here(*listening, "--source", "talk.wav", "--jsonl", "wanted.jsonl", cwd=pi.home)
    assert found["heard"] == wanted["heard"]
    assert sum(found["heard"].values()) >= 4
    assert found["seconds"] == pytest.approx(wanted["seconds"])
    events = [read_lines(pi.home / name) for name in ("heard.jsonl", "wanted.jsonl")]
    for event, other in zip(*events, strict=True):
        assert event["keyword"] == other["keyword"]
        assert event["t"] == pytest.approx(other["t"], abs=0.1)


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_profile_measures_there(pi: Pi) -> None:
    found = pi.edgekit("profile", MODEL, "--runs", "3", "--warm-up", "0")
    assert (found["kind"], found["runs"]) == ("measured", 3)
    assert found["latency_ms"]["median"] > 0
    assert found["runtime"].startswith(pi.board.runtime)
    assert found["machine"]["cpu"] == pi.board.core


def test_operators_are_measured_there(pi: Pi) -> None:
    """By the profiler where the runtime has one, else each of them alone."""
    found = pi.edgekit("profile", MODEL, "--per-op", "--runs", "3", "--warm-up", "0")
    about = found["per_op"]
    assert about["method"] == ("cut" if pi.board.is_32bit else "profiler"), about["notes"]
    assert found["ops"][-1]["index"] == -1
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "SOFTMAX"} <= {each["op"] for each in found["ops"]}
    assert sum(each["share"] for each in found["ops"]) == pytest.approx(1.0)


@pytest.mark.parametrize("delegate", ["reference", "cpu"])
def test_integers_are_those_of_this_machine(
    pi: Pi, expected: Callable[[Board, str], Arrays], models: list[Path], delegate: str
) -> None:
    """Bit for bit under the reference kernels, within some steps under XNNPACK."""
    names = [f"others/{path.name}" for path in models]
    job = ["pi_outputs.py", "inputs.npz", f"{delegate}.npz", delegate, *names]
    done = pi.run("bundle/venv/bin/python", *job)
    assert done.returncode == 0, done.stderr
    found, wanted = read(pi.home / f"{delegate}.npz"), expected(pi.board, delegate)
    assert found.keys() == wanted.keys()
    assert {name.split()[0] for name in found} == {path.name for path in models}
    apart = {
        name: int(np.abs(found[name].astype(np.int64) - wanted[name]).max()) for name in found
    }
    allowed = dict.fromkeys((path.name for path in CARRIED), pi.board.steps)
    allowed[WORDS.name] = pi.board.steps_of_words
    most = {name: allowed.get(name.split()[0], pi.board.steps_of_others) for name in found}
    if delegate == "reference":
        most = dict.fromkeys(found, 0)
    assert {name: value for name, value in apart.items() if value > most[name]} == {}


def test_the_doctor_finds_the_interpreter_well(pi: Pi) -> None:
    findings = {each["code"]: each for each in pi.edgekit("doctor")["findings"]}
    assert findings["interpreter"]["level"] == "ok"
    assert findings["interpreter"]["text"].startswith(pi.board.runtime)


def test_what_needs_tensorflow_says_so(pi: Pi) -> None:
    if pi.board is not BOARDS[0]:
        pytest.skip("the same on all boards")
    done = pi.run("sh", "bundle/run.sh", "convert", "model.keras", "--target", "host")
    assert done.returncode == 6
    assert "edgekit[convert]" in done.stderr


def test_without_arguments_the_models_are_measured(pi: Pi) -> None:
    if pi.board is not BOARDS[0]:
        pytest.skip("the same on all boards")
    done = pi.run("sh", "bundle/run.sh")
    assert done.returncode == 0, done.stderr
    assert all(path.name in done.stdout for path in CARRIED)
