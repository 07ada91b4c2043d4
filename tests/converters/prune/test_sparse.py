"""Single weights of real Keras models: schedule, masks and clusters that last."""

import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from edgekit.data import Dataset, open_dataset
from edgekit.errors import SourceError
from edgekit_converters.prune import prune
from edgekit_converters.prune.kernels import find
from edgekit_converters.prune.schedule import PolynomialDecay

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore::UserWarning:keras.*")]

SHAPE = (6, 6, 4)


def net() -> Any:
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input(SHAPE, name="x"),
            layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.SeparableConv2D(12, 3, name="separable"),
            layers.Conv2DTranspose(8, 2, name="back"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax", name="last"),
        ]
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    rng = np.random.default_rng(0)
    y = np.arange(96) % 2
    x = rng.normal(size=(96, *SHAPE)).astype(np.float32)
    x[np.arange(96), :, :, y] += 1.5
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, x=x, y=y)
    return open_dataset(path, shapes={"x": SHAPE}, preprocessing=None, labelled=True)


def numbers(model: Any) -> dict[str, Any]:
    return {kernel.name: np.asarray(kernel.variable) for kernel in find(model)[0]}


@given(st.floats(0.01, 0.99), st.integers(1, 5000))
def test_a_share_grows_from_nothing_to_what_was_asked(share: float, end: int) -> None:
    decay = PolynomialDecay(share, end)
    steps = np.unique(np.linspace(0, end, 50).astype(int)).tolist()
    found = [decay(step) for step in steps]
    assert found[0] == 0
    assert found[-1] == decay(end + 1) == share
    assert all(one <= other for one, other in itertools.pairwise(found))


@pytest.mark.parametrize("amount", ["magnitude:0.8", "2:4", "block:0.5"])
@pytest.mark.parametrize("epochs", [0, 3])
def test_zeros_are_there_in_the_end_and_what_is_left_has_learned(
    data: Dataset, amount: str, epochs: int
) -> None:
    model = net()
    original = [np.asarray(weight) for weight in model.weights]
    pruned = prune(model, amount, data=data if epochs else None, epochs=epochs, ranking="layer")
    share = 0.8 if amount == "magnitude:0.8" else 0.5
    assert [kernel.name for kernel in pruned.kernels] == [
        "conv", "separable.pointwise_kernel", "back", "last",
    ]  # fmt: skip
    for kernel in pruned.kernels:
        assert kernel.zeros == round(share * kernel.weights)
    if not epochs:
        for name, value in numbers(pruned.model).items():
            before = numbers(model)[name]
            np.testing.assert_array_equal(value[value != 0], before[value != 0])
    for weight, value in zip(model.weights, original, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), value)
    lost = pruned.before.nonzero - pruned.after.nonzero
    if not epochs:
        assert lost == sum(kernel.zeros for kernel in pruned.kernels)


@pytest.mark.parametrize("given", [False, True], ids=["alone", "with data"])
@pytest.mark.parametrize("amount", ["magnitude:0.8", "block:0.5"])
def test_by_default_the_share_is_that_of_all_kernels(
    data: Dataset, amount: str, given: bool
) -> None:
    pruned = prune(net(), amount, data=data if given else None)
    weights = sum(kernel.weights for kernel in pruned.kernels)
    zeros = sum(kernel.zeros for kernel in pruned.kernels)
    assert abs(zeros - float(amount.partition(":")[2]) * weights) <= 4
    assert len({kernel.zeros / kernel.weights for kernel in pruned.kernels}) > 1


def test_no_layer_is_wrapped(data: Dataset, tmp_path: Path) -> None:
    model = net()
    pruned = prune(model, "magnitude:0.5", data=data, epochs=1).model
    assert [type(each) for each in pruned.layers] == [type(each) for each in model.layers]
    pruned.save(tmp_path / "pruned.keras")
    again = keras.models.load_model(tmp_path / "pruned.keras", compile=False)
    for old, new in zip(pruned.weights, again.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(old), np.asarray(new))


def test_biases_scales_and_depthwise_kernels_stay() -> None:
    model = net()
    pruned = prune(model, "magnitude:0.9")
    kept = {"depthwise_kernel", "gamma", "beta", "bias", "moving_variance"}
    for old, new in zip(model.weights, pruned.model.weights, strict=True):
        if old.name in kept:
            np.testing.assert_array_equal(np.asarray(old), np.asarray(new))
    (left,) = pruned.frozen
    assert left.layers == ("separable.depthwise_kernel",)
    assert "--depthwise" in left.reason
    asked = prune(model, "magnitude:0.9", depthwise=True)
    assert not asked.frozen
    assert asked.after.nonzero < pruned.after.nonzero


def test_learning_changes_what_was_not_masked(data: Dataset) -> None:
    once = prune(net(), "magnitude:0.5").model
    taught = prune(net(), "magnitude:0.5", data=data, epochs=2).model
    for name, value in numbers(once).items():
        assert np.abs(value - numbers(taught)[name]).max() > 1e-4


@pytest.mark.parametrize("epochs", [0, 2])
def test_clusters_keep_their_number_and_the_zeros_of_a_pruning(
    data: Dataset, epochs: int
) -> None:
    sparse = prune(net(), "magnitude:0.7").model
    found = prune(sparse, "clusters:8", data=data if epochs else None, epochs=epochs)
    assert all(kernel.values <= 8 for kernel in found.kernels)
    for name, value in numbers(found.model).items():
        before = numbers(sparse)[name]
        assert (value[before == 0] == 0).all()
        assert 2 < len(np.unique(value)) <= 8
    taught = prune(sparse, "clusters:8").model
    moved = max(
        np.abs(numbers(taught)[name] - v).max() for name, v in numbers(found.model).items()
    )
    assert (moved > 1e-4) == (epochs > 0)


def test_kernels_without_groups_of_four_are_named() -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 3)),
            layers.Conv1D(8, 3, name="first"),
            layers.LSTM(4, name="lstm"),
            layers.Dense(2, name="last"),
        ]
    )
    pruned = prune(model, "2:4")
    assert {each.layers[0]: each.reason for each in pruned.frozen} == {
        "first": "its 3 inputs are no multiple of 4"
    }
    assert [kernel.name for kernel in pruned.kernels] == [
        "lstm_cell.kernel", "lstm_cell.recurrent_kernel", "last",
    ]  # fmt: skip


@pytest.mark.parametrize("amount", ["magnitude:0.5", "2:4", "clusters:8"])
def test_a_model_without_kernels_is_refused(amount: str) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.DepthwiseConv2D(3)])
    with pytest.raises(SourceError, match="has no kernel that"):
        prune(model, amount)
