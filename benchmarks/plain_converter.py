"""The yardstick: a full-integer conversion with a plain TFLiteConverter script.

Run by convert_overhead.py, in a process of its own; the others call `convert`.

    python benchmarks/plain_converter.py MODEL.keras SAMPLES.npy OUT.tflite
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def convert(
    model: Any, samples: Iterable[Any], *, per_tensor: bool = False, io: Any = tf.int8
) -> bytes:
    """Convert a Keras model as TensorFlow's own guide shows.

    Args:
        model: It has one input.
        samples: Of that input, without the batch.
        per_tensor: One scale a weight tensor instead of one a channel.
        io: Type of input and output.
    """
    inputs = keras.Input(batch_shape=(1, *model.input_shape[1:]))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(inputs, model(inputs)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = io
    converter._experimental_disable_per_channel = per_tensor  # noqa: SLF001 (the only switch)
    content: bytes = converter.convert()
    return content


def main() -> None:
    """Convert one file."""
    model_path, samples_path, out_path = sys.argv[1:]
    model = keras.models.load_model(model_path, compile=False)
    Path(out_path).write_bytes(convert(model, np.load(samples_path)))


if __name__ == "__main__":
    main()
