"""Covariance rounding: weights rounded together, so that their errors cancel.

Nearest rounding moves each weight the least; what counts is what the layer computes. Over
the inputs x that the layer sees, an error e of the weights of one output channel disturbs
that output by

    variance of e'x = e'He,    H = covariance of x

and its mean, which the bias takes back exactly. Two searches make e'He small: a sweep that
rounds weight after weight and lets the rest make up for it (as in Frantar et al., "GPTQ",
2022), and coordinate descent, which moves one weight at a time to its best step, from both
nearest and the sweep. For each output channel the best of all is kept; nearest is among
them. Steps of weights stay as they are.

Earlier layers have left errors in x. With the values y that the float model feeds the same
layer, weights w that read x in place of y come nearest to its outputs as

    w + (H + r)^-1 (C - H) w,    C = covariance of x and y

What is rounded lies a part of the way there. Both that part and r, which is large, keep the
weights from following what only these samples show.
"""

from collections.abc import Iterator

import numpy as np

from edgekit.progress import track
from edgekit_converters.quantize.chain.biases import Inputs, applied, limited
from edgekit_converters.quantize.chain.pair import Array, Floats, Layer, Pair, along, readers
from edgekit_converters.quantize.chain.taps import covariance, groups_of, mean_taps, seen
from edgekit_converters.quantize.chain.walk import BUDGET_BYTES, Walk, samples_within

LIMIT = 127  # of integer weights, which are symmetric
MOST_TAPS = 2304  # of one output; beyond, time and memory grow past what rounding is worth
_DAMPING = 0.01  # share of the mean variance that is added to each tap's own
_PASSES = 8
_RIDGE = 1.0  # r, as a share of the mean variance
_PART = 0.5  # of the way to the weights that make up for earlier errors


def round_weights(pair: Pair, inputs: Inputs, float_inputs: Inputs) -> dict[str, str]:
    """Round the weights of all layers of a pair anew, and correct the biases with them.

    Args:
        pair: The models; the integer one is changed.
        inputs: Samples as the integer model takes them.
        float_inputs: The same ones as the float model takes them.

    Returns:
        Name of each layer whose weights stay as they are, with the reason. Its bias is
        corrected all the same.

    Raises:
        SourceError: An operator does not run.
    """
    left, uses = {}, readers(pair.graph)
    for layer, values, wanted in _layers(pair, inputs, float_inputs):
        count = layer.weights.size // len(layer.bias)
        if count > MOST_TAPS:
            left[layer.name] = f"an output has {count:,} weights, more than {MOST_TAPS:,}"
        elif uses[layer.op.inputs[1]] > 1:
            left[layer.name] = f"{uses[layer.op.inputs[1]]} operators share its weights"
        else:
            pair.set_weights(layer, _rounded(pair, layer, values, wanted))
        taps = mean_taps(pair.float_graph, layer.float_op, wanted)
        mean = applied(layer.weights, taps, layer) + layer.bias
        taps = mean_taps(pair.graph, layer.op, values)
        pair.set_bias(layer, mean - applied(pair.real_weights(layer), taps, layer))
    return left


def _layers(
    pair: Pair, inputs: Inputs, float_inputs: Inputs
) -> Iterator[tuple[Layer, Array, Array]]:
    """Walk both models side by side: each layer, what it reads, what the float one reads."""
    budget = BUDGET_BYTES // 2  # for each model
    count = min(samples_within(graph, budget) for graph in (pair.graph, pair.float_graph))
    layers = {layer.op.index: layer for layer in pair.layers}
    walk = Walk(pair.graph, limited(inputs, count))
    float_walk = Walk(pair.float_graph, limited(float_inputs, count))
    float_steps = float_walk.steps()
    for op in track(walk.steps(), "Rounding weights", len(pair.graph.ops), "operator"):
        layer = layers.get(op.index)
        if layer is not None:
            while next(float_steps).index != layer.float_op.index:
                pass
            wanted = float_walk.values[layer.float_op.inputs[0]]
            yield layer, walk.values[op.inputs[0]], wanted


