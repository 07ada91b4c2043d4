"""MediaPipe, the phones' real client, run in an environment of its own."""

import json
import os
import subprocess
from pathlib import Path

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


def classify(models: list[Path], pictures: list[Path]) -> list[list[tuple[int, str, float]]]:
    """Return the best class of each picture as MediaPipe sees it with each model."""
    python = os.environ.get("EDGEKIT_MEDIAPIPE_PYTHON")
    if not python:
        pytest.skip("EDGEKIT_MEDIAPIPE_PYTHON names no Python that has mediapipe")
    job = json.dumps([[str(each) for each in paths] for paths in (models, pictures)])
    child = subprocess.run(
        [python, "-c", CLASSIFY, job], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    best: list[list[tuple[int, str, float]]] = json.loads(child.stdout.splitlines()[-1])
    return best
