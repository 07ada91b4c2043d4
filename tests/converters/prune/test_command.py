"""`edgekit prune`, from file to file."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result
from keras import layers

from edgekit.artifact import read_manifest, write_keras_manifest
from edgekit.cli.main import cli, tell
from edgekit.errors import EdgekitError
from edgekit.manifest import Manifest, Preprocessing

pytestmark = pytest.mark.tf

SIDES = {"parameters", "macs", "bytes", "gzip_bytes", "latency_ms", "metric", "value"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a .keras file that carries a manifest."""
    keras.utils.set_random_seed(2)
    made = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="picture"),
            layers.Conv2D(24, 3, activation="relu", name="first"),
            layers.Conv2D(16, 3, activation="relu", name="second"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax", name="last"),
        ]
    )
    path = tmp_path_factory.mktemp("models") / "net.keras"
    made.save(path)
    manifest = Manifest(
        name="net",
        task="classify",
        labels=("dark", "light"),
        preprocessing=Preprocessing(),
        evidence={"earlier": 1},
    )
    write_keras_manifest(path, manifest)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(1)
    y = np.arange(40) % 2
    x = rng.integers(0, 128, (40, 8, 8, 3)) + 120 * y[:, None, None, None]
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, x=x.astype(np.uint8), y=y)
    return path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["prune", *map(str, arguments)])


@pytest.mark.slow
def test_the_json_of_the_contract(model: Path, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "small.keras"
    options: list[str | Path] = [
        "--amount",
        "macs:0.4",
        "--data",
        data,
        "--epochs",
        "2",
        "--evaluate",
        data,
    ]
    done = call(model, *options, "-o", output, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    for side in ("before", "after"):
        assert set(found[side]) >= SIDES
    assert found["after"]["macs"] <= 0.6 * found["before"]["macs"]
    assert found["after"]["bytes"] < found["before"]["bytes"]
    assert found["after"]["metric"] == "accuracy"
    assert found["importance"] in {"l1", "taylor"}
    assert found["before"]["latency_ms"]["median"] > 0
    assert found["proof_difference"] <= 1e-4
    manifest = read_manifest(output)
    assert manifest is not None
    assert manifest.labels == ("dark", "light")
    assert manifest.evidence["earlier"] == 1
    assert manifest.evidence["prune"]["amount"] == "macs:0.4"
    smaller = keras.models.load_model(output, compile=False)
    assert smaller.count_params() == found["after"]["parameters"]
    assert [each.name for each in output.parent.iterdir()] == ["small.keras"]


def test_a_table_says_what_it_bought_and_what_was_left_alone(
    model: Path, tmp_path: Path
) -> None:
    done = call(model, "--amount", "0.5", "-o", tmp_path / "small.keras", "--quiet")
    assert done.exit_code == 0, done.output
    for words in ("multiply-adds", "latency", "first", "it is an output of the model"):
        assert words in done.stdout


@pytest.mark.slow
def test_single_weights_are_counted_and_measured_as_int8_too(
    model: Path, data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "sparse.keras"
    wishes: list[str | Path] = ["--method", "magnitude", "--amount", "0.75", "--epochs", "2"]
    wishes += ["--data", data, "--calibrate", data, "--evaluate", data]
    done = call(model, *wishes, "-o", output, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["method"], found["amount"]) == ("magnitude", "magnitude:0.75")
    assert found["proof_difference"] is None
    before, after = found["before"], found["after"]
    assert before["parameters"] == after["parameters"]
    zeros = sum(kernel["zeros"] for kernel in found["kernels"])
    assert zeros >= round(0.75 * sum(kernel["weights"] for kernel in found["kernels"]))
    assert after["parameters"] - after["nonzero"] >= zeros
    for size in ("gzip_bytes", "int8_gzip_bytes"):
        assert after[size] < before[size]
    assert after["int8_latency_ms"]["median"] > 0
    smaller = keras.models.load_model(output, compile=False)
    assert sum(int(np.count_nonzero(w)) for w in smaller.get_weights()) == after["nonzero"]


def test_clusters_say_that_they_buy_no_speed(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "small.keras"
    done = call(model, "--method", "cluster", "--amount", "4", "-o", output, "--quiet")
    assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    assert "pruned: clusters:4" in words
    assert "Wrote" in words
    if "x 0.8" not in words:  # measured on a busy machine, it may seem so
        assert "No speed was bought: a run takes" in words
        assert "--method channels makes a model faster" in words


def test_help_names_the_methods_that_exist_and_has_examples() -> None:
    done = call("--help")
    assert "[channels|magnitude|2:4|block|cluster|activations]" in done.stdout
    assert "edgekit prune" in done.stdout.partition("Examples:")[2]


def failure(done: Result) -> tuple[int, str]:
    """Exit code and text of the error, as the program ends with it."""
    if isinstance(done.exception, EdgekitError):
        return tell(done.exception), str(done.exception)
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        pytest.param(["--amount", "1.5"], 2, "above 0 and below 1", id="share"),
        pytest.param(["--amount", "weights:0.5"], 2, "Known: channels", id="kind"),
        pytest.param(
            ["--amount", "0.7", "--method", "2:4"], 2, "--method 2:4 was given", id="2:4"
        ),
        pytest.param(
            ["--amount", "macs:0.5", "--method", "block"], 2, "--method channels", id="method"
        ),
        pytest.param(["--amount", "0.5", "--method", "luck"], 2, "'magnitude'", id="no method"),
        pytest.param(["--amount", "1", "--method", "cluster"], 2, "2 to 256", id="clusters"),
        pytest.param(["--method", "magnitude"], 2, "--amount", id="no amount"),
        pytest.param(
            ["--amount", "latency:0.5@pixel-phone"], 2, "No target", id="unknown target"
        ),
        pytest.param(
            ["--amount", "latency:0.5@coral-usb"], 4, "latency:0.5@host", id="no timings"
        ),
        pytest.param(
            ["--amount", "0.5", "--steps", "3"], 2, "--epochs 3 or more", id="steps alone"
        ),
        pytest.param(
            ["--amount", "magnitude:0.5", "--steps", "3"], 2, "Leave --steps", id="steps"
        ),
        pytest.param(["--amount", "0.5", "--epochs", "2"], 2, "--data", id="no data"),
        pytest.param(["--amount", "0.5", "--distill"], 2, "--epochs", id="no epochs"),
        pytest.param(
            ["--amount", "0.5", "--importance", "taylor"], 2, "--data", id="taylor without data"
        ),
    ],
)
def test_wishes_that_contradict_themselves_are_refused(
    model: Path, tmp_path: Path, options: list[str], code: int, words: str
) -> None:
    found, text = failure(call(model, *options, "-o", tmp_path / "small.keras"))
    assert found == code
    assert words in text
    assert not list(tmp_path.iterdir())


def test_another_suffix_than_keras_is_refused(model: Path, tmp_path: Path) -> None:
    code, text = failure(call(model, "--amount", "0.5", "-o", tmp_path / "small.tflite"))
    assert code == 2
    assert "-o small.keras" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", [b"", b"no model at all", None], ids=["empty", "text", "missing"]
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "net.keras"
    if content is not None:
        path.write_bytes(content)
    code, text = failure(call(path, "--amount", "0.5", "-o", tmp_path / "small.keras"))
    assert code == 3
    assert "net.keras" in text
    assert not (tmp_path / "small.keras").exists()
