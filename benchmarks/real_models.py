"""Claim: every Keras file that others published converts to full int8, for three targets.

Converts each model of the data folder for a Raspberry Pi, a Coral Edge TPU and a phone, and
compares size and outputs with the float model, and the size with the int8 file that the
model's authors published, where they did. Agreement is the share of the calibration
samples where int8 and float choose the same class; where a model has no classes it is the
signal to noise ratio. Speech models are fed random features here, which says something
about int8 against float, nothing about accuracy.

    EDGEKIT_DATA=... python benchmarks/real_models.py [--json FILE]
"""

import argparse
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import edgekit

TARGETS = ("raspberry-pi-4", "coral-usb", "android")
SAMPLES = 200
KERAS, TFLITE = "models/keras", "models/tflite/mlperf_tiny"
PICTURES, SMALL_PICTURES = "classification/flowers", "classification/cifar10/train"


@dataclass(frozen=True)
class Model:
    """One model of the data folder.

    Attributes:
        name: Short name.
        path: Below the data folder.
        data: Pictures below the data folder, or (mean, deviation, shape) of random features.
        wishes: Fields of the recipe.
        published: The authors' own int8 file, or None.
        loaded_by: How it is expected to be loaded.
    """

    name: str
    path: str
    data: str | tuple[float, float, tuple[int, ...]]
    loaded_by: str
    wishes: dict[str, Any] = field(default_factory=dict)
    published: str | None = None


REBUILT = "rebuilt from tf_keras"
MODELS = (
    Model(
        "ResNet8",
        f"{KERAS}/mlperf_tiny/image_classification/trained_models/pretrainedResnet.h5",
        SMALL_PICTURES,
        "keras",
        {"preprocessing": {"input_range": [0.0, 255.0]}},
        f"{TFLITE}/image_classification/trained_models/pretrainedResnet_quant.tflite",
    ),
    Model(
        "Visual wake words",
        f"{KERAS}/mlperf_tiny/visual_wake_words/trained_models/vww_96.h5",
        PICTURES,
        REBUILT,
        {"preprocessing": {"input_range": [0.0, 1.0]}},
        f"{TFLITE}/visual_wake_words/trained_models/vww_96_int8.tflite",
    ),
    Model(
        "Keyword spotting DS-CNN",
        f"{KERAS}/mlperf_tiny/keyword_spotting/trained_models/kws_ref_model",
        (0.0, 20.0, (49, 10, 1)),
        REBUILT,
        {},
        f"{TFLITE}/keyword_spotting/trained_models/kws_ref_model.tflite",
    ),
    Model(
        "Anomaly autoencoder",
        f"{KERAS}/mlperf_tiny/anomaly_detection/trained_models/ad01.h5",
        (0.0, 8.0, (640,)),
        "keras",
        {},
        f"{TFLITE}/anomaly_detection/trained_models/ad01_int8.tflite",
    ),
    Model(
        "Streaming wake word",
        f"{KERAS}/mlperf_tiny/streaming_wakeword/trained_models/str_ww_ref_model.h5",
        (0.5, 0.3, (30, 1, 40)),
        REBUILT,
        {},
        f"{TFLITE}/streaming_wakeword/trained_models/str_ww_ref_model.tflite",
    ),
    Model(
        "MobileNetV1 0.25, ImageNet",
        f"{KERAS}/st_modelzoo/image_classification/pretrained_models/mobilenetv1/"
        "Public_pretrainedmodel_public_dataset/ImageNet/mobilenet_v1_0.25_224/"
        "mobilenet_v1_0.25_224.h5",
        PICTURES,
        REBUILT,
        {"preprocessing": {"input_range": [-1.0, 1.0]}},
    ),
    Model(
        "mini-XCEPTION, emotions",
        f"{KERAS}/face_classification/trained_models/emotion_models/"
        "fer2013_mini_XCEPTION.102-0.66.hdf5",
        PICTURES,
        "keras",
        {"preprocessing": {"input_range": [-1.0, 1.0], "color": "gray"}},
    ),
)


def convert(model: Model, data: Path, folder: Path) -> Any:
    """Convert one model for all targets.

    Args:
        model: Which one.
        data: The data folder.
        folder: Where to write.

    Returns:
        The conversion, as `edgekit.convert` returns it.
    """
    if isinstance(model.data, str):
        calibrate = data / model.data
    else:
        mean, deviation, shape = model.data
        rng = np.random.default_rng(0)
        calibrate = folder / "features.npy"
        np.save(calibrate, rng.normal(mean, deviation, (SAMPLES, *shape)).astype(np.float32))
    wishes = {"targets": TARGETS, "calibrate": calibrate, "samples": SAMPLES, **model.wishes}
    return edgekit.convert(data / model.path, folder / "out", **wishes)


def row(model: Model, data: Path) -> dict[str, Any]:
    """Convert one model and sum up."""
    with tempfile.TemporaryDirectory() as name:
        made = convert(model, data, Path(name))
    coral = next(each for each in made.artifacts if each.target == "coral-usb")
    return {
        "model": model.name,
        "loaded_by": made.source.loaded_by,
        "import_difference": made.import_difference,
        "bytes": coral.bytes,
        "published_bytes": (data / model.published).stat().st_size if model.published else None,
        "fully_integer": all(each.fully_integer for each in made.artifacts),
        "agreement": coral.agreement,
        "sqnr_db": min(coral.sqnr_db.values()),
        "verified_in": list(coral.verified_in),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table."""
    heads = ("model", "loaded by", "int8 bytes", "published int8", "integer", "agreement")
    lines = [f"| {' | '.join(heads)} |", "|---|---|---:|---:|---|---:|"]
    for each in rows:
        agreement = each["agreement"]
        close = f"{each['sqnr_db']:.1f} dB" if agreement is None else f"{agreement:.1%}"
        published = f"{each['published_bytes']:,}" if each["published_bytes"] else "-"
        integer = "yes" if each["fully_integer"] else "no"
        cells = (
            each["model"],
            each["loaded_by"],
            f"{each['bytes']:,}",
            published,
            integer,
            close,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Convert all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=None)
    wishes = parser.parse_args()
    data = Path(os.environ["EDGEKIT_DATA"])
    rows = [row(model, data) for model in MODELS]
    print(table(rows))
    if wishes.json:
        wishes.json.write_text(json.dumps({"schema": 1, "models": rows}, indent=2))


if __name__ == "__main__":
    main()
