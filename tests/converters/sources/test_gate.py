"""Architectures that would run code are refused before anything is built from them."""

from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit_converters.sources.gate import refuse_code, refuse_saved_code, unknown_names

MODEL = Path("model.h5")


def nested(layer: dict[str, Any]) -> dict[str, Any]:
    inner = {"class_name": "Functional", "config": {"layers": [layer]}}
    wrapper = {"class_name": "TimeDistributed", "config": {"layer": inner}}
    return {"class_name": "Sequential", "config": {"layers": [wrapper]}}


BYTECODE = {
    "class_name": "Lambda",
    "config": {"function": ["4wEAAAA=", None, None], "function_type": "lambda"},
}
BYTECODE_3 = {
    "class_name": "Lambda",
    "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}},
}
ACTIVATION = {
    "class_name": "Dense",
    "config": {"activation": {"class_name": "__lambda__", "config": {}}},
}
SHAPE = {
    "class_name": "Lambda",
    "config": {"function": "mine", "output_shape": ["4wE"], "output_shape_type": "lambda"},
}


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(BYTECODE, id="Keras 2"),
        pytest.param(BYTECODE_3, id="Keras 3"),
        pytest.param(ACTIVATION, id="activation"),
        pytest.param(SHAPE, id="output shape"),
    ],
)
def test_bytecode_is_refused_however_deep_and_accepted_with_trust(
    layer: dict[str, Any],
) -> None:
    with pytest.raises(SourceError, match=r"bytecode(.|\n)*--trust"):
        refuse_code(MODEL, nested(layer), ["mine"], trust=False)
    refuse_code(MODEL, nested(layer), [], trust=True)


def test_a_lambda_of_a_named_function_needs_that_function() -> None:
    layer = {
        "class_name": "Lambda",
        "config": {"function": "mine", "function_type": "function"},
    }
    with pytest.raises(SourceError, match="'mine'"):
        refuse_code(MODEL, nested(layer), [], trust=False)
    refuse_code(MODEL, nested(layer), ["mine"], trust=False)


@pytest.mark.parametrize("module", ["os", "subprocess", "kerasx.evil"])
def test_a_foreign_module_is_not_imported(module: str) -> None:
    layer = {"module": module, "class_name": "system", "config": {}}
    with pytest.raises(SourceError, match=r"'system'(.|\n)*--import-module"):
        refuse_code(MODEL, nested(layer), [], trust=True)


def test_keras_own_modules_are_fine() -> None:
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}}
    refuse_code(MODEL, nested(layer), [], trust=False)


def test_a_saved_model_with_bytecode_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keras_metadata.pb").write_bytes(b'\x00{"function_type": "lambda"}')
    with pytest.raises(SourceError, match="bytecode"):
        refuse_saved_code(tmp_path, trust=False)
    refuse_saved_code(tmp_path, trust=True)


def test_what_only_training_needs_is_not_refused() -> None:
    optimizer = {"module": "tensorflow_addons.optimizers", "class_name": "AdamW", "config": {}}
    refuse_code(MODEL, {"compile_config": {"optimizer": optimizer}}, [], trust=False)


def test_unknown_names_are_said_once_and_sorted() -> None:
    layers: list[dict[str, Any]] = [
        {"class_name": name} for name in ("Zoom", "Dense", "Blur", "Zoom")
    ]
    layers += [
        {"class_name": "Dense", "config": {"activation": "relu"}},
        {"class_name": "Dense", "config": {"activation": "wave"}},
        {
            "class_name": "Dense",
            "config": {"activation": {"class_name": "function", "config": "bend"}},
        },
    ]
    config = {"class_name": "Functional", "config": {"layers": layers}}
    assert unknown_names(config, ["Dense", "relu"]) == ["Blur", "Zoom", "bend", "wave"]


def test_a_deep_architecture_is_walked_without_recursion() -> None:
    config: dict[str, Any] = {"class_name": "Dense"}
    for _ in range(100_000):
        config = {"config": config}
    refuse_code(MODEL, config, [], trust=False)
    while config:
        config = config.pop("config", {})
