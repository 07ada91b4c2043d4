"""Transformers: masks that leave logits their range, and integer ops for normalization."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import TargetError, UsageError
from edgekit.flatbuffer.graph import Graph
from edgekit.targets import load_target
from edgekit_converters.export.checks import problems
from edgekit_converters.export.plan import plans
from edgekit_converters.pipeline import quantize
from edgekit_converters.quantize.attention import MARGIN, with_bounded_masks
from edgekit_converters.quantize.integer_only import TOLERANCE, WIDEST, with_integer_ops
from edgekit_converters.quantize.recurrent import difference_of
from edgekit_converters.recipe import Recipe
from edgekit_converters.sources import Source, describe, fix_batch

pytestmark = pytest.mark.tf

STEPS, WIDTH = 6, 8


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    import keras

    yield
    keras.backend.clear_session()


def model_of(*, causal: bool, width: int = WIDTH, axis: int = -1) -> Any:
    import keras

    keras.utils.set_random_seed(4)
    layers = keras.layers
    given = keras.Input((STEPS, width), name="signal")
    x = layers.LayerNormalization(axis=axis, name="norm")(given)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x, use_causal_mask=causal)
    x = -layers.Add()([x, given])
    return keras.Model(given, layers.Dense(3, name="scores")(x))


def source_of(model: Any) -> Source:
    return fix_batch(
        Source(
            kind="keras",
            model=model,
            path=Path("small.keras"),
            loaded_by="keras",
            inputs=describe.input_specs(model),
            outputs=describe.output_names(model),
        )
    )


def samples(count: int = 8) -> list[dict[str, Any]]:
    rng = np.random.default_rng(2)
    return [
        {"signal": rng.standard_normal((1, STEPS, WIDTH)).astype("f4")} for _ in range(count)
    ]


def test_a_causal_mask_is_bounded_by_what_calibration_shows() -> None:
    source = source_of(model_of(causal=True))
    suited = with_bounded_masks(source, samples())
    layer = suited.model.get_layer("attention")
    assert layer is not source.model.get_layer("attention")
    assert -30 < layer.hidden_logit == layer.lowest - MARGIN
    assert difference_of(source, suited.model) < 1e-3


def test_attention_without_a_mask_is_left_alone() -> None:
    source = source_of(model_of(causal=False))
    assert with_bounded_masks(source, samples()) is source


@pytest.mark.parametrize("width", [WIDTH, WIDEST + 1], ids=["narrow", "wide"])
def test_normalization_and_negation_get_integer_ops_and_stay_equal(width: int) -> None:
    source = source_of(model_of(causal=False, width=width))
    suited = with_integer_ops(source)
    assert difference_of(source, suited.model) <= TOLERANCE
    kinds = {type(layer).__name__ for layer in suited.model.layers}
    assert "IntegerLayerNormalization" in kinds
    assert not kinds & {"LayerNormalization", "Negative"}
    assert "norm" in suited.notes[-1]


def test_normalization_over_another_axis_is_left_alone() -> None:
    suited = with_integer_ops(source_of(model_of(causal=False, axis=1)))
    assert type(suited.model.get_layer("norm")).__name__ == "LayerNormalization"


def save(folder: Path, model: Any) -> dict[str, Any]:
    model.save(folder / "small.keras")
    np.save(folder / "x.npy", np.concatenate([each["signal"] for each in samples(30)]))
    return {
        "model": str(folder / "small.keras"),
        "calibrate": str(folder / "x.npy"),
        "scheme": "int8",
    }


def test_islands_are_named_by_layer_and_integer_only_removes_them(tmp_path: Path) -> None:
    wishes = save(tmp_path, model_of(causal=True))
    usual = quantize(Recipe(**wishes), tmp_path / "usual.tflite")
    assert not usual.fully_integer
    (said,) = problems(Graph(tmp_path / "usual.tflite"), "int8", load_target("host"))
    assert "NEG of 'norm" in said
    assert "--integer-only" in said
    integer = quantize(Recipe(**wishes, integer_only=True), tmp_path / "integer.tflite")
    assert integer.fully_integer
    assert min(integer.sqnr_db.values()) > 25


def test_what_stays_in_float_is_refused_and_named(tmp_path: Path) -> None:
    wishes = save(tmp_path, model_of(causal=False, axis=1))
    with pytest.raises(TargetError, match=r"host: --integer-only, but .* NEG of 'norm"):
        quantize(Recipe(**wishes, integer_only=True), tmp_path / "integer.tflite")


def test_integer_only_is_for_int8() -> None:
    with pytest.raises(UsageError, match="asked for dynamic"):
        plans(Recipe(model="m.keras", scheme="dynamic", integer_only=True))
