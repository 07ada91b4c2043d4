"""Claim: the frame pipeline runs as fast as its slowest stage, and faster than a plain loop.

    python benchmarks/detect_pipeline.py [--model MODEL.tflite] [--frames 600] [--rounds 5]

A clip of drawn playing cards, 1280x720, H.264 where FFmpeg is on the PATH, goes through the
carried card detector with one inference thread and no drawing:

* frames per second >= 0.9 of what the slowest stage reaches when it runs alone;
* wall time minus the time in the longest stage <= 10 % of the wall time;
* frames per second >= 1.15 times those of MediaPipe Tasks' ObjectDetector in the loop of its
  documentation (OpenCV reads, colours are swapped, `detect_for_video`), with the same model
  and clip. It runs in an environment of its own: EDGEKIT_MEDIAPIPE_PYTHON names its
  interpreter; without it this part is left out.

All of them take turns, each in a process of its own; the median of the rounds counts.
`of_cores` says how much of all cores the pipeline kept busy: near 1 it is they that set the
bound, not a stage. `of_possible` is the share of what they can do: the lower of the slowest
stage's pace, and as many times that of the four stages in turns as there are cores. Where
other work shares the processor, stages that overlap have nothing to gain: see `load`. Prints
JSON, exit code 1 if one of the claims does not hold.
"""

import argparse
import contextlib
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit import guard
from edgekit.artifact import read_manifest
from edgekit.data import opencv
from edgekit.data.video import Recorder
from edgekit.measure import machine
from edgekit.records import to_json
from edgekit.vision.detector import open_detector
from edgekit.vision.outputs.ssd import KIND as SSD
from edgekit.vision.pipeline import Pipeline
from edgekit.vision.sources import open_source
from edgekit.vision.sources.synthetic import FPS, Synthetic
from edgekit.vision.tracking import Tracker
from edgekit_converters.export.boxes import with_boxes
from edgekit_demos.live import find_model

SCHEMA = 1
SIZE = (720, 1280)
LEAST_OF_BOUND, MOST_OVERHEAD, LEAST_RATIO = 0.9, 0.10, 1.15

_MEDIAPIPE = """
import json, sys, time
import cv2
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

model, clip, threshold = json.loads(sys.argv[1])
options = vision.ObjectDetectorOptions(
    base_options=BaseOptions(model_asset_path=model), score_threshold=threshold,
    running_mode=vision.RunningMode.VIDEO)
with vision.ObjectDetector.create_from_options(options) as detector:
    film = cv2.VideoCapture(clip)
    frames = found = 0
    begun = time.perf_counter()
    while True:
        more, bgr = film.read()
        if not more:
            break
        image = mp.Image(
            image_format=mp.ImageFormat.SRGB, data=cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
        found += len(detector.detect_for_video(image, frames * 33).detections)
        frames += 1
    seconds = time.perf_counter() - begun
print(json.dumps({"frames": frames, "seconds": seconds, "found": found,
                  "version": mp.__version__}))
"""


def write_clip(folder: Path, frames: int) -> Path:
    """Write drawn cards as a film: MPEG-4, and as H.264 if that can be had."""
    plain = folder / "plain.mp4"
    with Recorder(plain, SIZE, FPS) as film:
        for frame in itertools.islice(Synthetic(SIZE).frames(), frames):
            film.write(frame.pixels)
    if shutil.which("ffmpeg") is None:
        return plain
    clip = folder / "h264.mp4"
    coding = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
    command = ("ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(plain), *coding, str(clip))
    subprocess.run(command, check=True)
    return clip


def run_pipeline(model: str, clip: str) -> dict[str, Any]:
    """Run the pipeline in this process."""
    detector = open_detector(model, threads=1, probe=False)
    detector(next(open_source(clip).frames()).pixels)
    found, spent = 0, time.process_time()
    with Pipeline(open_source(clip), detector, tracker=Tracker()) as pipeline:
        for result in pipeline:
            found += len(result.detections)
    summary = pipeline.summary()
    spent = time.process_time() - spent
    longest = max(summary.busy_s.values())
    return {
        "frames": summary.frames,
        "fps": summary.fps,
        "found": found,
        "busy_s": summary.busy_s,
        "overhead": 1 - longest / summary.seconds,
        "of_cores": spent / summary.seconds / machine().cores,
        "ms": to_json(summary.ms),
    }


def run_stages_alone(model: str, clip: str) -> dict[str, float]:
    """Run each stage over the whole clip while the others rest; frames a second of each."""
    detector = open_detector(model, threads=1, probe=False)
    frames = list(itertools.islice(open_source(clip).frames(), 60))
    inputs = [detector.prepare(frame.pixels, frame.order) for frame in frames]
    outputs = [detector.infer(prepared) for prepared, _ in inputs]
    tracker = Tracker()
    total = 0
    begun = time.perf_counter()
    for _ in open_source(clip).frames():
        total += 1
    rates = {"capture": total / (time.perf_counter() - begun)}

    def rate(work: Callable[[int], object]) -> float:
        begun = time.perf_counter()
        for number in range(total):
            work(number % len(frames))
        return total / (time.perf_counter() - begun)

    rates["preprocess"] = rate(lambda i: detector.prepare(frames[i].pixels, frames[i].order))
    rates["inference"] = rate(lambda i: detector.infer(inputs[i][0]))
    rates["postprocess"] = rate(
        lambda i: tracker.update(detector.finish(outputs[i], inputs[i][1]))
    )
    return rates


def run_in_turns(model: str, clip: str) -> dict[str, float]:
    """Run all stages on one frame after the other, in one thread; frames a second."""
    detector, tracker = open_detector(model, threads=1, probe=False), Tracker()
    total = 0
    begun = time.perf_counter()
    with opencv.one_thread():
        for frame in open_source(clip).frames():
            prepared, placing = detector.prepare(frame.pixels, frame.order)
            tracker.update(detector.finish(detector.infer(prepared), placing))
            total += 1
    return {"fps": total / (time.perf_counter() - begun)}


def run_mediapipe(python: str, model: str, clip: str, threshold: float) -> dict[str, Any]:
    """Run MediaPipe's ObjectDetector in its own environment."""
    job = json.dumps([model, clip, threshold])
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", _MEDIAPIPE, job],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"MediaPipe failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "fps": found["frames"] / found["seconds"]}


