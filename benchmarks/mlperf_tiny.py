"""Claim: int8 files of edgekit are no further from float than the authors' own.

Converts the reference models of MLPerf Tiny and compares int8 files with the float model on
the same inputs: that of a plain TFLiteConverter, that of edgekit, by default and with
--round, and the file that the models' authors published. The published file is compared with
the float .tflite beside it, if there is one: it is not always made from the Keras file.
Agreement is the share of inputs where the int8 file chooses the float model's class; the
signal to noise ratio (SQNR) is that of the outputs, and all that counts for the autoencoder.
The lead is over the published file, in standard errors of the paired difference.

The data that the models were made for are not at hand; others stand in for them, and the
200 that calibrate are not among those that are compared:

* ResNet8: cifar pictures, which its authors trained it on; so is its accuracy.
* Visual wake words: photographs of flowers, 96 x 96.
* Keyword spotting: MFCC of the loudest second of recorded words that it does not know.
* Streaming wake word: log-mel energies of the same seconds.
* Anomaly detection: log-mel energies of noises, five frames each, none twice.

    EDGEKIT_DATA=... python benchmarks/mlperf_tiny.py [--only NAME...] [--json FILE]
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from plain_converter import convert as convert_plainly

import edgekit
from edgekit.data import open_dataset
from edgekit.data.sounds import read_sound
from edgekit.errors import DataError
from edgekit.manifest import Preprocessing
from edgekit.runtime import load
from edgekit_converters.sources import fix_batch, load_source, write_float

KERAS, PUBLISHED = "models/keras/mlperf_tiny", "models/tflite/mlperf_tiny"
WORDS, NOISES = "keywords/{alexa,computer,jarvis,snowboy}", "keywords/noises"
CALIBRATION = 200
RATE = 16000
SMALLEST = 1e-6  # what is added before a logarithm

Array = NDArray[Any]


def pictures(folder: Path, size: int, highest: float) -> tuple[Array, Array]:
    """Read pictures of classes."""
    data = open_dataset(
        folder,
        shapes={"image": (size, size, 3)},
        preprocessing=Preprocessing.from_range(0, highest),
        labelled=True,
    )
    samples = list(data)
    return np.stack([each.inputs["image"] for each in samples]), np.array(
        [each.label for each in samples]
    )


def cifar(data: Path) -> tuple[Array, Array]:
    """Small pictures, as ResNet8 takes them."""
    return pictures(data / "classification/cifar10/train", 32, 255)


def flowers(data: Path) -> tuple[Array, None]:
    """Photographs, as the visual wake words take them."""
    return pictures(data / "classification/flowers", 96, 1)[0], None


def seconds(data: Path) -> Iterator[Array]:
    """Cut the loudest second out of each recorded word, largest sample 1."""
    for folder in ("alexa", "computer", "jarvis", "snowboy"):
        for path in sorted((data / "keywords" / folder).iterdir()):
            try:
                wave = read_sound(path, RATE)
            except DataError:  # a few are broken
                continue
            wave = np.pad(wave, (0, max(0, RATE - len(wave))))
            energy = np.cumsum(np.concatenate([[0.0], wave.astype(np.float64) ** 2]))
            start = int(np.argmax(energy[RATE:] - energy[:-RATE]))
            second = wave[start : start + RATE]
            yield second / max(float(second.max()), SMALLEST)


def mel(spectrum: Any, bands: int, lowest: float, highest: float) -> Any:
    """Sum a spectrum into bands that are even in mel."""
    weights = tf.signal.linear_to_mel_weight_matrix(
        bands, spectrum.shape[-1], RATE, lowest, highest
    )
    return tf.tensordot(spectrum, weights, 1)


def cepstra(data: Path) -> tuple[Array, None]:
    """MFCC as the DS-CNN takes them: 49 windows of 30 ms every 20 ms, 10 coefficients."""
    found = []
    for wave in seconds(data):
        spectrum = tf.abs(tf.signal.stft(wave, RATE * 30 // 1000, RATE * 20 // 1000))
        logs = tf.math.log(mel(spectrum, 40, 20.0, 4000.0) + SMALLEST)
        found.append(tf.signal.mfccs_from_log_mel_spectrograms(logs)[:, :10, None].numpy())
    return np.stack(found), None


def energies(data: Path) -> tuple[Array, None]:
    """Log-mel energies in [0, 1] as the wake word takes them: 30 windows of 64 ms, 40 bands."""

    def window(length: int, dtype: Any) -> Any:
        return tf.signal.hamming_window(length, periodic=False, dtype=dtype)

    found = []
    for wave in seconds(data):
        raised = np.append(wave[0], wave[1:] - (1 - 2**-5) * wave[:-1]).astype(np.float32)
        spectrum = tf.abs(tf.signal.stft(raised, 1024, 512, window_fn=window))
        power = tf.maximum(mel(tf.square(spectrum) / 1024, 40, 0.0, RATE / 2), 1e-30)
        found.append(np.clip((decibels(power) + 52) / 64, 0, 1)[:, None])
    return np.stack(found), None


def frames(data: Path) -> tuple[Array, None]:
    """Log-mel energies of noises as the autoencoder takes them: 5 frames of 128 bands.

    Bands have an area of 1 over Hz; the noises are faint, as its range asks for.
    """
    hertz = RATE / 1024 * mel(tf.ones((1, 513)), 128, 0.0, RATE / 2)
    found = []
    for path in sorted((data / NOISES).iterdir()):
        spectrum = tf.abs(tf.signal.stft(read_sound(path, RATE) / 10, 1024, 512))
        power = tf.math.divide_no_nan(mel(tf.square(spectrum), 128, 0.0, RATE / 2), hertz)
        logs = decibels(power + SMALLEST)
        found += [logs[i : i + 5].ravel() for i in range(0, len(logs) - 5, 6)]
    return np.stack(found), None


def decibels(power: Any) -> Array:
    """Return 10 log10 of a power."""
    found: Array = (10 / np.log(10) * tf.math.log(power)).numpy()
    return found


@dataclass(frozen=True)
class Model:
    """One reference model.

    Attributes:
        name: What it does.
        path: The Keras model, below the folder of those.
        published: The authors' int8 file, below the folder of those.
        original: The float .tflite that it was made from; empty where there is none.
        inputs: Reads what stands in for its data, with classes if it knows those.
        classes: Whether its outputs are scores of classes.
    """

    name: str
    path: str
    published: str
    original: str
    inputs: Callable[[Path], tuple[Array, Array | None]]
    classes: bool = True


MODELS = (
    Model(
        "image classification (ResNet8)",
        "image_classification/trained_models/pretrainedResnet.h5",
        "image_classification/trained_models/pretrainedResnet_quant.tflite",
        "image_classification/trained_models/pretrainedResnet.tflite",
        cifar,
    ),
    Model(
        "visual wake words (MobileNetV1 0.25)",
        "visual_wake_words/trained_models/vww_96.h5",
        "visual_wake_words/trained_models/vww_96_int8.tflite",
        "visual_wake_words/trained_models/vww_96_float.tflite",
        flowers,
    ),
    Model(
        "keyword spotting (DS-CNN)",
        "keyword_spotting/trained_models/kws_ref_model",
        "keyword_spotting/trained_models/kws_ref_model.tflite",
        "keyword_spotting/trained_models/kws_ref_model_float32.tflite",
        cepstra,
    ),
    Model(
        "streaming wake word (1D DS-CNN)",
        "streaming_wakeword/trained_models/str_ww_ref_model.h5",
        "streaming_wakeword/trained_models/str_ww_ref_model.tflite",
        "",
        energies,
    ),
    Model(
        "anomaly detection (autoencoder)",
        "anomaly_detection/trained_models/ad01.h5",
        "anomaly_detection/trained_models/ad01_int8.tflite",
        "anomaly_detection/trained_models/ad01_fp32.tflite",
        frames,
        classes=False,
    ),
)


@dataclass(frozen=True)
class Row:
    """One int8 file beside the float model.

    Attributes:
        model: Name of the model.
        file: Who made it.
        samples: How many inputs this is over.
        agreement: Share of them with the float model's class; None without classes.
        sqnr_db: Signal to noise of the outputs.
        accuracy: Where classes are known.
        lead: What the samples say of its nearness to float over the published file's, in
            standard errors; 0 for that file itself.
        bytes: Size of the file.
    """

    model: str
    file: str
    samples: int
    agreement: float | None
    sqnr_db: float
    accuracy: float | None
    lead: float
    bytes: int


def outputs(path: Path, inputs: Array) -> Array:
    """Run a file on each sample."""
    model: Any = load(path, probe=False, threads=1)
    return np.stack([np.asarray(model(each[None])).ravel() for each in inputs])


def made(path: Path, teaching: Array, folder: Path) -> Iterator[tuple[str, Path]]:
    """Quantize a model in each way."""
    plain, calibration = folder / "plain.tflite", folder / "calibration.npy"
    source = fix_batch(load_source(path))
    plain.write_bytes(convert_plainly(source.model, teaching, io=tf.float32))
    yield "plain TFLiteConverter", plain
    np.save(calibration, teaching)
    for name, rounding in (("edgekit", False), ("edgekit --round", True)):
        out = folder / f"{rounding}.tflite"
        edgekit.quantize(
            path, out, calibrate=str(calibration), samples=len(teaching), round=rounding
        )
        yield name, out


def measure(model: Model, data: Path, folder: Path) -> Iterator[Row]:
    """Compare each int8 file of one model with its float model."""
    inputs, labels = model.inputs(data)
    order = np.random.default_rng(0).permutation(len(inputs))
    seen, unseen = order[:CALIBRATION], order[CALIBRATION:]
    fresh, path = inputs[unseen], data / KERAS / model.path
    source, theirs = folder / "float.tflite", data / PUBLISHED
    write_float(fix_batch(load_source(path)), source)
    wanted = outputs(source, fresh)
    original = outputs(theirs / model.original, fresh) if model.original else wanted
    files = [("published", theirs / model.published), *made(path, inputs[seen], folder)]
    nearness: dict[str, Array] = {}
    for name, file in files:
        found = outputs(file, fresh)
        aim = original if name == "published" else wanted
        same = found.argmax(-1) == aim.argmax(-1)
        error = np.square(found - aim).sum(-1)
        nearness[name] = same.astype(float) if model.classes else -error
        right = None if labels is None else float((found.argmax(-1) == labels[unseen]).mean())
        yield Row(
            model=model.name,
            file=name,
            samples=len(fresh),
            agreement=float(same.mean()) if model.classes else None,
            sqnr_db=float(10 * np.log10(np.square(aim).sum() / error.sum())),
            accuracy=right,
            lead=lead(nearness[name] - nearness["published"]),
            bytes=file.stat().st_size,
        )


def lead(gains: Array) -> float:
    """Return the mean of paired differences in standard errors of it."""
    error = float(gains.std(ddof=1)) / np.sqrt(len(gains))
    return float(gains.mean() / error) if error else 0.0


def main() -> int:
    """Measure, print, and say whether the claim holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="Parts of models' names.")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    data = Path(os.environ["EDGEKIT_DATA"])
    rows = []
    print("| model | int8 file | agreement | SQNR, dB | accuracy | lead | bytes |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for model in MODELS:
        if asked.only and not any(each in model.name for each in asked.only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for row in measure(model, data, Path(folder)):
                rows.append(row)
                print(line(row), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({"schema": 1, "rows": [asdict(row) for row in rows]}))
    worst = min(row.lead for row in rows if row.file.startswith("edgekit"))
    print(f"Smallest lead of edgekit: {worst:.1f} standard errors.")
    return int(worst < 0)


def line(row: Row) -> str:
    """Write a row of the table."""
    shares = ["-" if v is None else f"{v:.3f}" for v in (row.agreement, row.accuracy)]
    cells = (
        row.model,
        row.file,
        shares[0],
        f"{row.sqnr_db:.1f}",
        shares[1],
        f"{row.lead:+.1f}",
    )
    return f"| {' | '.join(cells)} | {row.bytes:,} |"


if __name__ == "__main__":
    raise SystemExit(main())
