"""Which weights are pruned one by one: the kernels that do the work, never biases or scales."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from edgekit_converters.prune.groups import Frozen

GROUP = 4  # inputs that stand together in 2:4 and in blocks

_FEW = "depthwise kernels hold few weights and suffer most; --depthwise takes them too"


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A kernel.

    Attributes:
        name: For people: the layer, and which of its kernels where it has several.
        variable: The Keras variable.
        axis: Along which the inputs of one output lie; None where there is no such axis.
    """

    name: str
    variable: Any
    axis: int | None

    @property
    def grouped(self) -> bool:
        """Whether its inputs come in whole groups of four."""
        return self.axis is not None and self.variable.shape[self.axis] % GROUP == 0


def find(model: Any, *, depthwise: bool = False) -> tuple[list[Kernel], list[Frozen]]:
    """Find the kernels of a model, shared ones once.

    Args:
        model: A Keras model.
        depthwise: Take the kernels of depthwise convolutions, too.

    Returns:
        The kernels in the order of the layers, and what is left alone with the reason.
    """
    found: dict[int, Kernel] = {}
    left: dict[int, Frozen] = {}
    for layer in model._flatten_layers(include_self=False):  # noqa: SLF001 (models inside models)
        for kernel, is_depthwise in _of(layer):
            if is_depthwise and not depthwise:
                left.setdefault(id(kernel.variable), frozen(kernel, _FEW))
            else:
                found.setdefault(id(kernel.variable), kernel)
    return list(found.values()), list(left.values())


def frozen(kernel: Kernel, reason: str) -> Frozen:
    """Name a kernel that is left alone."""
    return Frozen(layers=(kernel.name,), channels=int(kernel.variable.shape[-1]), reason=reason)


def _of(layer: Any) -> Iterator[tuple[Kernel, bool]]:
    """Kernels of one layer, and whether each is depthwise."""
    kinds = next((kinds for type_, kinds in _KERNELS if isinstance(layer, type_)), ())
    several = len(kinds) > 1
    for attribute, axis, is_depthwise in kinds:
        variable = getattr(layer, attribute, None)
        if isinstance(variable, keras.Variable):
            name = f"{layer.name}.{attribute}" if several else layer.name
            yield Kernel(name, variable, axis), is_depthwise


_CELL = (("kernel", -2, False), ("recurrent_kernel", -2, False))
_SEPARABLE = (("depthwise_kernel", None, True), ("pointwise_kernel", -2, False))

# Type of layer -> for each kernel its name, its input axis, and whether it is depthwise.
_KERNELS: tuple[tuple[type[Any], tuple[tuple[str, int | None, bool], ...]], ...] = (
    (layers.Conv1D, (("kernel", -2, False),)),
    (layers.Conv2D, (("kernel", -2, False),)),
    (layers.Conv3D, (("kernel", -2, False),)),
    (layers.Conv1DTranspose, (("kernel", -1, False),)),
    (layers.Conv2DTranspose, (("kernel", -1, False),)),
    (layers.Conv3DTranspose, (("kernel", -1, False),)),
    (layers.Dense, (("kernel", -2, False),)),
    (layers.EinsumDense, (("kernel", None, False),)),
    (layers.SeparableConv1D, _SEPARABLE),
    (layers.SeparableConv2D, _SEPARABLE),
    (layers.DepthwiseConv1D, (("kernel", None, True),)),
    (layers.DepthwiseConv2D, (("kernel", None, True),)),
    (layers.SimpleRNNCell, _CELL),
    (layers.LSTMCell, _CELL),
    (layers.GRUCell, _CELL),
)
