"""Walk the layer graph of a model, of Keras 3 or of tf_keras alike."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit_converters.sources.libraries import tensorflow

# What to do with one call of a layer: (layer, arguments, keyword arguments) -> result.
Call = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of one layer.

    Attributes:
        layer: The layer, or the operation of Keras 3.
        args: Its arguments, with symbolic tensors in them.
        kwargs: Its keyword arguments, likewise.
        outputs: The symbolic tensors that it gave, flat.
    """

    layer: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Any, ...]


def is_graph(model: Any) -> bool:
    """Whether a model is a graph of layers (Functional or Sequential with known inputs)."""
    return _nodes(model) is not None


def steps(model: Any) -> Iterator[Step]:
    """Yield the calls of a graph model so that each comes after those it depends on."""
    by_depth = _nodes(model) or {}
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            if node.is_input:
                continue
            if hasattr(node, "arguments"):  # Keras 3
                args, kwargs = node.arguments.args, node.arguments.kwargs
                yield Step(node.operation, tuple(args), dict(kwargs), tuple(node.outputs))
            else:
                outputs = tuple(tensorflow().nest.flatten(node.outputs))
                yield Step(node.layer, tuple(node.call_args), dict(node.call_kwargs), outputs)


def run(model: Any, inputs: Sequence[Any], call: Call, *, inline: bool = False) -> list[Any]:
    """Send values through a graph model, one layer after another.

    Args:
        model: The graph model.
        inputs: One value for each of its inputs, flat, in its order.
        call: What to do with a layer and the values that reach it.
        inline: Whether to step into models used as layers.

    Returns:
        One value for each output, flat, in the order of the model.
    """
    values = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}

    def value_of(item: Any) -> Any:
        return values.get(id(item), item)

    for step in steps(model):
        args, kwargs = mapped(value_of, step.args), mapped(value_of, step.kwargs)
        if inline and is_graph(step.layer):
            fed = flat([args, {k: v for k, v in kwargs.items() if k not in _FLAGS}])
            result = run(step.layer, fed, call, inline=True)
        else:
            result = flat(call(step.layer, args, kwargs))
        values |= {id(t): v for t, v in zip(step.outputs, result, strict=False)}
    return [values[id(tensor)] for tensor in model.outputs]


_FLAGS = {"training", "mask"}  # arguments of a call that are no inputs of a model


def mapped(function: Callable[[Any], Any], item: Any) -> Any:
    """Apply a function to every leaf of nested lists, tuples and tables."""
    if isinstance(item, dict):
        return {key: mapped(function, each) for key, each in item.items()}
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        return type(item)(*(mapped(function, each) for each in item))
    if isinstance(item, list | tuple):
        return type(item)(mapped(function, each) for each in item)
    return function(item)


def flat(item: Any) -> list[Any]:
    """Return the leaves of nested lists, tuples and tables, tables in the order of keys."""
    if isinstance(item, dict):
        return [leaf for key in sorted(item) for leaf in flat(item[key])]
    if isinstance(item, list | tuple):
        return [leaf for each in item for leaf in flat(each)]
    return [item]


def single(items: list[Any]) -> Any:
    """Return the only item, or the list where there are several."""
    return items[0] if len(items) == 1 else items


def _nodes(model: Any) -> dict[int, list[Any]] | None:
    """Return the nodes of a graph model by depth, or None if it is none.

    Neither Keras gives them by a public name.
    """
    functional = getattr(model, "_functional", None)  # a Sequential of Keras 3 keeps one
    nodes = getattr(functional if functional is not None else model, "_nodes_by_depth", None)
    return nodes if nodes and getattr(model, "inputs", None) else None
