"""A narrower range for the scores that a final SOFTMAX reads.

A classifier's scores spread far below 0, where they no longer matter to the class that
wins, and int8 spends most of its steps there: two classes that are close often get the same
score, and the lower number wins. With a range that begins at 0 and ends a little below the
largest score, the steps are finer where the winners are.

The price is in the probabilities: what lies below 0 counts as 0, so unlikely classes get
more, and likely ones less, than in float. So this is an option, for models whose best class
is all that is asked for.
"""

from edgekit_converters.quantize.chain.pair import Pair
from edgekit_converters.quantize.chain.ranges import changeable, set_ranges

SHARE = 0.9  # of the largest score; what is beyond has won already
_PASSING = frozenset({"DEQUANTIZE", "RESHAPE", "SQUEEZE", "QUANTIZE"})


def narrow_logits(pair: Pair, share: float = SHARE) -> tuple[str, ...]:
    """Narrow the range of what each final SOFTMAX reads to [0, share of the largest].

    Correct the biases or round afterwards.

    Args:
        pair: The models; the integer one is changed.
        share: How much of the range above 0 is kept.

    Returns:
        Names of the tensors that were narrowed: none where no SOFTMAX is final, where its
        input's range cannot change, or where the range lies on one side of 0.
    """
    can, tensors = changeable(pair), pair.graph.main.tensors
    found = {}
    for index in final_scores(pair):
        scale, zero = tensors[index].scale[0], tensors[index].zero_point[0]
        low, high = (-128 - zero) * scale, (127 - zero) * scale
        if index in can and low < 0 < high:
            found[index] = (0.0, share * high)
    set_ranges(pair, found)
    return tuple(tensors[index].name for index in found)


def final_scores(pair: Pair) -> tuple[int, ...]:
    """Return what each SOFTMAX reads whose result leaves the model unchanged otherwise."""
    leaving = set(pair.graph.main.outputs)
    found = []
    for op in reversed(pair.graph.ops):
        if op.op in _PASSING and op.outputs[0] in leaving:
            leaving.add(op.inputs[0])
        elif op.op == "SOFTMAX" and op.outputs[0] in leaving:
            found.append(op.inputs[0])
    return tuple(found)
