"""Quantization-aware training for Keras 3: fold, even out, round while training, choose."""

from edgekit_converters.quantize.qat.fold import Folded, fold
from edgekit_converters.quantize.qat.gate import Verdict, choose, hold_out
from edgekit_converters.quantize.qat.train import Trained, train

__all__ = ["Folded", "Trained", "Verdict", "choose", "fold", "hold_out", "train"]
