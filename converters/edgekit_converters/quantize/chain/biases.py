"""Sequential bias correction: layer after layer, with quantized activations in the loop.

Rounding weights moves the mean of what a layer computes, and so do the rounded activations
that it reads. Layer by layer, the bias is set so that each output channel has the mean that
it has in float:

    bias = mean of the float output before its activation - quantized weights * mean input

The input is what the integer model computes there with all earlier layers corrected. This
is the correction of Nagel et al., "Data-Free Quantization Through Weight Equalization and
Bias Correction" (2019), with measured means in place of assumed ones.
"""

from collections.abc import Sequence

import numpy as np

from edgekit.progress import track
from edgekit_converters.quantize.chain.pair import Array, Floats, Layer, Pair
from edgekit_converters.quantize.chain.taps import mean_taps
from edgekit_converters.quantize.chain.walk import Walk, samples_within

Inputs = dict[int, Array]  # by tensor number, samples in front
Means = dict[int, Floats]  # mean output before the activation, by operator of the integer file


def correct(pair: Pair, inputs: Inputs, float_inputs: Inputs) -> None:
    """Correct the biases of all layers of a pair.

    Args:
        pair: The models; the integer one is changed.
        inputs: Samples as the integer model takes them.
        float_inputs: The same ones as the float model takes them.

    Raises:
        SourceError: An operator does not run.
    """
    wanted = float_means(pair, float_inputs)
    layers = {layer.op.index: layer for layer in pair.layers}
    walk = Walk(pair.graph, limited(inputs, samples_within(pair.graph)))
    for op in track(walk.steps(), "Correcting biases", len(pair.graph.ops), "operator"):
        layer = layers.get(op.index)
        if layer is not None:
            taps = mean_taps(pair.graph, op, walk.values[op.inputs[0]])
            pair.set_bias(
                layer, wanted[op.index] - applied(pair.real_weights(layer), taps, layer)
            )


def float_means(pair: Pair, inputs: Inputs) -> Means:
    """Return the mean output of each layer of the float model, before its activation."""
    size = samples_within(pair.float_graph)
    total = len(next(iter(inputs.values())))
    layers = {layer.float_op.index: layer for layer in pair.layers}
    sums: Means = {layer.op.index: np.zeros_like(layer.bias) for layer in pair.layers}
    for start in track(range(0, total, size), "Measuring the float model", -(-total // size)):
        chunk = {index: values[start : start + size] for index, values in inputs.items()}
        share = len(next(iter(chunk.values()))) / total
        walk = Walk(pair.float_graph, chunk)
        for op in walk.steps():
            layer = layers.get(op.index)
            if layer is not None:
                taps = mean_taps(pair.float_graph, op, walk.values[op.inputs[0]])
                sums[layer.op.index] += share * (
                    applied(layer.weights, taps, layer) + layer.bias
                )
    return sums


def applied(weights: Floats, taps: Floats, layer: Layer) -> Floats:
    """Multiply weights with the means of their taps.

    Args:
        weights: In the shape of the layer's.
        taps: As `taps.mean_taps` gives them.
        layer: The layer.

    Returns:
        One value for each output channel.
    """
    if layer.op.op == "DEPTHWISE_CONV_2D":
        multiplier = weights.shape[3] // taps.shape[2]
        each: Floats = weights[0] * np.repeat(taps, multiplier, axis=2)
        return np.asarray(each.sum(axis=(0, 1)))
    groups = taps.size // weights[0].size  # of a grouped convolution; 1 elsewhere
    rows = weights.reshape(groups, len(layer.bias) // groups, -1)
    columns = taps.reshape(*taps.shape[:-1], groups, -1) if groups > 1 else taps[..., None, :]
    means = np.moveaxis(columns, -2, 0).reshape(groups, -1)
    return np.asarray(np.einsum("gok,gk->go", rows, means).ravel())


def limited(inputs: Inputs, count: int) -> Inputs:
    """Return every (n / count)th sample, at most `count` of them."""
    total = len(next(iter(inputs.values())))
    chosen: Sequence[int] = [i * total // count for i in range(min(count, total))]
    if total <= count:
        return inputs
    return {index: values[chosen] for index, values in inputs.items()}
