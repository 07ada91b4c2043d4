"""What training has not seen decides whether its result is kept."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edgekit.data import Dataset, Sample, open_dataset
from edgekit_converters.quantize.engine import convert_keras
from edgekit_converters.quantize.qat import choose, hold_out

pytestmark = pytest.mark.tf


def data(folder: Path, n: int) -> Dataset:
    np.savez(folder / "data.npz", x=np.zeros((n, 3), np.float32), y=np.arange(n) % 2)
    return open_dataset(
        folder / "data.npz", shapes={"x": (3,)}, preprocessing=None, labelled=True
    )


def chooser(*classes: float) -> bytes:
    """A model whose scores are its inputs, but the last, times a factor each."""
    inputs = keras.Input(batch_shape=(1, len(classes) + 1), name="x")
    dense = keras.layers.Dense(len(classes), use_bias=False)
    model = keras.Model(inputs, dense(inputs))
    dense.kernel.assign(np.eye(len(classes) + 1, len(classes)) * classes)
    return convert_keras(model, "float32", None)


def held(n: int, *, labelled: bool) -> tuple[Sample, ...]:
    rng = np.random.default_rng(0)
    inputs = rng.uniform(0.1, 1, (n, 4)).astype(np.float32)
    return tuple(
        Sample(str(i), {"x": each}, int(each[:3].argmax()) if labelled else None)
        for i, each in enumerate(inputs)
    )


@pytest.mark.parametrize(("n", "judging"), [(1, 0), (2, 1), (64, 6), (20_000, 1000)], ids=str)
def test_a_tenth_judges_and_is_not_trained_on(tmp_path: Path, n: int, judging: int) -> None:
    rest, samples = hold_out(data(tmp_path, n), seed=0)
    assert len(samples) == judging
    names = [rest.name_of(i) for i in range(len(rest))]
    assert len({*names, *(each.name for each in samples)}) == n
    assert len(names) == n - judging


@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "no labels"])
@pytest.mark.parametrize(
    ("trained", "default", "kept"),
    [
        pytest.param((1, 1, 1), (1, 0, 1), True, id="better"),
        pytest.param((1, 0, 1), (1, 0, 1), False, id="as good"),
        pytest.param((1, 0, 1), (1, 1, 1), False, id="worse"),
    ],
)
def test_the_trained_model_is_kept_where_it_is_better(
    tmp_path: Path, trained: Any, default: Any, kept: bool, labelled: bool
) -> None:
    found = choose(
        chooser(1, 1, 1),
        chooser(*trained),
        chooser(*default),
        held(60, labelled=labelled),
        tmp_path,
    )
    assert found.trained is kept
    assert "On 60 samples held out from training" in found.text
    assert f"the {'first' if kept else 'second'} was kept" in found.text
    assert ("right" in found.text) is labelled


def test_outputs_that_are_no_classes_are_judged_by_their_noise(tmp_path: Path) -> None:
    inputs = keras.Input(batch_shape=(1, 4), name="x")
    dense = keras.layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, dense(inputs))
    files = []
    for factor in (1.0, 1.1, 1.01):
        dense.kernel.assign(np.full((4, 1), factor, np.float32))
        files.append(convert_keras(model, "float32", None))
    original, trained, default = files
    found = choose(original, trained, default, held(20, labelled=True), tmp_path)
    assert not found.trained
    assert "is 20.0 dB above the noise" in found.text
    assert "40.0 dB" in found.text
