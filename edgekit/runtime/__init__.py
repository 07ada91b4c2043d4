"""Run `.tflite` files: interpreter packages, accelerators, quantized inputs and outputs."""

from edgekit.runtime.backends import BACKENDS, open_backend
from edgekit.runtime.delegates import DELEGATES
from edgekit.runtime.model import Model, TensorSpec
from edgekit.runtime.opening import load

__all__ = ["BACKENDS", "DELEGATES", "Model", "TensorSpec", "load", "open_backend"]
