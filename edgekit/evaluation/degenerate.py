"""Notice outputs that are worthless, and say why that may be."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.lint import Finding


class Watch:
    """What one output does over all samples; keeps the first sample only.

    Attributes:
        samples: How many were seen.
        nans: How many held a value that is not a number.
        ties: In how many all values were equal.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.nans = 0
        self.ties = 0
        self._first: NDArray[Any] | None = None
        self._varies = False

    def add(self, output: NDArray[Any]) -> None:
        """Look at one sample."""
        self.samples += 1
        self.nans += bool(np.isnan(output).any())
        self.ties += output.size > 1 and bool((output == output.flat[0]).all())
        if self._first is None:
            self._first = np.array(output)
        elif not np.array_equal(self._first, output, equal_nan=True):
            self._varies = True

    @property
    def constant(self) -> bool:
        """Whether two samples or more all gave exactly the same."""
        return self.samples > 1 and not self._varies


Watches = Mapping[str, tuple[Watch, Watch]]  # output name -> of the float, of the quantized


def findings(watches: Watches, scores: str | None) -> tuple[Finding, ...]:
    """Explain what is worthless.

    Args:
        watches: Of every output, on the float and on the quantized model.
        scores: Name of the output that holds class scores, or None.
    """
    found: list[Finding] = []
    for name, (original, quantized) in watches.items():
        if original.nans:
            found.append(_nan(name, original))
        elif quantized.constant:
            found.append(_constant(name, quantized, original))
        elif name == scores and quantized.ties == quantized.samples > 0:
            found.append(_tied(name, quantized, original))
    return tuple(found)


def _nan(name: str, original: Watch) -> Finding:
    return Finding(
        code="nan-output",
        text=f"The float model's output {name} holds values that are not numbers (NaN) for "
        f"{original.nans} of {original.samples} samples, so nothing can be said about the "
        "quantized one.",
        remedy="Check the input range and whether the training diverged; a division or a "
        "logarithm of 0 inside the model does it too.",
    )


def _constant(name: str, quantized: Watch, original: Watch) -> Finding:
    same = (
        f"The quantized model's output {name} is the same for all {quantized.samples} samples"
    )
    if original.constant:
        return Finding(
            code="constant-output-in-both",
            text=f"{same}, and so is the float model's.",
            remedy="Quantization is not the cause: check that the preprocessing is the one "
            "of the training (an input range of 0..1 instead of 0..255 does this) and that "
            "the weights are trained ones.",
        )
    return Finding(
        code="constant-output",
        text=f"{same}, the float model's is not: quantization destroyed it.",
        remedy="Give calibration data like those the model will see, prepared as in the "
        "training, and more of them; if that does not help, use per-channel scales or "
        "--scheme int16x8.",
    )


def _tied(name: str, quantized: Watch, original: Watch) -> Finding:
    both = original.ties == original.samples
    said = "The float model's are too." if both else "The float model's are not."
    return Finding(
        code="tied-scores",
        text=f"All class scores in output {name} of the quantized model are equal for each of "
        f"{quantized.samples} samples. {said}",
        remedy="One value far out stretches the output's range until all others fall "
        "together: give more calibration data, or end the model with a softmax.",
    )
