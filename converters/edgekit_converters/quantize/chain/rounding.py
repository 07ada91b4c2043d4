"""Covariance rounding: weights rounded together, so that their errors cancel.

Nearest rounding moves each weight the least; what counts is what the layer computes. Over
the inputs x that the layer sees, an error e of the weights of one output channel disturbs
that output by

    variance of e'x = e'He,    H = covariance of x

and its mean, which the bias takes back exactly. Two searches make e'He small: a sweep that
rounds weight after weight and lets the rest make up for it (as in Frantar et al., "GPTQ",
2022), and coordinate descent, which moves one weight at a time to its best step, from both
nearest and the sweep; then pairs of weights move against each other where one move alone
would cost. For each output channel the best of all is kept; nearest is among
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
MOST_TRADED = 512  # taps of one output for which pairs of weights are tried
_DAMPING = 0.01  # share of the mean variance that is added to each tap's own
_PASSES = 8
_TRADES = 2  # passes over the pairs
_LEAST = 1e-9  # share of a tap's own variance that a trade has to save


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
    if weights.shape[2] <= MOST_TRADED:
        candidates.append(_trade(weights, _cheapest(weights, candidates, damped), damped))
    return _cheapest(weights, candidates, damped)


def _cheapest(weights: Floats, candidates: list[Array], damped: Floats) -> Array:
    """Choose for each row the candidate that costs least."""
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


def _trade(weights: Floats, start: Floats, moments: Floats) -> Floats:
    """Move two weights at a time, by a step each, where that costs less than now.

    A move of tap k by d and tap l by c changes the cost by

        H_kk - 2 d g_k + H_ll - 2 c (g_l - d H_kl),    g = He

    and for each k the best l is found at once.
    """
    found = start.copy()
    slope = (weights - found) @ moments
    own = np.einsum("gkk->gk", moments)[:, np.newaxis]
    for tap in np.tile(np.arange(weights.shape[2]), _TRADES):
        first = np.where(slope[..., tap] >= 0, 1.0, -1.0)
        after = slope - first[..., np.newaxis] * moments[:, np.newaxis, tap]
        second = np.sign(after)
        gain = 2 * np.abs(after) - own
        gain[np.abs(found + second) > LIMIT] = -np.inf
        gain[..., tap] = -np.inf
        other = gain.argmax(axis=2)
        best = np.take_along_axis(gain, other[..., np.newaxis], axis=2)[..., 0]
        change = own[..., tap] - 2 * first * slope[..., tap] - best
        fits = np.abs(found[..., tap] + first) <= LIMIT
        group, row = np.nonzero((change < -_LEAST * own[..., tap]) & fits)
        partner = other[group, row]
        step = second[group, row, partner]
        found[group, row, tap] += first[group, row]
        found[group, row, partner] += step
        slope[group, row] = after[group, row] - step[:, np.newaxis] * moments[group, partner]
    return _descend(weights, found, moments)
