"""Other views of pictures: same size, same range, another each time; learning from them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from edgekit.data import Dataset, open_dataset
from edgekit.errors import DataError
from edgekit_converters.prune import finetune, prune
from edgekit_converters.prune.augment import Views, views
from edgekit_converters.prune.training import lesson

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore::UserWarning:keras.*")]

SHAPE = (8, 8, 3)


def net() -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input(SHAPE, name="x"),
            layers.Conv2D(24, 3, padding="same", activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )


def dataset(folder: Path, n: int = 96) -> Dataset:
    """Pictures that are reddish or bluish: the colour is the class."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    x = rng.uniform(0, 0.5, (n, *SHAPE)).astype(np.float32)
    x[np.arange(n), :, :, 2 * y] += 0.5
    np.savez(folder / "data.npz", x=x, y=y)
    return open_dataset(
        folder / "data.npz", shapes={"x": SHAPE}, preprocessing=None, labelled=True
    )


@settings(max_examples=20, deadline=None)
@given(
    bounds=st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)]),
    count=st.integers(1, 5),
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 99),
)
def test_a_view_is_a_picture_of_the_same_kind(
    bounds: tuple[float, float], count: int, sides: tuple[int, int], seed: int
) -> None:
    pictures = np.random.default_rng(seed).uniform(*bounds, (count, *sides, 3))
    shown = Views(*bounds, seed)(pictures.astype(np.float32))
    assert shown.shape == pictures.shape
    assert shown.dtype == np.float32
    assert shown.min() >= bounds[0]
    assert shown.max() <= bounds[1]


def test_every_view_differs_and_the_same_seed_gives_the_same_ones() -> None:
    pictures = np.random.default_rng(0).uniform(0, 1, (4, *SHAPE)).astype(np.float32)
    one, other = Views(0, 1, seed=3), Views(0, 1, seed=3)
    first = one(pictures)
    np.testing.assert_array_equal(first, other(pictures))
    assert np.abs(first - one(pictures)).max() > 0.01


def test_about_half_of_the_views_are_mirrored() -> None:
    """What lies left in the picture lies right in them."""
    pictures = np.zeros((200, 16, 16, 1), np.float32)
    pictures[:, :, :8] = 1
    shown = Views(0, 1, seed=0)(pictures)
    mirrored = shown[:, :, 8:].mean((1, 2, 3)) > shown[:, :, :8].mean((1, 2, 3))
    assert 0.35 < mirrored.mean() < 0.65


@pytest.mark.parametrize("shape", [(40,), (8, 8)], ids=["a vector", "a spectrogram"])
def test_what_is_no_picture_has_no_other_view(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"made of pictures.*\n.*--augment"):
        views([np.zeros((5, *shape), np.float32)], seed=0)


def test_the_teacher_sees_what_is_shown(tmp_path: Path) -> None:
    data, teacher = dataset(tmp_path, n=32), net()
    with lesson(teacher, data, teacher=teacher, augment=True) as taught:
        inputs, targets = taught.batches[0]
        again, _ = taught.batches[0]
    hard = 2 * targets - np.asarray(teacher(inputs))
    np.testing.assert_allclose(np.sort(hard, -1), [[0, 1]] * len(hard), atol=1e-5)
    assert np.abs(inputs - again).max() > 0.01


def test_a_pruned_classifier_learns_from_views(tmp_path: Path) -> None:
    data = dataset(tmp_path)
    original = net()
    finetune(original, data, 20, learning_rate=0.01, augment=True)
    pruned = prune(original, "0.5", data=data, epochs=10, distill=True, augment=True).model
    x = np.stack([sample.inputs["x"] for sample in data])
    right = np.asarray(pruned(x)).argmax(-1) == [sample.label for sample in data]
    assert right.mean() > 0.9
