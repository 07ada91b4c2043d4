"""Very small keyword models, made on the spot: what is louder than a hum is a word."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tiny_models import dense, with_manifest

from edgekit.data.frontend import FrontEnd
from edgekit.manifest import Manifest, Output
from edgekit.records import to_json
from edgekit.runtime.model import TensorSpec

RATE = 16000
LABELS = ("_silence_", "_unknown_", "low", "high")
# Two rows each 10 ms; bands of the lower and of the upper half; ln of the energy.
FRONT_END = FrontEnd(
    frame_samples=320, step_samples=160, fft_size=512, bins=8, frames=20, mean=0.0, std=1.0
)
TONES_HZ = {"low": 300.0, "high": 5000.0}


def tone(word: str, seconds: float = 0.3, amplitude: float = 0.5) -> np.ndarray:
    """Say one of the two words."""
    t = np.arange(round(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * TONES_HZ[word] * t)).astype(np.float32)


def silence(seconds: float, noise: float = 1e-4, seed: int = 0) -> np.ndarray:
    """Return faint noise."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, noise, round(seconds * RATE)).astype(np.float32)


def weights() -> tuple[np.ndarray, np.ndarray]:
    """Return weights and biases of four classes over a window of rows of `FRONT_END`.

    A word's score grows with the mean of its half of the bands, that of silence falls.
    """
    rows, bins = FRONT_END.frames, FRONT_END.features
    low = np.zeros((rows, bins), np.float32)
    low[:, : bins // 2] = 1
    high = 1 - low
    scale = 1 / (rows * bins * 8)
    matrix = np.stack([-0.3 * (low + high), 0 * low, 2 * low - high, 2 * high - low]) * scale
    return matrix.reshape(4, -1), np.array([0.1, 0, 0.1, 0.1], np.float32)


def manifest(decoding: dict[str, Any] | None = None, **fields: Any) -> Manifest:
    """Return what a keyword model says about itself."""
    usual = {"every": 1, "smooth": 3, "thresholds": {"low": 0.5, "high": 0.5}}
    return Manifest(
        **{
            "name": "words",
            "task": "keywords",
            "labels": LABELS,
            "front_end": to_json(FRONT_END),
            "outputs": (Output(name="scores", role="probabilities"),),
            "decoding": {"kind": "keywords", **usual, **(decoding or {})},
            **fields,
        }
    )


def write_sound(path: Path, wave: np.ndarray) -> Path:
    """Write a WAV file."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, RATE)
    return path


def write_clips(folder: Path, each: int = 3) -> Path:
    """Write a folder of clips of both words and of silence; a word is where it wants."""
    for number in range(each):
        for word in TONES_HZ:
            parts = [silence(0.3 * number, seed=1), tone(word), silence(0.6, seed=2)]
            write_sound(folder / word / f"{number}.wav", np.concatenate(parts))
        write_sound(folder / "_silence_" / f"{number}.wav", silence(1, seed=number))
    return folder


def write_words(path: Path, said: Manifest | None = None) -> Path:
    """Write a model that hears low and high tones."""
    matrix, bias = weights()
    content = dense(matrix, (1, FRONT_END.frames, FRONT_END.features, 1), bias=bias)
    path.write_bytes(with_manifest(content, said or manifest()))
    return path


class Counter:
    """A model with a state: its only score is how many rows it has seen, in hundreds.

    It is no file, but what a runtime makes of one.
    """

    inputs = (TensorSpec("rows", (1, 2, 8), "float32"), TensorSpec("seen", (1, 1), "float32"))
    outputs = (TensorSpec("next", (1, 1), "float32"), TensorSpec("scores", (1, 4), "float32"))
    manifest = manifest({"every": 2, "smooth": 1, "states": {"seen": "next"}})

    def __call__(self, x: Mapping[str, np.ndarray]) -> dict[str, Any]:
        assert {name: each.shape for name, each in x.items()} == {
            "rows": (1, 2, 8),
            "seen": (1, 1),
        }
        seen = x["seen"] + 2
        return {"next": seen, "scores": np.array([[0, 0, seen[0, 0] / 100, 0]])}
