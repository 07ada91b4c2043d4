"""Float .tflite files of small graphs, made on the spot."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeFloat = Callable[..., Path]


@pytest.fixture
def float_file(tmp_path: Path) -> MakeFloat:
    """Return a function that writes a TensorFlow function as a float .tflite."""

    def make(function: Any, *shapes: tuple[int | None, ...], name: str = "float") -> Path:
        import tensorflow as tf

        specs = [tf.TensorSpec(s, tf.float32, name=f"x{i}") for i, s in enumerate(shapes)]
        concrete = tf.function(function).get_concrete_function(*specs)
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())
        return path

    return make
