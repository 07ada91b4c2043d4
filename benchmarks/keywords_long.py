"""Claim: a keyword model listens all day: little of one core, flat memory, words at once.

    python benchmarks/keywords_long.py [--model FILE.tflite] [--hours 10] [--json FILE]

Speech of `synthetic` is played as fast as it is taken, in pieces of 50 ms, through front end,
model and decisions, on one core and one thread:

* real-time factor: processor time of `Spotter.hear` for a second of sound, at most 0.02; the
  front end's and the decisions' share are measured apart, on the same pieces;
* memory: the peak after the first tenth of the time and at its end differ by at most 4 MiB;
* latency: seconds from the end of a word to the end of the piece with which its event comes,
  and what `hear` took for that piece, at most 250 ms in 95 of 100 cases; most words are heard
  before they end, which counts as it is, below 0.

`--model` is a file or the name of a carried model. A clip's end counts as the word's end. How
many of the words were heard is given, but not judged: that is `benchmarks/keywords.py`.
Prints JSON, exit code 1 if a claim does not hold.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import numpy as np  # noqa: E402 # after the number of its threads

from edgekit.audio.decisions import Decider, Event  # noqa: E402
from edgekit.audio.sources.synthetic import Spoken, Synthetic  # noqa: E402
from edgekit.audio.spotter import Spotter, open_spotter  # noqa: E402
from edgekit.data.frontend import Stream  # noqa: E402
from edgekit.measure import machine, peak_rss_mb  # noqa: E402
from edgekit.records import to_json  # noqa: E402
from edgekit_demos.models import model_path  # noqa: E402

SCHEMA = 1
FACTOR, GROWTH_MIB, LATENCY_S = 0.02, 4.0, 0.25
_LATE_S = 0.75  # an event so long after a word is no longer its own
_APART_S = 120.0  # of sound, to measure the parts on


class Listening:
    """Plays synthetic speech to a spotter and keeps time.

    Attributes:
        seconds: Of sound so far.
        busy_s: Processor time of the spotter so far.
        events: What was heard, with the moment at which it was known.
    """

    def __init__(self, spotter: Spotter) -> None:
        self._spotter = spotter
        self.seconds = 0.0
        self.busy_s = 0.0
        self.events: list[tuple[Event, float]] = []

    def until(self, seconds: float, pieces: Iterator[np.ndarray]) -> None:
        """Listen until so much of the sound was heard."""
        rate = self._spotter.sample_rate_hz
        while self.seconds < seconds:
            samples = next(pieces)
            began = time.process_time()
            heard = self._spotter.hear(samples)
            took = time.process_time() - began
            self.busy_s += took
            self.seconds += samples.size / rate
            self.events += [(event, self.seconds + took) for event in heard.events]


def latencies(
    events: list[tuple[Event, float]], spoken: list[Spoken], words: tuple[str, ...]
) -> tuple[list[float], int, int]:
    """Return how long after its word each event was known, and words said and not heard."""
    found, missed, said = [], 0, 0
    for each in spoken:
        if each.word not in words:
            continue
        said += 1
        known = [
            at - each.end
            for event, at in events
            if event.keyword == each.word and each.begin <= event.t <= each.end + _LATE_S
        ]
        if known:
            found.append(known[0])
        else:
            missed += 1
    return found, said, missed


def parts(spotter: Spotter) -> dict[str, float]:
    """Return the real-time factor of the front end and of the decisions, each alone."""
    source = Synthetic(spotter.sample_rate_hz, seed=1)
    stream, front_s, seconds = Stream(spotter.front_end), 0.0, 0.0
    for chunk in source.chunks():
        began = time.process_time()
        stream.push(chunk.samples)
        front_s += time.process_time() - began
        seconds += chunk.samples.size / spotter.sample_rate_hz
        if seconds >= _APART_S:
            break
    step_s = spotter.front_end.step_samples * spotter.settings.every / spotter.sample_rate_hz
    decider = Decider(spotter.labels, spotter.settings)
    scores = np.random.default_rng(0).dirichlet(np.ones(len(spotter.labels)), 1)
    began = time.process_time()
    for number in range(round(_APART_S / step_s)):
        decider.push(scores.astype(np.float32), np.array([number * step_s]))
    decide_s = time.process_time() - began
    return {"front_end": front_s / seconds, "decisions": decide_s / _APART_S}


def measure(model: str, hours: float) -> dict[str, Any]:
    """Play the hours and return all numbers."""
    where = to_json(machine())  # before it is left with one core
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    path = Path(model) if Path(model).exists() else model_path(model)
    spotter = open_spotter(path, threads=1, probe=False)
    alone = parts(spotter)
    source = Synthetic(spotter.sample_rate_hz)
    pieces = (chunk.samples for chunk in source.chunks())
    listening, peaks, total = Listening(spotter), [], hours * 3600
    began = time.perf_counter()
    for share in range(1, 11):
        listening.until(total * share / 10, pieces)
        peaks.append(peak_rss_mb())
        print(f"{listening.seconds / 3600:.1f} h, peak {peaks[-1]:.1f} MiB", file=sys.stderr)
    played_s = time.perf_counter() - began
    spoken = list(itertools.takewhile(lambda each: each.end < total - 1, source.spoken()))
    recent = [each for each in spoken if each.end < 3600]  # of a day one hour is enough
    waits, said, missed = latencies(listening.events[:10_000], recent, spotter.words)
    factor = listening.busy_s / listening.seconds
    late = float(np.percentile(waits, 95)) if waits else None
    growth = peaks[-1] - peaks[0]
    return {
        "schema": SCHEMA,
        "model": path.name,
        "hours": round(listening.seconds / 3600, 2),
        "played_s": round(played_s, 1),
        "real_time_factor": round(factor, 5),
        "front_end_alone": round(alone["front_end"], 5),
        "decisions_alone": round(alone["decisions"], 5),
        "peak_mib": [round(each, 1) for each in peaks],
        "growth_mib": round(growth, 1),
        "words_said": said,
        "words_missed": missed,
        "latency_s": None
        if late is None
        else {
            "median": round(float(np.median(waits)), 3),
            "p95": round(late, 3),
            "max": round(max(waits), 3),
        },
        "holds": {
            "real_time_factor": factor <= FACTOR,
            "memory": growth <= GROWTH_MIB,
            "latency": late is not None and late <= LATENCY_S,
        },
        "machine": where,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="words", help="A file, or a carried model.")
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="Write it there, too.")
    options = parser.parse_args()
    found = measure(options.model, options.hours)
    text = json.dumps(found, indent=2)
    if options.json:
        options.json.write_text(f"{text}\n", encoding="utf-8")
    print(text)
    sys.exit(not all(found["holds"].values()))


if __name__ == "__main__":
    main()
