"""The streaming network as it runs on a device: only what is new, the rest carried along.

Every part keeps the last rows that it will see again as a state, which goes in and comes out
of the model. Rows that came before the stream are zeros.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgekit_converters.train.keywords.networks import (
    OUTPUT,
    STREAMING_KERNELS,
    STREAMING_POOL,
    STREAMING_STEM,
    streaming_layers,
)

layers = keras.layers
_BEGINNING = 64


@dataclass(frozen=True, slots=True)
class StepModel:
    """A model that takes a few rows and its states.

    Attributes:
        model: Inputs: the rows, then the states; outputs: the probabilities, then the states.
        states: Name of the output that holds the next state, by the input that takes it.
    """

    model: Any
    states: dict[str, str]


def step_model(window: Any, every: int) -> StepModel:
    """Make the model of a step from a trained one that sees a whole window.

    Args:
        window: The trained model, see `networks.streaming`.
        every: Rows that a step takes, at most `STREAMING_POOL`.
    """
    features = int(window.input_shape[2])
    width = int(window.get_layer("stem_conv").filters)
    rows = keras.Input((every, features), name="features")
    x = layers.Reshape((every, 1, features), name="rows")(rows)
    lengths = [STREAMING_STEM - 1, *(kernel - 1 for kernel in STREAMING_KERNELS)]
    inputs, outputs = [rows], []
    for (name, part), length in zip(streaming_layers(width), lengths, strict=True):
        seen, state, left = _remembered(x, name, length)
        inputs.append(state)
        outputs.append(left)
        y = seen
        for layer in part:
            y = layer(y)
        if name != "stem":
            y = layers.Add(name=f"{name}_sum")([y, x])
        x = layers.ReLU(name=name)(y)
    seen, state, left = _remembered(x, "pool", STREAMING_POOL - every)
    inputs.append(state)
    outputs.append(left)
    x = layers.GlobalAveragePooling2D(name="average")(seen)
    classes = int(window.output_shape[-1])
    x = layers.Dense(classes, activation="softmax", name=OUTPUT)(x)
    model = keras.Model(inputs, [x, *outputs], name="keywords_step")
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(window.get_layer(layer.name).get_weights())
    states = {state.name: f"{state.name}_next" for state in inputs[1:]}
    return StepModel(model, states)


def _remembered(x: Any, name: str, length: int) -> tuple[Any, Any, Any]:
    """Put the state before what is new.

    Returns:
        Both together, the state as it comes in, and as it goes out: the last `length` rows.
    """
    state = keras.Input((length, *x.shape[2:]), name=f"{name}_state")
    seen = layers.Concatenate(axis=1, name=f"{name}_seen")([state, x])
    left = layers.Cropping2D(((int(x.shape[1]), 0), (0, 0)), name=f"{name}_state_next")(seen)
    return seen, state, left


def typical_steps(
    step: StepModel, rows: NDArray[np.float32], every: int, count: int
) -> dict[str, NDArray[np.float32]]:
    """Return inputs that a step model gets in a stream, to calibrate it on.

    Args:
        step: The model.
        rows: Features of a sound, shape (m, features).
        every: Rows that a step takes.
        count: How many steps to keep, evenly over the sound.
    """
    names = [each.name for each in step.model.inputs]
    state = {
        each.name: np.zeros((1, *each.shape[1:]), np.float32) for each in step.model.inputs[1:]
    }
    total = len(rows) // every
    begun = min(_BEGINNING, total - 1)  # until then the states hold zeros
    wanted = set(np.linspace(begun, total - 1, min(count, total)).astype(int).tolist())
    kept: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for number in range(total):
        given = [rows[np.newaxis, number * every : (number + 1) * every], *state.values()]
        if number in wanted:
            for name, value in zip(names, given, strict=True):
                kept[name].append(value[0])
        answer = step.model.predict_on_batch(given)
        state = dict(zip(state, answer[1:], strict=True))
    return {name: np.stack(values) for name, values in kept.items()}
