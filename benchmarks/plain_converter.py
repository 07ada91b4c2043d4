"""The yardstick: a full-integer conversion with a plain TFLiteConverter script.

Run by convert_overhead.py, in a process of its own.

    python benchmarks/plain_converter.py MODEL.keras SAMPLES.npy OUT.tflite
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

model_path, samples_path, out_path = sys.argv[1:]
model = keras.models.load_model(model_path, compile=False)
samples = np.load(samples_path)
inputs = keras.Input(batch_shape=(1, *model.input_shape[1:]))
model = keras.Model(inputs, model(inputs))
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = tf.int8
converter.inference_output_type = tf.int8
Path(out_path).write_bytes(converter.convert())
