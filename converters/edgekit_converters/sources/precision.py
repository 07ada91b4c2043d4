"""Models trained in mixed precision, computed in float32 from here on."""

from collections.abc import Iterator
from typing import Any

from edgekit_converters.sources import graph, shapes

MIXED = ("mixed_float16", "mixed_bfloat16")


def in_float32(model: Any, library: Any) -> Any:
    """Return a model without layers of mixed precision.

    Their weights are float32; only the arithmetic is float16, which TFLite has no kernels
    for. The graph is built afresh, because its tensors remember their types.
    """
    mixed = [layer for layer in _all_layers(model) if _policy(layer) in MIXED]
    for layer in mixed:
        if hasattr(layer, "_set_dtype_policy"):
            layer._set_dtype_policy("float32")  # noqa: SLF001 (tf_keras has no public way)
        else:
            layer.dtype_policy = "float32"
    if not mixed or not graph.is_graph(model):
        return model
    inputs = [
        library.Input(batch_shape=tuple(each.shape), dtype=each.dtype, name=each.name)
        for each in model.inputs
    ]
    return shapes.again(model, library, inputs)


def _all_layers(model: Any) -> Iterator[Any]:
    """Yield every layer, those of inner models and wrappers included."""
    for layer in getattr(model, "layers", None) or ():
        yield layer
        yield from _all_layers(layer)
        if hasattr(layer, "layer"):
            yield layer.layer


def _policy(layer: Any) -> str:
    return str(getattr(getattr(layer, "dtype_policy", None), "name", ""))
