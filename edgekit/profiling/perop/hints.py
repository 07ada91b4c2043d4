"""What about a model costs time, and what to change."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from edgekit.flatbuffer.graph import Graph
from edgekit.profiling.perop.records import Hint, OpTime, Roof
from edgekit.profiling.perop.roof import computes_with, multiplies

_WORTH = 0.02  # of the whole run: less is not worth a word
_CHANNELS = 8  # that the kernels compute at a time
_WASTE = 0.12
_MANY_PARTS = 3
_FASTER = 1.5
_CONVOLVES = {"CONV_2D", "TRANSPOSE_CONV"}
_MOVES = {
    "BROADCAST_TO", "CAST", "CONCATENATION", "DEQUANTIZE", "GATHER", "PACK", "PAD", "PADV2",
    "QUANTIZE", "RESHAPE", "SLICE", "SPLIT", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK",
}  # fmt: skip
_INSTEAD = {
    "AVERAGE_POOL_2D": "MEAN over height and width gives the same where the pooling covers "
    "the whole picture (GlobalAveragePooling2D).",
    "HARD_SWISH": "Train with ReLU6 in its place, or keep these layers float.",
    "SOFTMAX": "Leave it out where only the most likely class is asked for.",
    "QUANTIZE": "Two neighbours want other scales; the same scale on both sides saves it.",
    "ARG_MAX": "Make the output smaller before it, or take the largest after the model.",
}
_OTHERWISE = "Replace it by operators that XNNPACK runs."


def hints(
    graph: Graph, ops: Sequence[OpTime], *, partitions: int | None, roof: Roof | None
) -> tuple[Hint, ...]:
    """Say what to change, the most expensive first.

    Args:
        graph: The model.
        ops: The time of each operator; a row without one is passed over.
        partitions: Parts of the model that XNNPACK runs.
        roof: What this machine can do.
    """
    real = [each for each in ops if each.index >= 0 and each.ms > 0]
    found = [
        *_not_delegated(graph, real),
        *_float_islands(graph, real),
        *_odd_channels(graph, real),
        *_moving(real),
        *_many_parts(ops, partitions),
        *_float_products(graph, real, roof),
    ]
    worth = (each for each in found if each.share >= _WORTH)
    return tuple(sorted(worth, key=lambda each: -each.share))


def _not_delegated(graph: Graph, ops: list[OpTime]) -> list[Hint]:
    """Operators that only built-in kernels run, in a model of which XNNPACK runs others."""
    if not any(each.delegated for each in ops):
        return []

    def kind(each: OpTime) -> tuple[str, str]:
        return each.op, computes_with(graph.ops[each.index], graph)

    left = sorted((each for each in ops if each.delegated is False), key=kind)
    return [_left_over(op, dtype, list(group)) for (op, dtype), group in groupby(left, kind)]


def _left_over(op: str, dtype: str, ops: list[OpTime]) -> Hint:
    def words(count: int, share: str) -> str:
        values = f" of {dtype}" if dtype else ""
        return (
            f"XNNPACK does not run {_times(count, op)}{values}: {share} of the time. "
            f"{_INSTEAD.get(op, _OTHERWISE)}"
        )

    return _hint("not-delegated", ops, words)


def _float_islands(graph: Graph, ops: list[OpTime]) -> list[Hint]:
    """Float operators in a model whose products are of integers."""
    products = [op for op in graph.ops if graph.macs(op)]
    if not any(computes_with(op, graph) in {"int8", "uint8"} for op in products):
        return []
    islands = {op.index for op in graph.float_islands if op.subgraph == 0}
    return _some(
        "float-island",
        (each for each in ops if each.index in islands),
        lambda count, share: (
            f"{_times(count, 'operator')} of this integer model compute with floats: {share} "
            "of the time. edgekit inspect names them; convert with --integer-only, or "
            "replace the layers."
        ),
    )


def _odd_channels(graph: Graph, ops: list[OpTime]) -> list[Hint]:
    """Products whose channels do not fill the kernels."""

    def odd(each: OpTime) -> bool:
        op = graph.ops[each.index]
        if each.op not in _CONVOLVES or not op.outputs:
            return False
        shape = graph.main.tensors[op.outputs[0]].shape
        channels = shape[-1] if shape else 0
        return channels > _CHANNELS and -channels % _CHANNELS / channels >= _WASTE

    return _some(
        "odd-channels",
        filter(odd, ops),
        lambda count, share: (
            f"{_times(count, 'layer')} have channels that are no multiple of {_CHANNELS}, "
            f"which the kernels fill up: {share} of the time. Take multiples of {_CHANNELS}; "
            "edgekit prune does."
        ),
    )


def _moving(ops: list[OpTime]) -> list[Hint]:
    found = _some(
        "moves-data",
        (each for each in ops if each.op in _MOVES),
        lambda count, share: (
            f"{_times(count, 'operator')} only move or convert values: {share} of the time. "
            "Pad in the convolution, keep one type and one layout, join fewer branches."
        ),
    )
    return [each for each in found if each.share >= 2 * _WORTH]


def _many_parts(ops: Sequence[OpTime], partitions: int | None) -> list[Hint]:
    if partitions is None or partitions < _MANY_PARTS:
        return []
    return _some(
        "partitions",
        (each for each in ops if each.index < 0 or each.delegated is False),
        lambda _, share: (
            f"XNNPACK runs this model in {partitions} parts; what lies between them takes "
            f"{share} of the time. See the operators that are not delegated."
        ),
    )


def _float_products(graph: Graph, ops: list[OpTime], roof: Roof | None) -> list[Hint]:
    rates = roof.gmacs_per_s if roof else {}
    faster = rates.get("int8", 0.0) / rates.get("float32", float("inf"))
    if faster < _FASTER:
        return []
    return _some(
        "float-products",
        (
            each
            for each in ops
            if each.macs and multiplies(graph.ops[each.index], graph) == "float32"
        ),
        lambda count, share: (
            f"{_times(count, 'layer')} multiply floats: {share} of the time. This machine does "
            f"{faster:.1f} times as many int8 products: edgekit quantize."
        ),
    )


_Words = Callable[[int, str], str]


def _some(code: str, ops: Iterable[OpTime], words: _Words) -> list[Hint]:
    """A hint about operators, if there are any."""
    found = list(ops)
    return [_hint(code, found, words)] if found else []


def _hint(code: str, ops: list[OpTime], words: _Words) -> Hint:
    share = sum(each.share for each in ops)
    numbers = tuple(each.index for each in ops if each.index >= 0)
    return Hint(code=code, ops=numbers, share=share, text=words(len(ops), f"{share:.0%}"))


def _times(count: int, what: str) -> str:
    """A number of things.

    >>> _times(1, "layer"), _times(3, "layer"), _times(2, "HARD_SWISH")
    ('1 layer', '3 layers', '2 HARD_SWISH')
    """
    return f"{count} {what}{'s' * (count > 1 and what.islower())}"
