"""Activations that accelerators lack become ReLU; all else stays as it is."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

from edgekit.cli.main import cli
from edgekit.data import Dataset, open_dataset
from edgekit.errors import SourceError
from edgekit_converters.prune import prune
from edgekit_converters.prune.activations import LACKED

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore::UserWarning:keras.*")]

SHAPE = (6, 6, 3)


def net() -> Any:
    keras.utils.set_random_seed(3)
    inner = keras.Sequential(
        [
            keras.Input((6, 6, 8)),
            layers.Conv2D(8, 3, activation="leaky_relu", name="deep"),
            layers.ELU(name="elu"),
        ],
        name="inner",
    )
    x = image = keras.Input(SHAPE, name="x")
    x = layers.Conv2D(8, 3, padding="same", name="conv")(x)
    x = layers.Activation("hard_silu", name="swish")(x)
    x = layers.LeakyReLU(0.2, name="leaky")(inner(x))
    x = layers.Conv2D(8, 1, activation="silu", name="kept")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(2, activation="softmax", name="last")(x))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    y = np.arange(96) % 2
    x = rng.normal(size=(96, *SHAPE)).astype(np.float32)
    x[..., 0] += y[:, None, None] * 1.5
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, x=x, y=y)
    return path


def opened(path: Path) -> Dataset:
    return open_dataset(path, shapes={"x": SHAPE}, preprocessing=None, labelled=True)


def activations(model: Any) -> dict[str, str]:
    found = {}
    for layer in model._flatten_layers():
        if isinstance(layer, layers.ReLU | layers.LeakyReLU | layers.ELU):
            found[layer.name] = type(layer).__name__
        elif hasattr(layer, "activation"):
            found[layer.name] = layer.activation.__name__
    return found


def test_those_that_accelerators_lack_become_relu_at_any_depth() -> None:
    model = net()
    done = prune(model, "activations")
    assert set(done.activations) == {"swish", "inner/deep", "inner/elu", "leaky"}
    assert activations(done.model) == {
        "conv": "linear",
        "swish": "relu",
        "deep": "relu",
        "elu": "ReLU",
        "leaky": "ReLU",
        "kept": "silu",
        "last": "softmax",
    }
    assert activations(model)["swish"] == "hard_silu"


def test_without_epochs_the_weights_stay() -> None:
    model = net()
    done = prune(model, "activations")
    for before, after in zip(model.get_weights(), done.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert done.before.parameters == done.after.parameters


def test_fine_tuning_teaches_the_copy(data: Path) -> None:
    model = net()
    done = prune(model, "activations", data=opened(data), epochs=8, learning_rate=0.01)
    with np.load(data) as stored:
        scores = np.asarray(done.model(stored["x"]))
        assert float(np.mean(scores.argmax(-1) == stored["y"])) > 0.9


@pytest.mark.parametrize("name", sorted(LACKED))
def test_every_name_is_one_that_keras_knows(name: str) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation=name)])
    assert len(prune(model, "activations").activations) == 1


def test_a_model_without_any_is_refused() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu")])
    with pytest.raises(SourceError, match="no activation to replace by ReLU"):
        prune(model, "activations")


def test_the_command_replaces_fine_tunes_and_says_so(tmp_path: Path, data: Path) -> None:
    path, output = tmp_path / "net.keras", tmp_path / "relu.keras"
    net().save(path)
    words = ["prune", path, "--method", "activations", "--data", data, "--epochs", "1"]
    result = CliRunner().invoke(cli, [*map(str, words), "-o", str(output), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["method"] == found["amount"] == "activations"
    assert found["activations"] == ["swish", "inner/deep", "inner/elu", "leaky"]
    loaded = keras.models.load_model(output, compile=False)
    assert "hard_silu" not in activations(loaded).values()
