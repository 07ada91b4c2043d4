"""Run a source on numbers, whatever library carries it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.sources import graph
from edgekit_converters.sources.libraries import tensorflow


def predict(model: Any, feed: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Run a Keras 3 or tf_keras model.

    Args:
        model: The model.
        feed: One array for each input, with the batch, in the order of the model.

    Returns:
        One array for each output, in the order of the model.
    """
    tf = tensorflow()
    tensors = [tf.convert_to_tensor(each) for each in feed]
    result = model(structured(model, tensors), training=False)
    return [np.asarray(each) for each in graph.flat(result)]


def structured(model: Any, values: list[Any]) -> Any:
    """Give flat values the form that a Keras model takes: itself, a list or a table."""
    form = getattr(model, "input", None)
    if isinstance(form, dict):
        return dict(zip(sorted(form), values, strict=True))
    return values if isinstance(form, list | tuple) else graph.single(values)
