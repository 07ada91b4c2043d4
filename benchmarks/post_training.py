"""What each step after the conversion recovers of an int8 ImageNet classifier.

MobileNetV1 0.25 (224 x 224), quantized with 200 photographs of flowers; agreement is the
share of the other photographs where the int8 file and the float model choose the same class
(of a tie the first). One column for each choice of the 200. Ranges and rounding of the plain
row are those of the second engine; every other row changes that file.

    EDGEKIT_DATA=... python benchmarks/post_training.py [--splits 3] [--rows NAME...] [--json F]
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data import open_dataset
from edgekit.manifest import Preprocessing
from edgekit.runtime import load
from edgekit_converters.quantize.chain.biases import correct
from edgekit_converters.quantize.chain.estimators import ESTIMATORS, estimate, histograms
from edgekit_converters.quantize.chain.logits import narrow_logits
from edgekit_converters.quantize.chain.pair import Pair
from edgekit_converters.quantize.chain.ranges import set_ranges
from edgekit_converters.quantize.chain.rounding import round_weights
from edgekit_converters.quantize.second_engine import quantize_tflite

MODEL = (
    "models/keras/st_modelzoo/image_classification/pretrained_models/mobilenetv1/"
    "Public_pretrainedmodel_public_dataset/ImageNet/mobilenet_v1_0.25_224/"
    "mobilenet_v1_0.25_224.h5"
)
PICTURES = "classification/flowers"
SHAPE = (224, 224, 3)
CALIBRATION = 200
WANTED = {"bias correction": 0.90, "rounding": 0.93}

Array = NDArray[Any]
Inputs = dict[int, Array]
Row = Callable[[Pair, Inputs, Inputs], object]


def _nothing(*_: object) -> None:
    """Leave the pair as it is."""


def _narrowed(then: Row) -> Row:
    def apply(pair: Pair, inputs: Inputs, float_inputs: Inputs) -> None:
        narrow_logits(pair)
        then(pair, inputs, float_inputs)

    return apply


def _estimated(name: str) -> Row:
    def apply(pair: Pair, inputs: Inputs, float_inputs: Inputs) -> None:
        set_ranges(pair, estimate(name, histograms(pair, float_inputs)))
        correct(pair, inputs, float_inputs)

    return apply


ROWS: dict[str, Row] = {
    "plain": _nothing,
    "bias correction": correct,
    "rounding": round_weights,
    "logits, bias correction": _narrowed(correct),
    "logits, rounding": _narrowed(round_weights),
    **{f"{name}, bias correction": _estimated(name) for name in ESTIMATORS if name != "minmax"},
}


def float_file(data: Path, folder: Path) -> Path:
    """Write the classifier as a float .tflite."""
    from edgekit_converters.sources import fix_batch, load_source, write_float

    path = folder / "float.tflite"
    write_float(fix_batch(load_source(data / MODEL)), path)
    return path


def pictures(folder: Path, splits: int) -> tuple[Array, list[NDArray[np.bool_]]]:
    """Return all photographs, and which of them calibrate in each split."""
    data = open_dataset(
        folder,
        shapes={"image": SHAPE},
        preprocessing=Preprocessing.from_range(-1, 1),
        labelled=False,
    )
    names = [data.name_of(index) for index in range(len(data))]
    chosen = []
    for seed in range(splits):
        subset = data.subset(CALIBRATION, seed)
        taken = {subset.name_of(index) for index in range(len(subset))}
        chosen.append(np.array([name in taken for name in names]))
    return np.stack([sample.inputs["image"][None] for sample in data]), chosen


def classes(path: Path, samples: Array) -> Array:
    """Return the class that a model chooses for each sample."""
    model: Any = load(path, probe=False)
    return np.array([model(sample).argmax() for sample in samples])


def measure(source: Path, integer: Path, row: Row, samples: Array) -> tuple[bytes, float]:
    """Apply one row to the plain file; return the file that it made, and its seconds."""
    pair = Pair(source.read_bytes(), integer.read_bytes())
    inputs = {pair.graph.main.inputs[0]: samples}
    float_inputs = {pair.float_graph.main.inputs[0]: samples}
    start = time.perf_counter()
    row(pair, inputs, float_inputs)
    return pair.pack(), time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--float-file", type=Path, help="made already, by `edgekit convert`")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    data = Path(os.environ["EDGEKIT_DATA"])
    samples, splits = pictures(data / PICTURES, args.splits)
    found: dict[str, dict[str, list[float]]] = {
        name: {"agreement": [], "seconds": []} for name in args.rows
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = args.float_file or float_file(data, folder)
        wanted = classes(source, samples)
        for chosen in splits:
            plain, made = folder / "plain.tflite", folder / "made.tflite"
            seen = [{"image": sample} for sample in samples[chosen]]
            quantize_tflite(source, plain, scheme="int8", samples=seen)
            for name in args.rows:
                content, seconds = measure(source, plain, ROWS[name], samples[chosen])
                made.write_bytes(content)
                same = classes(made, samples[~chosen]) == wanted[~chosen]
                found[name]["agreement"].append(float(same.mean()))
                found[name]["seconds"].append(seconds)
    for name, row in found.items():
        each = "  ".join(f"{value:.3f}" for value in row["agreement"])
        goal = f"  (wanted {WANTED[name]:.2f})" if name in WANTED else ""
        mean, seconds = (float(np.mean(row[key])) for key in ("agreement", "seconds"))
        print(f"{name:26} {each}  mean {mean:.3f}  {seconds:5.1f} s{goal}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
