"""Which operator of a model an XNNPACK kernel belongs to, by its name.

XNNPACK tells its kernels in the order in which they run, one or more an operator, none for
one that it merged into its neighbour. They are laid beside the operators so that names
fit best.
"""

from collections.abc import Sequence
from functools import cache

# Beginning of a kernel's name -> the operators that it computes. Where both read alike, as
# `Softmax` and `SOFTMAX`, no line is needed.
_COMPUTES = {
    "average pooling": ("AVERAGE_POOL_2D", "MEAN"),
    "batch matrix multiply": ("BATCH_MATMUL", "FULLY_CONNECTED"),
    "clamp": ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"),
    "constant pad": ("PAD", "PADV2"),
    "convert": ("QUANTIZE", "DEQUANTIZE", "CAST"),
    "convolution": ("CONV_2D", "DEPTHWISE_CONV_2D"),
    "copy": ("CONCATENATION", "SPLIT", "SLICE", "STRIDED_SLICE", "RESHAPE"),
    "deconvolution": ("TRANSPOSE_CONV",),
    "divide": ("DIV",),
    "dynamic fully connected": ("FULLY_CONNECTED", "BATCH_MATMUL"),
    "fully connected": ("FULLY_CONNECTED", "CONV_2D"),
    "global average pooling": ("MEAN", "AVERAGE_POOL_2D"),
    "invalid unary op": ("ABS", "EXP", "MUL", "NEG", "SQRT", "SUB"),
    "max pooling": ("MAX_POOL_2D",),
    "mean": ("MEAN",),
    "multiply": ("MUL",),
    "reduce": ("SUM", "REDUCE_MAX", "REDUCE_MIN"),
    "resize bilinear": ("RESIZE_BILINEAR",),
    "sigmoid": ("LOGISTIC",),
    "slice": ("SLICE", "STRIDED_SLICE", "SPLIT"),
    "square": ("SQUARE", "MUL"),
    "square root": ("SQRT",),
    "reciprocal square root": ("RSQRT",),
    "static reshape": ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
    "subtract": ("SUB",),
    "sum": ("SUM",),
}
# Kernels that XNNPACK adds before or after the one that computes.
_BEFORE = ("constant pad", "convert", "copy", "static reshape", "transpose")
_AFTER = ("clamp",)
_MANY = ("copy", "slice")  # one for each input or output of their operator
# Operators that XNNPACK may merge into a neighbour, so that no kernel is left of them.
_MERGED = {
    "CONCATENATION", "DENSIFY", "DEQUANTIZE", "EXPAND_DIMS", "PAD", "QUANTIZE", "RELU",
    "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "RESHAPE", "SPLIT", "SQUEEZE",
}  # fmt: skip
_AGAIN, _MISSING, _WRONG = 1.5, 3.0, 10.0


@cache
def fits(kernel: str, op: str) -> bool:
    """Whether a kernel computes an operator, by their names.

    >>> fits("Fully Connected (NC, QS8, QC8W) GEMM", "CONV_2D")
    True
    >>> fits("Leaky ReLU (NC)", "LEAKY_RELU"), fits("Softmax (NC, F32)", "CONV_2D")
    (True, False)
    """
    words = _words(kernel)
    if words == "convolution" and kernel.endswith("DWConv"):
        return op == "DEPTHWISE_CONV_2D"
    same = words.replace(" ", "") == op.replace("_", "").lower()
    return same or op in _COMPUTES.get(words, ())


def align(kernels: Sequence[str], ops: Sequence[str]) -> list[int]:
    """Lay kernels beside the operators that they compute.

    Args:
        kernels: Names in the order in which they run.
        ops: Names of the operators in the order in which they run; at least one.

    Returns:
        The place in `ops` of each kernel; it never falls from one kernel to the next.

    >>> align(["Static Reshape (NC)", "Fully Connected (NC, F32) GEMM"], ["FULLY_CONNECTED"])
    [0, 0]
    """
    # A state is an operator and whether a kernel that computes it was seen. `row` holds the
    # least cost of each, `ways` the states that they were reached from, kernel by kernel.
    row = _skipped([0.0] + [_NEVER] * (2 * len(ops) - 1), ops)
    ways: list[tuple[list[int], list[int]]] = []
    skips = row[1]
    costs = row[0]
    for kernel in kernels:
        given = [_NEVER] * len(costs)
        origin = [0] * len(costs)
        for place, op in enumerate(ops):
            for seen in (0, 1):
                cost, then = _cost(kernel, op, seen=bool(seen))
                total, state = costs[2 * place + seen] + cost, 2 * place + then
                if total < given[state]:
                    given[state], origin[state] = total, 2 * place + seen
        ways.append((skips, origin))
        costs, skips = _skipped(given, ops)
    last = 2 * len(ops) - 2
    state = last + (costs[last + 1] <= costs[last] + _left_out(ops[-1]))
    found: list[int] = []
    for before, origin in reversed(ways):
        state = skips[state]
        found.append(state // 2)
        state, skips = origin[state], before
    return found[::-1]


_NEVER = float("inf")


def _skipped(costs: list[float], ops: Sequence[str]) -> tuple[list[float], list[int]]:
    """Step on to later operators without a kernel.

    Returns:
        costs: The least cost of each state.
        origin: The state in which the last kernel was given.
    """
    best, origin = list(costs), list(range(len(costs)))
    for place in range(1, len(ops)):
        empty, full = 2 * place - 2, 2 * place - 1
        left = best[empty] + _left_out(ops[place - 1])
        source = empty if left < best[full] else full
        cost = min(left, best[full])
        if cost < best[2 * place]:
            best[2 * place], origin[2 * place] = cost, origin[source]
    return best, origin


def _cost(kernel: str, op: str, *, seen: bool) -> tuple[float, int]:
    """What giving a kernel to an operator costs, and whether one that computes it is seen."""
    words = _words(kernel)
    before, after = words.startswith(_BEFORE), words in _AFTER
    if fits(kernel, op):
        again = 0.5 if words.startswith(_MANY) else 1.1 if before else _AGAIN
        return (again if seen else 0.0), 1
    if after:
        return (0.5 if seen else 1.5), int(seen)
    if before:
        return (1.2 if seen else 1.0), int(seen)
    return _WRONG, 1


@cache
def _words(kernel: str) -> str:
    return kernel.partition(" (")[0].strip().lower()


def _left_out(op: str) -> float:
    return 0.2 if op in _MERGED else _MISSING