def best_rounding(weights: Floats, moments: Floats) -> Array:
    """Round rows of weights so that e'He is small for each.

    Args:
        weights: In steps, shape (groups, rows, taps).
        moments: H of each group, symmetric and without negative directions, shape
            (groups, taps, taps).

    Returns:
        Whole numbers in [-127, 127], shape of `weights`; no row costs more than with
        nearest rounding.

    >>> together = np.array([[[1.0, 0.99], [0.99, 1.0]]])
    >>> best_rounding(np.array([[[0.4, 0.4]]]), together).tolist()
    [[[1.0, 0.0]]]
    """
    damped = _damped(moments)
    nearest = _on_grid(weights)
    starts = np.concatenate([nearest, _sweep(weights, damped)], axis=1)
    both = np.concatenate([weights, weights], axis=1)
    found = _descend(both, starts, damped)
    rows = weights.shape[1]
    candidates = [nearest, found[:, :rows], found[:, rows:]]
    costs = np.stack([cost(weights - each, damped) for each in candidates])
    chosen = costs.argmin(axis=0)  # the first of equals: nearest
    best: Array = np.choose(chosen[..., np.newaxis], candidates)
    return best


def cost(errors: Floats, moments: Floats) -> Floats:
    """Return e'He of each row; arguments as for `best_rounding`."""
    found: Floats = np.einsum("gok,gok->go", errors @ moments, errors)
    return found


def _rounded(pair: Pair, layer: Layer, values: Array, wanted: Array) -> Array:
    """Return the best integer weights of a layer for what it sees."""
    groups, mine = groups_of(pair.graph, layer.op), seen(pair.graph, layer.op, values)
    moments = covariance(mine, mine, groups)
    steps = layer.weights / along(pair.scales(layer), layer)
    rows = np.moveaxis(steps, layer.axis, 0)
    weights = rows.reshape(groups, -1, moments.shape[-1])
    theirs = seen(pair.float_graph, layer.float_op, wanted)
    if theirs.shape == mine.shape:
        scale = pair.graph.main.tensors[layer.op.inputs[0]].scale[0]
        weights = made_up(weights, moments, covariance(mine, theirs, groups) / scale)
    best = best_rounding(weights, moments)
    return np.moveaxis(best.reshape(rows.shape), 0, layer.axis)


def made_up(weights: Floats, moments: Floats, crossed: Floats) -> Floats:
    """Move weights so that they make up for a part of what differs in their inputs.

    Args:
        weights: Shape (groups, rows, taps).
        moments: Covariance of what they read, shape (groups, taps, taps).
        crossed: Covariance of what they read and what they were made for, likewise.
    """
    held = _with_more(moments, _RIDGE)
    moved = np.linalg.solve(held, (crossed - moments) @ weights.swapaxes(1, 2))
    found: Floats = weights + _PART * moved.swapaxes(1, 2)
    return found


def _damped(moments: Floats) -> Floats:
    """Add to each tap's own variance, so that taps that never vary keep nearest."""
    return _with_more(moments, _DAMPING)


def _with_more(moments: Floats, share: float) -> Floats:
    """Add a share of the mean variance to each tap's own; 1 where nothing varies."""
    taps = moments.shape[-1]
    mean = np.trace(moments, axis1=1, axis2=2) / taps
    extra = np.where(mean > 0, share * mean, 1.0)
    return moments + extra[:, np.newaxis, np.newaxis] * np.eye(taps)


def _on_grid(weights: Floats) -> Floats:
    found: Floats = np.clip(np.rint(weights), -LIMIT, LIMIT)
    return found


def _sweep(weights: Floats, moments: Floats) -> Floats:
    """Round tap after tap; those to come make up for the error."""
    upper = np.linalg.cholesky(np.linalg.inv(moments)).swapaxes(1, 2)
    open_, found = weights.copy(), np.empty_like(weights)
    for tap in range(weights.shape[2]):
        found[..., tap] = _on_grid(open_[..., tap])
        error = (open_[..., tap] - found[..., tap]) / upper[:, tap, tap, np.newaxis]
        open_[..., tap + 1 :] -= error[..., np.newaxis] * upper[:, np.newaxis, tap, tap + 1 :]
    return found


def _descend(weights: Floats, start: Floats, moments: Floats) -> Floats:
    """Move one weight at a time to its best step, until none moves."""
    found = start.copy()
    slope = (weights - found) @ moments
    for _ in range(_PASSES):
        moved = False
        for tap in range(weights.shape[2]):
            own = moments[:, tap, tap, np.newaxis]
            better = _on_grid(found[..., tap] + slope[..., tap] / own)
            group, row = np.nonzero(better != found[..., tap])
            if len(row) == 0:
                continue
            moved = True
            change = (found[..., tap] - better)[group, row]
            slope[group, row] += change[:, np.newaxis] * moments[group, tap]
            found[..., tap] = better
        if not moved:
            break
    return found
