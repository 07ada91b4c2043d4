"""Let layers make up for channels that are gone, before any fine-tuning.

A layer behind the removed channels misses what they brought. Its weights are chosen anew so
that its kept outputs come as near as possible to what they were in the original, by least
squares on typical samples (He, Zhang and Sun 2017, https://arxiv.org/abs/1707.06168), layer
after layer, each with the inputs that it gets by then. What is left of a shift of the mean is
put into the statistics of BatchNormalization. Labels are not needed.

Where single weights go (`thin`), those that stay in the same layer make up for them.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edgekit.data import Dataset
from edgekit_converters.prune.book import Book, Kept
from edgekit_converters.prune.graph import Call, Graph
from edgekit_converters.prune.kernels import Kernel
from edgekit_converters.prune.reference import same_calls
from edgekit_converters.prune.rules import read
from edgekit_converters.prune.training import in_order

RIDGE = 1e-2  # pull towards the weights there are, as a share of the inputs' mean square
_SAMPLES = 512
_VALUES = 2**26  # of one tensor, all samples together
_ROWS = 2**17  # positions of one layer that are fitted

_STEPS, _TINY = 30, 1e-30  # of conjugate gradients
_PARTS = (0.6, 0.85, 1.0)  # of the share of weights that goes

Array = NDArray[Any]
Make = Callable[[Kernel, Array, float], Array]  # (kernel, scores, part of the share) -> mask


def repair(book: Book, kept: Kept, pruned: Any, inputs: Sequence[Array]) -> None:
    """Change the weights of a pruned model so that it computes what the original does.

    Args:
        book: The original.
        kept: Which atoms stayed.
        pruned: The pruned model; its weights change.
        inputs: Typical samples, one array for each input of the model.
    """
    _walk(book, kept, pruned, inputs, _adapt)


def typical(book: Book, data: Dataset, seed: int) -> list[Array]:
    """Take samples to repair a model with: as many as memory has room for.

    Args:
        book: The model.
        data: Samples by the names of its inputs.
        seed: Which of them.
    """
    keys = {key for call in book.graph.calls for key in call.outputs}
    largest = max(math.prod(side or 1 for side in book.graph.shape(key)) for key in keys)
    count = book.graph.model.inputs[0].shape[0] or max(1, min(_SAMPLES, _VALUES // largest))
    names = [tensor.name for tensor in book.graph.model.inputs]
    rows = [in_order(names, sample.inputs) for sample in data.subset(count, seed)]
    return [np.stack(each) for each in zip(*rows, strict=True)]


def thin(
    book: Book, copy: Any, kernels: Sequence[Kernel], make: Make, inputs: Sequence[Array]
) -> None:
    """Set weights to zero, layer after layer, and let those that stay make up for them.

    Which go is told by what the loss of each would cost after the others have adapted
    (Hassibi and Stork 1993, Optimal Brain Surgeon), in rounds of more and more.

    Args:
        book: The original.
        copy: A copy of it; its kernels change.
        kernels: Kernels of the copy that are pruned.
        make: Makes the mask of one kernel from scores and a part of the whole share.
        inputs: Typical samples, one array for each input of the model.
    """
    places = {id(kernel.variable): kernel for kernel in kernels}

    def adapt(call: Call, run: _Run, wanted: _Wanted) -> None:
        kernel = places.get(id(getattr(call.layer, "kernel", None)))
        if kernel is not None and _fits(call):
            _thin(call, run, wanted.sums(), kernel, make)
        else:
            _adapt(call, run, wanted)

    _walk(book, book.everything(), copy, inputs, adapt)


def _walk(
    book: Book,
    kept: Kept,
    pruned: Any,
    inputs: Sequence[Array],
    adapt: Callable[[Call, "_Run", "_Wanted"], None],
) -> None:
    """Run both models call by call, and adapt each call before it runs."""
    smaller = read(Graph(pruned))
    partners = {id(after): before for before, after in same_calls(book, smaller)}
    first, second = _Run(book.graph, inputs), _Run(smaller.graph, inputs)
    for call in smaller.graph.calls:
        if not call.inputs:
            continue
        before = partners[id(call)]
        adapt(call, second, _Wanted(before, first, book, kept))
        first.step(before, first.value(before))
        second.step(call, second.value(call))


class _Run:
    """A model that runs call by call; tensors are forgotten when nobody needs them."""

    def __init__(self, graph: Graph, inputs: Sequence[Array]) -> None:
        self.graph = graph
        self.values: dict[int, Any] = dict(
            zip(graph.inputs, map(keras.ops.convert_to_tensor, inputs), strict=True)
        )
        self._readers = Counter(key for call in graph.calls for key in set(call.inputs))

    def value(self, call: Call) -> Any:
        """Run one call."""
        args, kwargs = self.graph.arguments(call, self.values)
        if isinstance(call.layer, keras.Layer) and call.layer._call_has_training_arg:  # noqa: SLF001 (no public way)
            kwargs["training"] = False
        return call.layer(*args, **kwargs)

    def step(self, call: Call, value: Any) -> None:
        """Take over what a call gave."""
        for key in set(call.inputs):
            self._readers[key] -= 1
            if not self._readers[key]:
                del self.values[key]
        self.values.update(zip(call.outputs, keras.tree.flatten(value), strict=True))


class _Wanted:
    """What the original has where a call of the pruned model stands."""

    def __init__(self, call: Call, run: _Run, book: Book, kept: Kept) -> None:
        self._call, self._run, self._book, self._kept = call, run, book, kept

    def sums(self) -> Array:
        """Weighted sums of the kept channels, before any activation."""
        return self._stay(_sums(self._call, self._run), self._call.outputs[0])

    def inputs(self) -> Array:
        """The kept channels of the input."""
        key = self._call.inputs[0]
        return self._stay(np.asarray(self._run.values[key]), key)

    def _stay(self, value: Array, key: int) -> Array:
        labels = self._book.labels[key]
        return value if labels is None else value[..., self._kept[labels]]


def _adapt(call: Call, run: _Run, wanted: _Wanted) -> None:
    layer = call.layer
    if isinstance(layer, layers.BatchNormalization) and not call.shared:
        shift = np.asarray(run.values[call.inputs[0]]) - wanted.inputs()
        layer.moving_mean.assign_add(shift.mean(tuple(range(shift.ndim - 1))))
    elif _fits(call):
        _fit(call, run, wanted.sums())


def _fits(call: Call) -> bool:
    """Tell whether a call computes weighted sums that can be fitted."""
    layer = call.layer
    if call.shared:
        return False
    if isinstance(layer, layers.Conv2D):
        return type(layer) is layers.Conv2D and layer.groups == 1
    return type(layer) is layers.Dense


def _sums(call: Call, run: _Run) -> Array:
    layer, x = call.layer, run.values[call.inputs[0]]
    if isinstance(layer, layers.Dense):
        sums = keras.ops.matmul(x, layer.kernel)
    else:
        sums = layer.convolution_op(x, layer.kernel)
    return np.asarray(sums + layer.bias if layer.use_bias else sums)


def _fit(call: Call, run: _Run, wanted: Array) -> None:
    """Move the kernel, and the bias, to where the error is smallest."""
    layer = call.layer
    fit = _Fit(call, run, wanted)
    change = np.linalg.solve(fit.square, fit.slope)
    layer.kernel.assign_add(change.reshape(layer.kernel.shape))
    if layer.use_bias:
        layer.bias.assign_add(fit.shift - fit.middle @ change)


class _Fit:
    """The normal equations of a layer: which change of its kernel makes up for an error.

    Attributes:
        square: Products of the inputs, and the pull towards the weights there are.
        slope: Products of inputs and errors.
        middle: Mean of each input.
        shift: Mean error of each output.
    """

    def __init__(self, call: Call, run: _Run, wanted: Array) -> None:
        rows = _rows(call.layer, run.values[call.inputs[0]])
        error = (wanted - _sums(call, run)).reshape(len(rows), -1)
        chosen = slice(None, None, 1 + len(rows) // _ROWS)
        x, error = rows[chosen].astype(np.float64), error[chosen].astype(np.float64)
        self.middle, self.shift = x.mean(0), error.mean(0)
        x, error = x - self.middle, error - self.shift
        square = x.T @ x
        pull = RIDGE * float(np.trace(square)) / len(square) or 1.0
        self.square, self.slope = square + pull * np.eye(len(square)), x.T @ error


def _thin(call: Call, run: _Run, wanted: Array, kernel: Kernel, make: Make) -> None:
    layer, shape = call.layer, call.layer.kernel.shape
    fit = _Fit(call, run, wanted)
    weights = np.asarray(layer.kernel, np.float64).reshape(-1, shape[-1])
    goal = fit.slope + fit.square @ weights
    cost = np.sqrt(np.diag(np.linalg.inv(fit.square)))[:, None]
    before = weights
    for part in _PARTS:
        mask = make(kernel, (weights / cost).reshape(shape), part).reshape(weights.shape)
        weights = _solved(fit.square, goal, weights, mask)
    layer.kernel.assign(weights.reshape(shape))
    if layer.use_bias:
        layer.bias.assign_add(fit.shift + fit.middle @ (before - weights))


def _solved(square: Array, goal: Array, weights: Array, stays: Array) -> Array:
    """Solve for the weights that stay, the others being zero; all outputs side by side.

    Conjugate gradients, scaled by the diagonal, from the weights there are: a product of
    matrices each step, where one exact solution an output would take minutes.
    """
    scale = np.where(stays, 1 / np.diag(square)[:, None], 0.0)
    found = np.where(stays, weights, 0.0)
    left = goal - square @ found
    towards = scaled = scale * left
    power = (left * scaled).sum(0)
    for _ in range(_STEPS):
        moved = square @ towards
        length = power / np.maximum((towards * moved).sum(0), _TINY)
        found += length * towards
        left -= length * moved
        scaled = scale * left
        before, power = power, (left * scaled).sum(0)
        towards = scaled + power / np.maximum(before, _TINY) * towards
    return found


def _rows(layer: Any, value: Any) -> Array:
    """Lay out what each output is the weighted sum of, one row a position."""
    if isinstance(layer, layers.Dense):
        return np.asarray(value).reshape(-1, value.shape[-1])
    if layer.kernel_size == (1, 1):
        step, other = layer.strides
        value = value[:, ::step, ::other]
        return np.asarray(value).reshape(-1, value.shape[-1])
    patches = keras.ops.image.extract_patches(
        value,
        layer.kernel_size,
        strides=layer.strides,
        dilation_rate=layer.dilation_rate,
        padding=layer.padding,
        data_format="channels_last",
    )
    return np.asarray(patches).reshape(-1, patches.shape[-1])
