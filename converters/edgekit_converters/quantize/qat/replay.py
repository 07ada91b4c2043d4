"""Build a graph model once more, call by call, with other layers where wanted."""

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras.src.saving.serialization_lib import SafeModeScope

from edgekit_converters.prune.graph import Call, Graph, pack

# What to do with one call: (call, arguments, keyword arguments) -> tensor or tensors.
Emit = Callable[[Call, tuple[Any, ...], dict[str, Any]], Any]


class Replay:
    """The inputs of a new model and, call by call, its tensors.

    Nested models are dissolved. Names of layers, inputs and the form in which the model
    takes its inputs and gives its outputs stay.

    Args:
        graph: The original.

    Attributes:
        inputs: Symbolic inputs of the new model, flat.
        outputs: Symbolic outputs, flat; empty before `run`.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._values: dict[int, Any] = {}
        for call in graph.calls:
            if isinstance(call.layer, keras.layers.InputLayer):
                self._values[call.outputs[0]] = keras.Input(
                    batch_shape=call.layer.batch_shape,
                    dtype=call.layer.dtype,
                    name=call.layer.name,
                )
        self.inputs = [self._values[key] for key in graph.inputs]
        self.outputs: list[Any] = []

    def run(self, emit: Emit) -> None:
        """Call everything again, producers first.

        Args:
            emit: Gives the tensors of one call.
        """
        for call in self._graph.calls:
            if not isinstance(call.layer, keras.layers.InputLayer):
                args, kwargs = self._graph.arguments(call, self._values)
                given = keras.tree.flatten(emit(call, args, kwargs))
                self._values |= dict(zip(call.outputs, given, strict=True))
        self.outputs = [self._values[key] for key in self._graph.outputs]

    def model(self, outputs: Sequence[Any] | None = None) -> Any:
        """Make a model.

        Args:
            outputs: Its outputs, flat; None takes those of `run`.
        """
        original = self._graph.model
        function = original._functional if hasattr(original, "_functional") else original  # noqa: SLF001 (a Sequential keeps its graph there)
        given = keras.tree.pack_sequence_as(
            function._outputs_struct,  # noqa: SLF001 (no public name)
            list(self.outputs if outputs is None else outputs),
        )
        return keras.Model(pack(original, self.inputs), given, name=original.name)


class Twins:
    """Copies of layers: one for each original, however often it is called."""

    def __init__(self) -> None:
        self._twins: dict[int, Any] = {}
        self._originals: list[tuple[Any, Any]] = []

    def of(self, call: Call, **changes: Any) -> Any:
        """Return the copy of a layer.

        Args:
            call: The call of the original.
            **changes: Fields of its configuration to set.
        """
        if id(call.layer) not in self._twins:
            made = _copy(call, changes)
            self._twins[id(call.layer)] = made
            if isinstance(call.layer, keras.layers.Layer):
                self._originals.append((call.layer, made))
        return self._twins[id(call.layer)]

    def pairs(self) -> Iterator[tuple[Any, Any]]:
        """Variables of originals and of their copies, which must have been built."""
        for original, twin in self._originals:
            if len(original.variables) == len(twin.variables):
                yield from zip(original.variables, twin.variables, strict=True)

    def copy_weights(self) -> None:
        """Give the copies the values of the originals."""
        for original, twin in self.pairs():
            twin.assign(original)


def name_of(call: Call) -> str:
    """Name of a layer that stands in a flat model; a '/' would be refused."""
    return "_".join(call.path)


def users(graph: Graph) -> Counter[int]:
    """Count how often each tensor is used; being an output of the model counts too."""
    counts = Counter(graph.outputs)
    for call in graph.calls:
        counts.update(set(call.inputs))
    return counts


def _copy(call: Call, changes: dict[str, Any]) -> Any:
    layer = call.layer
    if not isinstance(layer, keras.layers.Layer):
        twin = copy.copy(layer)  # an operation has no weights
        twin.name = name_of(call)
        twin._inbound_nodes, twin._outbound_nodes = [], []  # noqa: SLF001 (its place in a graph)
        return twin
    config = {**layer.get_config(), "name": name_of(call), **changes}
    with SafeModeScope(safe_mode=False):  # what is in memory was trusted when it was loaded
        return type(layer).from_config(config)
