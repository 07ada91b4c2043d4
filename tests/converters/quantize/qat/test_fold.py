"""The law of folding: fewer layers, the same function."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from edgekit.errors import SourceError
from edgekit_converters.quantize.qat import fold

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore::UserWarning:keras.*")]

Build = Callable[[str], Any]


def norms(model: Any) -> list[str]:
    kind = keras.layers.BatchNormalization
    return [each.name for each in model._flatten_layers() if isinstance(each, kind)]


def test_a_folded_model_computes_what_the_original_does(family: str, build: Build) -> None:
    model = build(family)
    x = np.random.default_rng(1).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    before, after = (np.asarray(each(x, training=False)) for each in (model, fold(model).model))
    np.testing.assert_allclose(after, before, atol=1e-4 * max(1, np.abs(before).max()))


def test_every_norm_is_either_gone_or_named_with_its_reason(family: str, build: Build) -> None:
    model = build(family)
    folded = fold(model)
    assert len(folded.norms) + len(folded.left) == len(norms(model))
    assert sorted(norms(folded.model)) == sorted(each.layer for each in folded.left)
    if family != "left_alone":
        assert folded.left == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("first", "no convolution"),
        ("of_twin", "more than once"),
        ("of_twice", "used elsewhere"),
        ("after_activation", "activation of its own"),
        ("of_rows", "normalizes axis 1"),
    ],
)
def test_what_cannot_be_folded_stays(name: str, words: str, build: Build) -> None:
    reasons = {each.layer: each.reason for each in fold(build("left_alone")).left}
    assert words in reasons[name]


def test_the_original_is_left_as_it_is(build: Build) -> None:
    model = build("residual")
    before = [np.copy(np.asarray(each)) for each in model.weights]
    fold(model)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_names_of_inputs_and_layers_stay(build: Build) -> None:
    model = build("plain")
    folded = fold(model)
    kept = [each.name for each in model.layers if each.name not in folded.norms]
    assert [each.name for each in folded.model.layers] == kept
    assert folded.model.inputs[0].name == "picture"


def test_a_model_with_code_of_its_own_is_refused() -> None:
    class Own(keras.Model):  # type: ignore[misc] # keras has no types
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(SourceError, match="code of its own"):
        fold(Own())
