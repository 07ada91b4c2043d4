"""The range of the scores that a final SOFTMAX reads, chosen by the probabilities it gives.

A classifier's scores spread far below 0, where they no longer matter to the class that
wins, and int8 spends most of its steps there: two classes that are close often get the same
score, and the lower number wins. So the float model's scores of the calibration samples are
rounded to the steps of many ranges, and the range whose probabilities diverge least from the
float ones is taken. What lies below it counts as its lower end, which the divergence sees,
too: the unlikely classes are not given up for the winner.
"""

import numpy as np

from edgekit.flatbuffer.graph import Graph
from edgekit_converters.quantize.chain.biases import Inputs, limited
from edgekit_converters.quantize.chain.moving import MOVING
from edgekit_converters.quantize.chain.pair import Array, Floats, Pair
from edgekit_converters.quantize.chain.ranges import (
    Range,
    changeable,
    representable,
    set_ranges,
    step_of,
)
from edgekit_converters.quantize.chain.walk import Walk, samples_within

_PASSING = frozenset({"DEQUANTIZE", "RESHAPE", "SQUEEZE", "QUANTIZE"})
_SHARES = [
    each / 10 for each in range(10, 0, -1)
]  # of what is seen on either side, that are tried
_MOST_VALUES = 2**22  # scores that the ranges are tried on
_SAME = 1.25  # times the divergence: no difference that other samples would show, too


def refine_scores(pair: Pair, float_inputs: Inputs) -> tuple[str, ...]:
    """Choose the range of what each final SOFTMAX reads.

    Biases keep their real values, and weights stay: it can be done last.

    Args:
        pair: The models; the integer one is changed.
        float_inputs: Samples as the float model takes them.

    Returns:
        Names of the tensors whose range is another: none where no SOFTMAX is final, or
        where its input's range cannot change.

    Raises:
        SourceError: An operator does not run.
    """
    can, mine, theirs = (
        changeable(pair),
        final_scores(pair.graph),
        final_scores(pair.float_graph),
    )
    wanted = dict(zip(mine, theirs, strict=True)) if len(mine) == len(theirs) else {}
    wanted = {index: float_index for index, float_index in wanted.items() if index in can}
    if not wanted:
        return ()
    seen = _values(pair.float_graph, float_inputs, set(wanted.values()))
    ranges = {index: best_range(seen[float_index]) for index, float_index in wanted.items()}
    set_ranges(pair, ranges)
    return tuple(pair.graph.main.tensors[index].name for index in ranges)


def best_range(scores: Array) -> Range:
    """Return the range whose steps keep the probabilities of a softmax nearest.

    Args:
        scores: Any shape, classes last.
    """
    rows = _rows(scores)
    low, high = _seen(rows)
    tried = [(low * down, high * up) for down in _SHARES for up in _SHARES]
    return min(tried, key=lambda ends: _loss(rows, ends)) if high > low else (low, high)


def narrowed(graph: Graph, float_graph: Graph, float_inputs: Inputs) -> frozenset[int]:
    """Return the activations that clip scores to the benefit of the probabilities.

    Args:
        graph: The integer model, by whatever steps it was made.
        float_graph: Its float original.
        float_inputs: Samples as the float model takes them.

    Returns:
        Numbers in the integer model: what a final SOFTMAX reads, where a range of all scores
        would let the probabilities diverge as much or more, and what is moved there unchanged.

    Raises:
        SourceError: An operator does not run.
    """
    mine, theirs = final_scores(graph), final_scores(float_graph)
    tensors = graph.main.tensors
    wanted = dict(zip(mine, theirs, strict=True)) if len(mine) == len(theirs) else {}
    wanted = {i: there for i, there in wanted.items() if tensors[i].dtype == "int8"}
    seen = _values(float_graph, float_inputs, set(wanted.values())) if wanted else {}
    found = {i for i, there in wanted.items() if _suits(seen[there], representable(tensors[i]))}
    for op in reversed(graph.ops):
        if op.op in MOVING and found & set(op.outputs):
            found |= {i for i in op.inputs if i >= 0 and tensors[i].scale}
    return frozenset(found)


def final_scores(graph: Graph) -> tuple[int, ...]:
    """Return what each SOFTMAX reads whose result leaves the model unchanged otherwise."""
    leaving = set(graph.main.outputs)
    found = []
    for op in reversed(graph.ops):
        if op.op in _PASSING and op.outputs[0] in leaving:
            leaving.add(op.inputs[0])
        elif op.op == "SOFTMAX" and op.outputs[0] in leaving:
            found.append(op.inputs[0])
    return tuple(found)


def _suits(scores: Array, ends: Range) -> bool:
    """Whether a range is as good for the probabilities as one of all scores."""
    rows = _rows(scores)
    return _loss(rows, ends) <= _SAME * _loss(rows, _seen(rows))


def _rows(scores: Array) -> Array:
    """Return scores with a row for each choice among the classes; of very many only some."""
    rows: Array = np.asarray(scores, np.float32).reshape(-1, scores.shape[-1])
    return rows[:: -(-rows.size // _MOST_VALUES)]


def _seen(rows: Array) -> Range:
    return min(float(rows.min()), 0.0), max(float(rows.max()), 0.0)


def _loss(rows: Array, ends: Range) -> float:
    """Mean divergence of the probabilities of rounded scores from those of the scores."""
    scale, zero = step_of(*ends)
    steps = np.clip(np.rint(rows / scale) + zero, -128, 127)
    wanted, found = _logs(rows), _logs((steps - zero) * scale)
    return float((np.exp(wanted) * (wanted - found)).sum(axis=1).mean())


def _logs(rows: Array) -> Floats:
    """Return the logarithms of the softmax of each row."""
    moved = rows - rows.max(axis=1, keepdims=True)
    found: Floats = moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))
    return found


def _values(graph: Graph, inputs: Inputs, tensors: set[int]) -> dict[int, Array]:
    """Return what tensors hold that some operator reads."""
    walk = Walk(graph, limited(inputs, samples_within(graph)))
    found: dict[int, Array] = {}
    for op in walk.steps():
        found |= {index: walk.values[index] for index in tensors & set(op.inputs)}
    return found
