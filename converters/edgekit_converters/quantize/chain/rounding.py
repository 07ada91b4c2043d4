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
"""

import numpy as np

from edgekit.progress import track
from edgekit_converters.quantize.chain.biases import Inputs, applied, float_means, limited
from edgekit_converters.quantize.chain.pair import Array, Floats, Layer, Pair, along
from edgekit_converters.quantize.chain.taps import covariance, mean_taps
from edgekit_converters.quantize.chain.walk import Walk, samples_within

LIMIT = 127  # of integer weights, which are symmetric
MOST_TAPS = 2304  # of one output; beyond, time and memory grow past what rounding is worth
_DAMPING = 0.01  # share of the mean variance that is added to each tap's own
_PASSES = 8


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
    wanted = float_means(pair, float_inputs)
    layers = {layer.op.index: layer for layer in pair.layers}
    left = {}
    walk = Walk(pair.graph, limited(inputs, samples_within(pair.graph)))
    for op in track(walk.steps(), "Rounding weights", len(pair.graph.ops), "operator"):
        layer = layers.get(op.index)
        if layer is None:
            continue
        values = walk.values[op.inputs[0]]
        taps = mean_taps(pair.graph, op, values)
        count = layer.weights.size // len(layer.bias)
        if count <= MOST_TAPS:
            pair.set_weights(layer, _rounded(pair, layer, values))
        else:
            left[layer.name] = f"an output has {count:,} weights, more than {MOST_TAPS:,}"
        pair.set_bias(layer, wanted[op.index] - applied(pair.real_weights(layer), taps, layer))
    return left


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


def _rounded(pair: Pair, layer: Layer, values: Array) -> Array:
    """Return the best integer weights of a layer for what it sees."""
    moments = covariance(pair.graph, layer.op, values)
    steps = layer.weights / along(pair.scales(layer), layer)
    rows = np.moveaxis(steps, layer.axis, 0)
    best = best_rounding(rows.reshape(len(moments), -1, moments.shape[-1]), moments)
    return np.moveaxis(best.reshape(rows.shape), 0, layer.axis)


def _damped(moments: Floats) -> Floats:
    """Add to each tap's own variance, so that taps that never vary keep nearest."""
    taps = moments.shape[-1]
    mean = np.trace(moments, axis1=1, axis2=2) / taps
    extra = np.where(mean > 0, _DAMPING * mean, 1.0)
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
