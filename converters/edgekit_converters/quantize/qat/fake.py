"""Layers that compute in float what an integer model will compute: fake quantization.

Kernels: int8, symmetric, in [-127, 127], one scale a channel (or one in all). Activations:
int8 with a zero point, one range a tensor, which always holds 0. Gradients pass through
the rounding; beyond a range they are zero.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from edgekit_converters.quantize.qat.fold import variable_of
from edgekit_converters.sources.libraries import tensorflow

MOMENTUM = 0.99  # of the ranges while training
_GRID = 1024  # parts of a step that averages fall on, about
SMALLEST = 1e-6  # width of a range of nothing but zeros
UNIT_RANGE = (0.0, 255 / 256)  # of sigmoid and softmax, as the int8 kernels give it
TANH_RANGE = (-1.0, 127 / 128)

# Layer -> axes of the output channels of its kernel.
CHANNELS: dict[type[Any], tuple[int, ...]] = {
    keras.layers.Conv1D: (-1,),
    keras.layers.Conv2D: (-1,),
    keras.layers.Dense: (-1,),
    keras.layers.Conv2DTranspose: (-2,),
    keras.layers.DepthwiseConv1D: (-2, -1),
    keras.layers.DepthwiseConv2D: (-2, -1),
}


class FakeQuant(keras.layers.Layer):  # type: ignore[misc] # keras has no types
    """Rounds an activation to 8 bits of its range.

    While `watching` it passes values on and notes their range; the call must be eager.

    Args:
        fixed: The range, where it is known; None learns it.
        name: Name of the layer.
    """

    def __init__(
        self, fixed: tuple[float, float] | None = None, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.fixed = fixed
        self.watching = False
        self.exact = False
        self._seen: list[tuple[float, float]] = []
        low, high = fixed or (-1.0, 1.0)
        self.low = self._number("low", low)
        self.high = self._number("high", high)
        self.learning = self._number("learning", 0.0 if fixed else 1.0)

    def _number(self, name: str, value: float) -> Any:
        start = keras.initializers.Constant(value)
        return self.add_weight(shape=(), initializer=start, trainable=False, name=name)

    def call(
        self,
        x: Any,
        training: bool | None = None,
        follows: bool = False,
        pooled: bool = False,
    ) -> Any:
        """Round.

        Args:
            x: An activation.
            training: Whether the range follows it.
            follows: Round in this range, and do not change it.
            pooled: `x` is from an average pool, whose kernels round halves in their own way.
        """
        if self.watching and follows:
            return x
        if self.watching:
            self._seen.append((float(keras.ops.min(x)), float(keras.ops.max(x))))
            return x
        if training and self.fixed is None and not follows:
            step = (1 - MOMENTUM) * self.learning
            low = keras.ops.minimum(keras.ops.min(x), 0.0)
            high = keras.ops.maximum(keras.ops.max(x), SMALLEST)
            self.low.assign(self.low + step * (low - self.low))
            self.high.assign(self.high + step * (high - self.high))
        if pooled and not self.exact:
            x = self._halves_away(x)
        low, high = (keras.ops.convert_to_tensor(each) for each in (self.low, self.high))
        return tensorflow().quantization.fake_quant_with_min_max_vars(x, low, high, 8)

    def _halves_away(self, x: Any) -> Any:
        """Round, halves away from the stored 0; elsewhere halves go up.

        Averages of a few integers often are halves, which noise of float must not decide.
        """
        zero = keras.ops.round(-keras.ops.convert_to_tensor(self.low) / self.step) - 128
        stored = keras.ops.round((x / self.step + zero) * _GRID) / _GRID
        whole = keras.ops.sign(stored) * keras.ops.floor(keras.ops.abs(stored) + 0.5)
        return x + keras.ops.stop_gradient((whole - zero) * self.step - x)

    @property
    def step(self) -> Any:
        """Distance of two neighbours that it rounds to, a tensor without gradient."""
        low, high = (keras.ops.convert_to_tensor(each) for each in (self.low, self.high))
        return keras.ops.stop_gradient((high - low) / 255)

    def compute_output_spec(
        self,
        x: Any,
        training: bool | None = None,  # noqa: ARG002 (as keras calls it)
        follows: bool = False,  # noqa: ARG002 (as keras calls it)
        pooled: bool = False,  # noqa: ARG002 (as keras calls it)
    ) -> Any:
        """Shape and type of the result."""
        return keras.KerasTensor(x.shape, x.dtype)

    def settle(self) -> None:
        """Take the mean range of the batches seen as the range to start from."""
        if self.fixed is None and self._seen:
            low, high = np.mean(self._seen, axis=0)
            self.low.assign(min(low, 0.0))
            self.high.assign(max(high, SMALLEST))
        self._seen = []


class FakeWeights(keras.layers.Layer):  # type: ignore[misc] # keras has no types
    """Calls a layer with its kernel rounded to 8 bits.

    While `exact`, the kernel is left to the converter, which rounds it in the same way: by
    itself where each channel has a scale, else in the range that it finds in the graph.

    Args:
        inner: One of `CHANNELS`.
        per_tensor: One scale instead of one a channel.
    """

    def __init__(self, inner: Any, *, per_tensor: bool) -> None:
        super().__init__(name=f"{inner.name}_fake")
        self.inner = inner
        self.exact = False
        self._limit = 1.0
        self._axes = () if per_tensor else CHANNELS[type(inner)]

    def build(self, shape: Any) -> None:
        """Build the layer within."""
        if not self.inner.built:
            self.inner.build(shape)
        self.built = True

    def call(self, x: Any, source: FakeQuant | None = None) -> Any:
        """Run the layer within.

        Args:
            x: Its input.
            source: What rounded the input: the bias is a multiple of both steps.
        """
        kernel = variable_of(self.inner, "kernel")
        values = keras.ops.convert_to_tensor(kernel)
        rounded = []
        if not self.exact:
            given, steps = fake_kernel(values, self._axes)
            rounded.append((kernel, given))
            if self.inner.use_bias and source is not None:
                bias = self.inner.bias
                rounded.append((bias, _to_steps(bias, steps * source.step)))
        elif not self._axes:
            given = tensorflow().quantization.fake_quant_with_min_max_args(
                values, -self._limit, self._limit, 8, narrow_range=True
            )
            rounded.append((kernel, given))
        with keras.StatelessScope(state_mapping=rounded):
            return self.inner(x)

    def sizes(self, source: FakeQuant | None) -> Iterator[tuple[Any, Any]]:
        """Yield kernel and bias, each with what its values are like, channel by channel.

        Args:
            source: What rounds the input.
        """
        kernel = variable_of(self.inner, "kernel")
        values = np.asarray(kernel)
        kept = [axis % values.ndim for axis in CHANNELS[type(self.inner)]]
        others = tuple(axis for axis in range(values.ndim) if axis not in kept)
        size = np.sqrt((values**2).mean(others, keepdims=True)).clip(SMALLEST)
        yield kernel, size
        if self.inner.use_bias:
            # As large as the sum that it is added to.
            reach = 64 * float(source.step) if source else 1.0
            terms = math.prod(values.shape[axis] for axis in others)
            yield self.inner.bias, size.ravel() * reach * math.sqrt(terms)

    def note_limit(self) -> None:
        """Note the range that the kernel has, for the converter."""
        limit = keras.ops.max(keras.ops.abs(variable_of(self.inner, "kernel")))
        self._limit = max(float(limit), SMALLEST)

    def compute_output_spec(
        self,
        x: Any,
        source: FakeQuant | None = None,  # noqa: ARG002 (as keras calls it)
    ) -> Any:
        """Shape and type of the result."""
        return self.inner.compute_output_spec(x)


def fake_kernel(kernel: Any, axes: tuple[int, ...]) -> Any:
    """Round a kernel to int8: scale * n with n in [-127, 127], scale = max |kernel| / 127.

    Args:
        kernel: Tensor of any shape.
        axes: Axes of the output channels, each combination with a scale of its own; none
            for one scale in all.
    """
    rank = len(kernel.shape)
    kept = tuple(axis % rank for axis in axes)
    order = (*(axis for axis in range(rank) if axis not in kept), *kept)
    moved = keras.ops.transpose(kernel, order)
    channels = math.prod(kernel.shape[axis] for axis in kept)
    flat = keras.ops.reshape(moved, (-1, channels))
    limit = keras.ops.maximum(keras.ops.max(keras.ops.abs(flat), axis=0), SMALLEST)
    steps = keras.ops.stop_gradient(limit / 127)
    rounded = keras.ops.reshape(_to_steps(flat, steps), moved.shape)
    back = tuple(int(axis) for axis in np.argsort(order))
    return keras.ops.transpose(rounded, back), steps


def _to_steps(values: Any, steps: Any) -> Any:
    """Round to multiples; gradients pass through."""
    values = keras.ops.convert_to_tensor(values)
    error = keras.ops.round(values / steps) * steps - values
    return values + keras.ops.stop_gradient(error)


class Constant(keras.layers.Layer):  # type: ignore[misc] # keras has no types
    """Multiplies with a constant, or adds it.

    Args:
        values: The constant, one value or one a channel.
        multiply: Whether to multiply.
        name: Name of the layer.
    """

    def __init__(self, values: Any, *, multiply: bool, name: str) -> None:
        super().__init__(name=name)
        self._multiply = multiply
        self._values = np.asarray(values, np.float32)

    def call(self, x: Any) -> Any:
        """Compute."""
        return x * self._values if self._multiply else x + self._values


@contextmanager
def exact(layers: Iterable[FakeQuant | FakeWeights]) -> Iterator[None]:
    """Leave to the converter what it rounds by itself."""
    left = list(layers)
    for layer in left:
        if isinstance(layer, FakeWeights):
            layer.note_limit()
        layer.exact = True
    yield
    for layer in left:
        layer.exact = False


@contextmanager
def watching(layers: Iterable[FakeQuant]) -> Iterator[None]:
    """Let activations pass and note their ranges, which are then where training starts."""
    watched = list(layers)
    for layer in watched:
        layer.watching = True
    yield
    for layer in watched:
        layer.watching = False
        layer.settle()
