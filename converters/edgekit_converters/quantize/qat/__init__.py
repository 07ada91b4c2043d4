"""Quantization-aware training for Keras 3: fold, fake-quantize, fine-tune, convert."""

from edgekit_converters.quantize.qat.fold import Folded, fold
from edgekit_converters.quantize.qat.train import Trained, train

__all__ = ["Folded", "Trained", "fold", "train"]
