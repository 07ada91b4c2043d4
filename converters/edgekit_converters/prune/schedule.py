"""Masks while a model learns: a share that grows by step, and zeros that stay zero.

The model has no layers around its layers: a callback sets the masked weights back to zero
after each step, so that what is saved and converted is the model itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edgekit_converters.prune.kernels import Kernel
from edgekit_converters.prune.masks import Mask, Values

_RAMP = 0.5  # of all steps; in the rest the weights that stay make up for those that went
_UPDATES = 50  # times that the share grows


@dataclass(frozen=True, slots=True)
class PolynomialDecay:
    """A share that grows fast at first, while there is much to spare, then slowly.

    As Zhu and Gupta (https://arxiv.org/abs/1710.01878): share x (1 - (1 - t)^power).

    Attributes:
        share: Where it ends, above 0 and below 1.
        end: Step from which it is reached.
        power: How fast it starts.
    """

    share: float
    end: int
    power: float = 3.0

    def __call__(self, step: int) -> float:
        """Share after so many steps."""
        if step >= self.end:
            return self.share
        left: float = (1.0 - max(step, 0) / self.end) ** self.power
        return self.share * (1.0 - left)


class MaskSchedule(keras.callbacks.Callback):  # type: ignore[misc] # keras has no types
    """Prunes kernels more and more during the first half of training, and keeps the zeros.

    Args:
        kernels: The kernels.
        masks: Makes masks of their values for a share.
        share: The share in the end.
    """

    def __init__(
        self,
        kernels: Sequence[Kernel],
        masks: Callable[[Sequence[Values], float], list[Mask]],
        share: float,
    ) -> None:
        super().__init__()
        self._variables = [kernel.variable for kernel in kernels]
        self._make = masks
        self._decay = PolynomialDecay(share, 1)
        self._every = self._step = 0
        self._masks: list[Any] | None = None

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 (as keras calls it)
        """Spread the share over the steps that there will be."""
        steps = self.params["epochs"] * self.params["steps"]
        end = max(1, int(_RAMP * steps))
        self._decay = PolynomialDecay(self._decay.share, end)
        self._every = max(1, end // _UPDATES)
        self._step = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 (as keras calls it)
        """Set masked weights back to zero; take more of them while the share grows."""
        self._step += 1
        self._apply()
        due = self._step % self._every == 0 or self._step == self._decay.end
        if due and self._step <= self._decay.end:
            self._tighten(self._decay(self._step))

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 (as keras calls it)
        """Reach the share even where training ended early."""
        if self._step < self._decay.end:
            self._tighten(self._decay.share)

    def _tighten(self, share: float) -> None:
        # What is masked is zero here, hence smallest, hence masked again.
        found = self._make([np.asarray(variable) for variable in self._variables], share)
        self._masks = [
            keras.ops.cast(mask, variable.dtype)
            for mask, variable in zip(found, self._variables, strict=True)
        ]
        self._apply()

    def _apply(self) -> None:
        if self._masks is None:
            return
        for variable, mask in zip(self._variables, self._masks, strict=True):
            variable.assign(keras.ops.multiply(variable, mask))
