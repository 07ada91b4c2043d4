"""MediaPipe, the phones' real client, run in an environment of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

CLASSIFY = """
import json, sys
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

def top(path, pictures):
    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_path=path), max_results=1)
    with vision.ImageClassifier.create_from_options(options) as classifier:
        results = [classifier.classify(mp.Image.create_from_file(each)) for each in pictures]
    best = [each.classifications[0].categories[0] for each in results]
    return [(each.index, each.category_name, round(each.score, 6)) for each in best]

models, pictures = json.loads(sys.argv[1])
print(json.dumps([top(path, pictures) for path in models]))
"""


DETECT = """
import json, sys
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

path, picture, threshold = json.loads(sys.argv[1])
options = vision.ObjectDetectorOptions(
    base_options=BaseOptions(model_asset_path=path), score_threshold=threshold)
with vision.ObjectDetector.create_from_options(options) as detector:
    found = detector.detect(mp.Image.create_from_file(picture)).detections
print(json.dumps([
    (each.categories[0].category_name, each.categories[0].score, each.bounding_box.origin_x,
     each.bounding_box.origin_y, each.bounding_box.width, each.bounding_box.height)
    for each in found]))
"""

LISTEN = """
import json, sys
import numpy as np
from mediapipe.tasks.python import BaseOptions, audio
from mediapipe.tasks.python.components import containers

path, sounds, rate = json.loads(sys.argv[1])
options = audio.AudioClassifierOptions(base_options=BaseOptions(model_asset_path=path))
with audio.AudioClassifier.create_from_options(options) as classifier:
    heard = []
    for each in np.load(sounds):
        clip = containers.AudioData.create_from_array(each, rate)
        heard.append(classifier.classify(clip)[0].classifications[0].categories)
print(json.dumps([{each.category_name: each.score for each in every} for every in heard]))
"""


def classify(models: list[Path], pictures: list[Path]) -> list[list[tuple[int, str, float]]]:
    """Return the best class of each picture as MediaPipe sees it with each model."""
    found: list[list[tuple[int, str, float]]] = _ask(
        CLASSIFY, [[str(each) for each in paths] for paths in (models, pictures)]
    )
    return found


def detect(
    model: Path, picture: Path, threshold: float
) -> list[tuple[str, float, int, int, int, int]]:
    """Return label, score, left, top, width and height of what MediaPipe finds."""
    found: list[tuple[str, float, int, int, int, int]] = _ask(
        DETECT, [str(model), str(picture), threshold]
    )
    return found


def listen(model: Path, sounds: Path, rate: int) -> list[dict[str, float]]:
    """Return the scores by label that MediaPipe gives each sound of an .npy file."""
    found: list[dict[str, float]] = _ask(LISTEN, [str(model), str(sounds), rate])
    return found


def _ask(script: str, job: list[Any]) -> Any:
    python = os.environ.get("EDGEKIT_MEDIAPIPE_PYTHON")
    if not python:
        pytest.skip("EDGEKIT_MEDIAPIPE_PYTHON names no Python that has mediapipe")
    child = subprocess.run(
        [python, "-c", script, json.dumps(job)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout.splitlines()[-1])
