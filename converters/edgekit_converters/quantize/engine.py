"""The main engine: a Keras model through TensorFlow's TFLiteConverter.

Runs in the guarded child, which alone imports TensorFlow. Inputs and outputs stay
float32; `edgekit.flatbuffer.io_types` gives each target its own type afterwards, so one
calibration serves all targets.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.guarded import if_it_dies
from edgekit_converters.quantize import lstm_scales
from edgekit_converters.sources.libraries import failures

Samples = Callable[[], Iterable[dict[str, NDArray[Any]]]]

_log = logging.getLogger(__name__)

_ROLLED = (
    "The model has recurrent layers that are not unrolled ({names}); TensorFlow's int8 "
    "calibration is known to die on those.\n"
    "Build them with unroll=True, or use --scheme dynamic or float16."
)


def convert_keras(
    model: Any, scheme: str, samples: Samples | None, *, per_tensor: bool = False
) -> bytes:
    """Convert a Keras 3 or tf_keras model with batch 1.

    Args:
        model: The model; inputs have no open dimension.
        scheme: `int8`, `int16x8`, `dynamic`, `float16` or `float32`.
        samples: Makes an iterator over calibration samples, each one array per input by
            name, with the batch dimension 1; None where nothing is calibrated. By name,
            because the converter reorders inputs.
        per_tensor: One scale a weight tensor instead of one a channel.

    Returns:
        A .tflite model with float32 inputs and outputs.

    Raises:
        SourceError: TensorFlow cannot convert this model.
    """
    strict = _converter(model, scheme, samples, per_tensor=per_tensor)
    with if_it_dies(_fate(model, scheme)):
        try:
            return _run(strict)
        except failures() as error:
            if scheme not in {"int8", "int16x8"}:
                raise _refusal(error) from error
            _log.info("Not everything converts to integers: %s", _first_line(error))
            lenient = _converter(model, scheme, samples, per_tensor=per_tensor)
            lenient.target_spec.supported_ops = [
                *lenient.target_spec.supported_ops,
                _builtins(),
            ]
            try:
                return _run(lenient)
            except failures() as again:
                raise _refusal(again) from again


def _converter(model: Any, scheme: str, samples: Samples | None, *, per_tensor: bool) -> Any:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if scheme == "float32":
        return converter
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter._experimental_disable_per_channel = per_tensor  # noqa: SLF001 (the only switch)
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme == "dynamic":
        # Per-channel Dense weights are refused by tflite-runtime 2.14 in this scheme.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001
    if samples is not None:
        converter.representative_dataset = samples
        ops = tf.lite.OpsSet
        converter.target_spec.supported_ops = [
            ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            if scheme == "int16x8"
            else ops.TFLITE_BUILTINS_INT8
        ]
    return converter


def _run(converter: Any) -> bytes:
    content: bytes = converter.convert()
    return lstm_scales.align(content)


def _builtins() -> Any:
    import tensorflow as tf

    return tf.lite.OpsSet.TFLITE_BUILTINS


def _refusal(error: Exception) -> SourceError:
    msg = (
        f"TensorFlow cannot convert this model: {_first_line(error)}\n"
        "Run again with --debug for everything that it said."
    )
    return SourceError(msg)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def _fate(model: Any, scheme: str) -> str:
    """What is known about models like this one that kill the converter."""
    names = ", ".join(_rolled_layers(model))
    if names and scheme in {"int8", "int16x8"}:
        return _ROLLED.format(names=names)
    return "TensorFlow's converter died on this model; another --scheme may work."


def _rolled_layers(model: Any) -> Iterator[str]:
    """Names of recurrent layers that run as a loop."""
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)  # Bidirectional and other wrappers
        if hasattr(inner, "unroll") and not inner.unroll:
            yield f"{layer.name} ({type(inner).__name__})"
        if hasattr(layer, "layers"):
            yield from _rolled_layers(layer)