def measure(model: Path, clip: Path, rounds: int) -> dict[str, Any]:
    """Let all of them take turns."""
    python = os.environ.get("EDGEKIT_MEDIAPIPE_PYTHON")
    threshold = open_detector(model, threads=1).threshold
    rows = []
    for _ in range(rounds):
        row: dict[str, Any] = {
            "edgekit": _apart("run_pipeline", model, clip),
            "alone_fps": _apart("run_stages_alone", model, clip),
            "in_turns": _apart("run_in_turns", model, clip),
        }
        if python:
            row["mediapipe"] = run_mediapipe(python, str(model), str(clip), threshold)
        rows.append(row)
        print(json.dumps(row), file=sys.stderr)
    return {"rounds": rows, **summed_up(rows)}


def _apart(function: str, model: Path, clip: Path) -> Any:
    """Run a function of this file in a process of its own."""
    name = f"{Path(__file__).stem}:{function}"
    return guard.call(name, doing="measuring", model=str(model), clip=str(clip))


def summed_up(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians and whether the claims hold."""
    of_bound = statistics.median(
        row["edgekit"]["fps"] / min(row["alone_fps"].values()) for row in rows
    )
    overhead = statistics.median(row["edgekit"]["overhead"] for row in rows)
    of_possible = statistics.median(
        row["edgekit"]["fps"]
        / min(*row["alone_fps"].values(), row["in_turns"]["fps"] * machine().cores)
        for row in rows
    )
    found: dict[str, Any] = {
        "fps": statistics.median(row["edgekit"]["fps"] for row in rows),
        "of_bound": of_bound,
        "of_possible": of_possible,
        "of_cores": statistics.median(row["edgekit"]["of_cores"] for row in rows),
        "overhead": overhead,
        "ratio": None,
        "holds": {
            "of_bound": of_bound >= LEAST_OF_BOUND,
            "overhead": overhead <= MOST_OVERHEAD,
        },
    }
    if all("mediapipe" in row for row in rows):
        ratio = statistics.median(
            row["edgekit"]["fps"] / row["mediapipe"]["fps"] for row in rows
        )
        found["ratio"] = ratio
        found["holds"]["ratio"] = ratio >= LEAST_RATIO
    return found


def is_raw(model: Path) -> bool:
    """Say whether a model leaves its boxes to be decoded."""
    manifest = read_manifest(model)
    return bool(manifest and (manifest.decoding or {}).get("kind") == SSD)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="cards", help="a .tflite, or a carried model")
    parser.add_argument("--clip", type=Path, help="a film instead of the drawn one")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    model = find_model(options.model)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if is_raw(model):  # MediaPipe opens finished boxes only; so all get these
            content = with_boxes(model.read_bytes())
            model = folder / model.name
            model.write_bytes(content)
        clip = options.clip or write_clip(folder, options.frames)
        found = measure(model, clip, options.rounds)
        coding = clip.stem
    about = {"schema": SCHEMA, "model": model.name, "clip": coding, "machine": machine()}
    print(json.dumps(to_json({**about, **found}), indent=2))
    sys.exit(0 if all(found["holds"].values()) else 1)


if __name__ == "__main__":
    main()
