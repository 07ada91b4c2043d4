"""TensorFlow, Keras 3 and tf_keras, quiet, and imported only where they are used."""

import logging
import os
from typing import Any

from edgekit.extras import need

# What the loaders of these libraries raise on files that they cannot read.
FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def tensorflow() -> Any:
    """Import TensorFlow without its start-up messages.

    Raises:
        MissingExtra: It is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    module: Any = need("tensorflow", "import and convert models")
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return module


def keras() -> Any:
    """Import Keras 3 on TensorFlow.

    Raises:
        MissingExtra: It is not installed.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    tensorflow()
    module: Any = need("keras", "import Keras models")
    module.config.disable_interactive_logging()  # else each conversion prints a page
    return module


def tf_keras() -> Any:
    """Import the Keras 2 that lives on as tf_keras.

    Raises:
        MissingExtra: It is not installed.
    """
    tensorflow()
    module: Any = need("tf_keras", "import models that Keras 2 wrote")
    return module


def failures() -> tuple[type[Exception], ...]:
    """Return what loading, building, running and converting a model may raise."""
    op_error: type[Exception] = tensorflow().errors.OpError
    from tensorflow.lite.python.convert_phase import ConverterError

    return (*FAILURES, op_error, ConverterError)
