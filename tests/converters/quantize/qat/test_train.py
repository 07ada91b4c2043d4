"""From `--qat EPOCHS` to the file: what is learned, from what, and what is refused."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgekit.data import Dataset, open_dataset
from edgekit.errors import SourceError, UsageError
from edgekit.flatbuffer.graph import Graph
from edgekit.runtime import load
from edgekit_converters.pipeline import quantize
from edgekit_converters.quantize.qat import Trained, fold, train
from edgekit_converters.quantize.qat.build import build
from edgekit_converters.quantize.qat.export import convert_trained
from edgekit_converters.quantize.qat.train import RelativeAdam, finish
from edgekit_converters.recipe import Recipe
from edgekit_converters.sources import fix_batch, load_source

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore::UserWarning:keras.*")]

SHAPE = (8, 8, 2)


def noise(n: int, seed: int) -> tuple[Any, Any]:
    """Noise whose first or second channel is raised: that channel is the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    x = rng.normal(size=(n, *SHAPE)).astype(np.float32)
    x[np.arange(n), :, :, y] += 0.3
    return x, y


def net(last: Any = "softmax", middle: Any = None) -> Any:
    """Residual and depthwise convolutions, normed."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input(SHAPE, name="x")
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3)(inputs)))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.Conv2D(8, 1)(layers.ReLU(6.0)(layers.BatchNormalization()(y)))
    x = layers.Add()([x, y])
    x = middle(x) if middle else x
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(2, activation=last)(x), name="net")


def data(folder: Path, *, labelled: bool = True, n: int = 640) -> Dataset:
    x, y = noise(n, seed=0)
    np.savez(folder / "data.npz", **({"x": x, "y": y} if labelled else {"x": x}))
    return open_dataset(
        folder / "data.npz", shapes={"x": SHAPE}, preprocessing=None, labelled=labelled
    )


def right(model: Any) -> float:
    x, y = noise(400, seed=5)
    return float(np.mean(np.asarray(model(x)).argmax(-1) == y))


def to_file(trained: Trained, folder: Path) -> Path:
    trained.plain.save(folder / "plain.keras")
    source = dataclasses.replace(load_source(folder / "plain.keras"), model=trained.model)
    content, problem = convert_trained(fix_batch(source).model)
    assert problem == "", problem
    (folder / "one.tflite").write_bytes(content)
    return folder / "one.tflite"


@pytest.mark.slow
def test_it_learns_from_labels_and_the_file_says_what_the_trained_model_says(
    tmp_path: Path,
) -> None:
    model = net()
    trained = train(model, data(tmp_path), 4, learning_rate=0.05)
    assert right(trained.model) > max(0.8, right(model))
    path = to_file(trained, tmp_path)
    assert Graph(path).fully_integer
    x, _ = noise(200, seed=9)
    expected, found = np.asarray(trained.model(x)), np.asarray(load(path)(x))
    assert np.mean(expected.argmax(-1) == found.argmax(-1)) >= 0.99
    assert len(trained.folded) == 2
    # Without fake quantization the trained weights are worth as much.
    assert right(trained.plain) == pytest.approx(right(trained.model), abs=0.02)


@pytest.mark.slow
def test_without_labels_it_stays_with_its_own_outputs(tmp_path: Path) -> None:
    model = net(last=None)
    weights = [np.copy(np.asarray(each)) for each in model.weights]
    trained = train(model, data(tmp_path, labelled=False), 1)
    x, _ = noise(200, seed=9)
    before, after = np.asarray(model(x)), np.asarray(trained.model(x))
    assert np.mean((before - after) ** 2) < 0.02 * np.mean(before**2)
    for old, new in zip(weights, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_training_that_makes_it_worse_is_undone_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = net()
    trained = train(model, data(tmp_path, n=64), 1, learning_rate=1e3)
    x, _ = noise(50, seed=9)
    old, new = (np.asarray(each(x)) for each in (fold(model).model, trained.plain))
    np.testing.assert_allclose(old, new, atol=1e-5)
    assert "Training for integers made the model worse" in caplog.text


def test_a_rate_is_a_share_of_the_weights_of_each_channel() -> None:
    inputs = keras.Input((4,), name="x")
    dense = layers.Dense(3)
    model = keras.Model(inputs, dense(inputs))
    dense.kernel.assign(dense.kernel / np.abs(dense.kernel) * [1e-3, 1.0, 1e3])
    before = np.asarray(dense.kernel)
    fake = build(model)
    optimizer = RelativeAdam(0.01, fake)
    student = fake.trained
    student.compile(optimizer, loss="mse")
    student.fit(np.ones((1, 4)), np.full((1, 3), 5.0), verbose=0)
    finish(fake)
    share = np.abs(np.asarray(dense.kernel) / before - 1)
    np.testing.assert_allclose(share, 0.01, rtol=0.01)


def test_an_uneven_net_is_evened_out_before_it_is_trained(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    first, second = layers.Conv2D(8, 3, activation="relu"), layers.Conv2D(8, 3)
    inputs = keras.Input(SHAPE, name="x")
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(second(first(inputs))))
    model = keras.Model(inputs, layers.Dense(2)(x))
    factor = np.array([1e-3, 1, 1e-2, 1, 1, 1e-3, 1, 0.1])
    first.kernel.assign(first.kernel * factor)
    second.kernel.assign(second.kernel / factor[:, None])
    trained = train(model, data(tmp_path, labelled=False, n=96), 1, learning_rate=1e-9)
    x, _ = noise(200, seed=9)
    wanted, found = np.asarray(model(x)), np.asarray(trained.model(x))
    assert np.mean((wanted - found) ** 2) < 1e-3 * np.var(wanted)


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    one, other = (train(net(), data(tmp_path, n=64), 1, seed=3).plain for _ in range(2))
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        pytest.param({"qat": 2}, "--data DATA", id="no data"),
        pytest.param({"qat": -1, "data": "x.npz"}, "--qat EPOCHS", id="less than none"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(wishes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Recipe(model="a.keras", **wishes)


def test_only_int8_is_trained_for(tmp_path: Path) -> None:
    recipe = Recipe(model="a.keras", qat=1, data="x.npz", scheme="float16")
    with pytest.raises(UsageError, match="trains for int8; asked for float16"):
        quantize(recipe, tmp_path / "one.tflite")


@pytest.mark.slow
def test_one_command_trains_and_verifies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    net(last=None).save(tmp_path / "net.keras")
    data(tmp_path, labelled=False, n=96)
    recipe = Recipe(
        model=str(tmp_path / "net.keras"), qat=1, data=str(tmp_path / "data.npz"), io="int8"
    )
    found = quantize(recipe, tmp_path / "one.tflite")
    assert found.fully_integer
    assert found.agreement is not None
    assert found.agreement >= 0.9
    assert load(tmp_path / "one.tflite").inputs[0].dtype == "int8"
    assert "learned from its own float outputs" in caplog.text


@pytest.mark.slow
def test_what_was_trained_is_compared_with_the_default_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    net().save(tmp_path / "net.keras")
    data(tmp_path, n=640)
    recipe = Recipe(model=str(tmp_path / "net.keras"), qat=4, data=str(tmp_path / "data.npz"))
    quantize(recipe, tmp_path / "one.tflite")
    said = r"On 64 samples held out from training, .* the (first|second) was kept"
    assert re.search(said, caplog.text)


@pytest.mark.slow
def test_what_has_no_integer_op_is_calibrated_instead_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    net(middle=layers.ELU(name="smooth")).save(tmp_path / "net.keras")
    data(tmp_path, n=96)
    recipe = Recipe(model=str(tmp_path / "net.keras"), qat=1, data=str(tmp_path / "data.npz"))
    quantize(recipe, tmp_path / "one.tflite")
    assert "smooth" in caplog.text
    assert "all ranges calibrated instead" in caplog.text


@pytest.mark.slow
def test_a_recurrent_model_ends_with_its_layer_named(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((6, 4)), layers.LSTM(3, name="memory", unroll=True), layers.Dense(2)]
    )
    model.save(tmp_path / "net.keras")
    np.savez(tmp_path / "data.npz", x=np.zeros((60, 6, 4), np.float32), y=np.zeros(60, int))
    recipe = Recipe(model=str(tmp_path / "net.keras"), qat=1, data=str(tmp_path / "data.npz"))
    with pytest.raises(SourceError, match="memory") as caught:
        quantize(recipe, tmp_path / "one.tflite")
    assert caught.value.exit_code == 3
