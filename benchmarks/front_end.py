"""The sound front end beside librosa, and its share of real time when sound arrives in pieces.

    python benchmarks/front_end.py [--seconds 1 10] [--rounds 200]

librosa is no dependency of edgekit (pip install librosa); without it the comparison is left
out, and that is said. Both compute the same log-mel features of the same noise, turn by turn,
on one thread: of whole sounds, and of one row whenever 20 ms have arrived. librosa runs in
two ways:

* `call`: `librosa.feature.melspectrogram` as its documentation has it, which makes the mel
  bands at every call (its triangles are linear in Hz, ours in mel: no difference is given);
* `lean`: `librosa.stft` and a product with our own bands, made once; the largest difference
  to our features is given.

Prints JSON: milliseconds (fastest and median) and the ratios of the medians; then for every
preset and piece of 10, 20 and 80 ms the share of real time that `Stream` takes.
"""

import argparse
import functools
import importlib
import importlib.util
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import numpy as np  # noqa: E402 # after the number of its threads

from edgekit.data.frontend import PRESETS, FrontEnd, Stream, extract, preset  # noqa: E402
from edgekit.data.frontend.mel import mel_bank  # noqa: E402

SCHEMA = 1
RATE = 16_000
GOAL = 5.0

Way = Callable[[np.ndarray], np.ndarray]


def librosa_ways(front_end: FrontEnd) -> dict[str, Way]:
    """Make functions that compute the front end's log-mel features with librosa."""
    librosa: Any = importlib.import_module("librosa")
    stft = {
        "n_fft": front_end.fft_size,
        "hop_length": front_end.step_samples,
        "win_length": front_end.frame_samples,
        "window": "hann",
        "center": False,
    }
    bands = {
        "n_mels": front_end.bins,
        "fmin": front_end.low_hz,
        "fmax": front_end.high_hz,
        "htk": True,
        "norm": None,
    }
    floor, mean, std = (
        np.float32(each) for each in (front_end.floor, front_end.mean, front_end.std)
    )
    bank = mel_bank(front_end).astype(np.float32).T

    def call(wave: np.ndarray) -> np.ndarray:
        power = librosa.feature.melspectrogram(
            y=wave, sr=front_end.sample_rate_hz, power=2.0, **stft, **bands
        )
        return np.asarray((np.log(power + floor).T - mean) / std)

    def lean(wave: np.ndarray) -> np.ndarray:
        power = np.square(np.abs(librosa.stft(wave, **stft)))
        return np.asarray((np.log(bank @ power + floor).T - mean) / std)

    return {"call": call, "lean": lean}


def compare_whole(seconds: float, rounds: int) -> dict[str, Any]:
    """Time whole sounds of one length, turn by turn."""
    front_end = preset("log-mel")
    wave = _noise(seconds)
    padded = _padded(wave, front_end)
    ways = librosa_ways(front_end)
    difference = np.abs(extract(wave, front_end) - ways["lean"](padded)).max()
    turns = {name: functools.partial(way, padded) for name, way in ways.items()}
    turns["edgekit"] = functools.partial(extract, wave, front_end)
    result = {"seconds": seconds, **_beside(turns, rounds)}
    return {**result, "largest_difference_to_lean": float(difference)}


def compare_rows(rounds: int) -> dict[str, Any]:
    """Time one row whenever 20 ms have arrived: what a device does all day."""
    front_end = preset("log-mel")
    piece = _noise(front_end.step_samples / RATE)
    stream_ = Stream(front_end)
    stream_.push(_noise(1.0))
    frame = _padded(_noise(front_end.frame_samples / RATE), front_end)
    ways = librosa_ways(front_end)
    turns = {name: functools.partial(way, frame) for name, way in ways.items()}
    turns["edgekit"] = functools.partial(stream_.push, piece)
    return {"rows": 1, **_beside(turns, rounds)}


def _padded(wave: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Give librosa the same frames: it centres a window shorter than the transform."""
    spare = (front_end.fft_size - front_end.frame_samples) // 2
    return np.pad(wave, (spare, spare))


def _beside(turns: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, Any]:
    spent: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            start = time.perf_counter()
            turn()
            spent[name].append(1e3 * (time.perf_counter() - start))
    median = {name: float(np.median(each)) for name, each in spent.items()}
    ratios = {name: median[name] / median["edgekit"] for name in ("call", "lean")}
    return {
        "median_ms": {name: round(each, 4) for name, each in median.items()},
        "fastest_ms": {name: round(min(each), 4) for name, each in spent.items()},
        "times_faster": {name: round(each, 2) for name, each in ratios.items()},
        "at_least_5_times": ratios["call"] >= GOAL,
    }


def stream(name: str, piece_ms: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Share of real time that a front end takes on a sound in pieces."""
    wave, size = _noise(seconds), RATE * piece_ms // 1000
    pieces = [wave[start : start + size] for start in range(0, wave.size, size)]
    shares = []
    for _ in range(rounds):
        front_end = Stream(preset(name))
        start = time.perf_counter()
        for piece in pieces:
            front_end.push(piece)
        shares.append((time.perf_counter() - start) / seconds)
    return {
        "preset": name,
        "piece_ms": piece_ms,
        "real_time_factor": round(float(np.median(shares)), 5),
        "us_a_piece": round(1e3 * piece_ms * float(np.median(shares)), 1),
    }


def _noise(seconds: float) -> np.ndarray:
    size = round(seconds * RATE)
    return np.random.default_rng(6).normal(0, 0.1, size).astype(np.float32)


def main() -> None:
    """Run both comparisons and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    found = importlib.util.find_spec("librosa") is not None
    beside: Any = "librosa is not installed; pip install librosa"
    if found:
        beside = [compare_whole(seconds, options.rounds) for seconds in options.seconds]
        beside.append(compare_rows(options.rounds))
    streamed = [
        stream(name, piece_ms, 5.0, max(options.rounds // 20, 1))
        for name in PRESETS
        for piece_ms in (10, 20, 80)
    ]
    print(json.dumps({"schema": SCHEMA, "librosa": beside, "stream": streamed}, indent=2))


if __name__ == "__main__":
    main()
