"""A Keras model as a flat list of calls: nested models are opened, order is execution order.

Keras keeps the graph of a Functional model in its nodes. That is the one thing here
which reaches into private attributes of Keras; everything else of the pruner works on
the calls.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras.src.models.functional import Functional  # keras.Model(inputs, outputs) makes one

from edgekit.errors import SourceError

Path = tuple[str, ...]  # names of the models around a layer, from the outside in, then its own


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of a layer or operation.

    Attributes:
        path: Where it stands; unique but for shared layers, which have several calls.
        layer: The Keras layer, or the operation where there is no layer.
        inputs: Keys of the tensors that it takes.
        outputs: Keys of the tensors that it gives.
        node: The Keras node, which knows how the tensors are passed.
        shared: Whether the layer, or a model around it, is called more than once.
    """

    path: Path
    layer: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    node: Any
    shared: bool

    @property
    def name(self) -> str:
        """Name for people."""
        return "/".join(self.path)


class Graph:
    """A model as calls between tensors.

    Tensors have keys; where a nested model is opened, the tensors on both sides of its
    border have one key.

    Args:
        model: A Functional or Sequential model that has an input shape.

    Attributes:
        calls: Every call, in execution order; input layers of the model come first.
        inputs: Keys of the model's inputs.
        outputs: Keys of the model's outputs.
        inner_inputs: Input layers of nested models: path and key of the tensor.

    Raises:
        SourceError: The model is no graph of layers.
    """

    def __init__(self, model: Any) -> None:
        function = _function(model)
        if function is None:
            msg = (
                f"Pruning needs a Functional or Sequential model with a known input shape; "
                f"{model.name} is {_why_not(model)}.\n"
                "Build it from layers with keras.Input and keras.Model, then save it again."
            )
            raise SourceError(msg)
        self.model = model
        self.calls: list[Call] = []
        self.inner_inputs: list[tuple[Path, int]] = []
        self._tensors: dict[int, Any] = {}
        self._same_as: dict[int, int] = {}
        self._open(function, (), shared=False)
        self.inputs = tuple(self._key(tensor) for tensor in function.inputs)
        self.outputs = tuple(self._key(tensor) for tensor in function.outputs)

    def shape(self, key: int) -> tuple[int | None, ...]:
        """Shape of a tensor, without the batch dimension."""
        return tuple(self._tensors[key].shape[1:])

    def dtype(self, key: int) -> str:
        """Name of the type of a tensor's values."""
        return str(self._tensors[key].dtype)

    def arguments(self, call: Call, values: dict[int, Any]) -> tuple[Any, Any]:
        """Fill the arguments of a call with values of its tensors, by key."""
        filled = {id(tensor): values[self._key(tensor)] for tensor in call.node.input_tensors}
        args, kwargs = call.node.arguments.fill_in(filled)
        return args, kwargs

    def _key(self, tensor: Any) -> int:
        key = id(tensor)
        while key in self._same_as:
            key = self._same_as[key]
        self._tensors.setdefault(key, tensor)
        return key

    def _open(self, function: Any, path: Path, *, shared: bool) -> None:
        nodes = list(_in_order(function))
        calls = Counter(id(node.operation) for node in nodes)
        for node in nodes:
            operation, twice = node.operation, calls[id(node.operation)] > 1
            inner = None if shared or twice else _function(operation)
            if inner is not None and len(inner.inputs) == len(node.input_tensors):
                self._open_nested(node, inner, (*path, operation.name))
            elif path and node.is_input:
                self.inner_inputs.append(((*path, operation.name), self._key(node.outputs[0])))
            else:
                self._add(node, path, shared=shared or twice)

    def _open_nested(self, node: Any, inner: Any, path: Path) -> None:
        for inside, outside in zip(inner.inputs, node.input_tensors, strict=True):
            self._same_as[id(inside)] = self._key(outside)
        self._open(inner, path, shared=False)
        for inside, outside in zip(inner.outputs, node.outputs, strict=True):
            self._same_as[id(outside)] = self._key(inside)

    def _add(self, node: Any, path: Path, *, shared: bool) -> None:
        self.calls.append(
            Call(
                path=(*path, node.operation.name),
                layer=node.operation,
                inputs=tuple(self._key(tensor) for tensor in node.input_tensors),
                outputs=tuple(self._key(tensor) for tensor in node.outputs),
                node=node,
                shared=shared,
            )
        )


def pack(model: Any, inputs: Sequence[Any]) -> Any:
    """Put flat inputs into the form that a model is called with."""
    return keras.tree.pack_sequence_as(_function(model)._inputs_struct, inputs)  # type: ignore[union-attr] # noqa: SLF001


def _function(operation: Any) -> Any | None:
    """The graph of a model that is nothing but a graph; None for all else."""
    if isinstance(operation, keras.Sequential):
        # A subclass may do anything in its own call.
        return operation._functional if type(operation) is keras.Sequential else None  # noqa: SLF001
    return operation if type(operation) is Functional else None


def _why_not(model: Any) -> str:
    if isinstance(model, keras.Sequential) and type(model) is keras.Sequential:
        return "a Sequential without one"
    if type(model).__module__.startswith("tf_keras"):
        return "a model of tf_keras (Keras 2)"
    return f"a {type(model).__name__} with code of its own"


def _in_order(function: Any) -> Iterator[Any]:
    """Nodes of a graph, producers before consumers."""
    for depth in sorted(function._nodes_by_depth, reverse=True):  # noqa: SLF001
        yield from function._nodes_by_depth[depth]  # noqa: SLF001
