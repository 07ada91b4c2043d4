"""What goes into a Keras model, what comes out, and whether it scales its input itself."""

from typing import Any

from edgekit.errors import SourceError
from edgekit_converters.sources import graph
from edgekit_converters.sources.source import InputSpec

# Layers and operations that scale a picture, where they stand before any weights.
SCALING_LAYERS = {"Rescaling", "Normalization"}
SCALING_OPERATIONS = {
    "Add", "Divide", "Multiply", "Subtract", "TrueDivide",
    "__operators__.add", "__operators__.mul", "__operators__.sub", "__operators__.truediv",
    "math.add", "math.divide", "math.multiply", "math.subtract", "math.truediv",
    "nn.bias_add",
}  # fmt: skip

_MOST_OUTPUTS = 64  # of one layer


def input_specs(model: Any) -> tuple[InputSpec, ...]:
    """Describe the inputs of a Keras 3 or tf_keras model, in its order."""
    names = _input_names(model)
    rows = _embedding_rows(model)
    return tuple(
        InputSpec(
            name=name,
            shape=tuple(tensor.shape[1:]),
            dtype=_dtype(tensor),
            batch=tensor.shape[0],
            indices=rows.get(position),
        )
        for position, (name, tensor) in enumerate(zip(names, model.inputs, strict=True))
    )


def output_names(model: Any) -> tuple[str, ...]:
    """Return one name for each output of a Keras model, in its order, none twice."""
    structure = getattr(model, "output", None)
    count = len(model.outputs)
    ways = (
        sorted(structure) if isinstance(structure, dict) else [],
        list(getattr(model, "output_names", None) or []),
        [model.layers[-1].name] if model.layers else [],  # a Sequential of Keras 3
        [f"output_{i}" for i in range(count)],
    )
    return unique(next(names for names in ways if len(names) == count))


def unique(names: list[str]) -> tuple[str, ...]:
    """Number the names that come twice.

    >>> unique(["a", "b", "a"])
    ('a', 'b', 'a_1')
    """
    taken: dict[str, int] = {}
    result = []
    for name in names:
        count = taken.get(name, 0)
        taken[name] = count + 1
        result.append(f"{name}_{count}" if count else name)
    return tuple(result)


def refuse_text(specs: tuple[InputSpec, ...]) -> None:
    """Refuse inputs that are no numbers.

    Raises:
        SourceError: An input takes text.
    """
    for spec in specs:
        if spec.dtype == "string":
            msg = (
                f"The input '{spec.name}' takes text, which no TFLite kernel of edgekit's "
                "targets does.\nCut the text layers off and give the model its token numbers."
            )
            raise SourceError(msg)


def normalizes_itself(model: Any) -> bool:
    """Tell whether a graph scales its input before the first layer with weights.

    1. A Rescaling or Normalization layer does.
    2. Arithmetic with a constant does, as `x / 127.5 - 1` leaves it in the graph.
    3. A layer with weights of its own ends the search on its path.
    """
    found = False

    def visit(layer: Any, args: Any, kwargs: Any) -> Any:
        nonlocal found
        reached = [each for each in graph.flat([args, kwargs]) if each is _Raw.PICTURE]
        if not reached:
            return [None] * _MOST_OUTPUTS
        name = operation_name(layer)
        if name in SCALING_LAYERS or (name in SCALING_OPERATIONS and len(reached) == 1):
            found = found or name in SCALING_LAYERS or _has_constant(args, kwargs)
        return [None if getattr(layer, "weights", None) else _Raw.PICTURE] * _MOST_OUTPUTS

    if graph.is_graph(model):
        graph.run(model, [_Raw.PICTURE] * len(model.inputs), visit, inline=True)
    return found


def operation_name(layer: Any) -> str:
    """Return the class of a layer, or the function that a TFOpLambda calls."""
    kind = type(layer).__name__
    if kind == "TFOpLambda":
        return str(layer.get_config().get("function"))
    return kind


class _Raw:
    """Marks a value that is the input, as far as no weights have touched it."""

    PICTURE = object()


def _has_constant(args: Any, kwargs: Any) -> bool:
    """Whether the other operand is a number or an array, not a tensor of the graph."""
    others = [each for each in graph.flat([args, kwargs]) if each is not _Raw.PICTURE]
    return any(each is not None and not isinstance(each, str | bool) for each in others)


def _input_names(model: Any) -> list[str]:
    names = list(getattr(model, "input_names", None) or [])
    return names if len(names) == len(model.inputs) else [each.name for each in model.inputs]


def _dtype(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _embedding_rows(model: Any) -> dict[int, int]:
    """Return, by position of the input, how many rows the Embedding that reads it has."""
    rows: dict[int, int] = {}

    def visit(layer: Any, args: Any, kwargs: Any) -> Any:
        reached = [each for each in graph.flat([args, kwargs]) if isinstance(each, _Origin)]
        if type(layer).__name__ == "Embedding":
            for each in reached:
                rows[each.input] = min(int(layer.input_dim), rows.get(each.input, 2**31))
            return [None] * _MOST_OUTPUTS
        passed = reached[0] if reached and not getattr(layer, "weights", None) else None
        return [passed] * _MOST_OUTPUTS

    if graph.is_graph(model):
        graph.run(model, [_Origin(i) for i in range(len(model.inputs))], visit, inline=True)
    return rows


class _Origin:
    """Marks a value that is the input of that number, as far as no weights have touched it."""

    def __init__(self, position: int) -> None:
        self.input = position
