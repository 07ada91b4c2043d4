"""`edgekit demo classify`: what the frames of a camera, a film or a stream show.

In Python:

    from edgekit.vision.classifier import open_classifier
    from edgekit.vision.pipeline import Pipeline
    from edgekit.vision.sources import open_source

    classifier = open_classifier("flowers.raspberry-pi-4.tflite")
    for result in Pipeline(open_source("0"), classifier):
        best = result.detections
        print(result.frame.t, classifier.labels[best.classes[0]], best.scores[0])
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edgekit.records import from_json
from edgekit.vision.classifier import Classifier, open_classifier
from edgekit.vision.pipeline import Result
from edgekit.vision.writer import document
from edgekit_demos.live import Request, Run, find_model, run, work

MODEL = "shapes.raspberry-pi-4"


def classify(request: Request, *, hear: Callable[[dict[str, Any]], None] | None = None) -> Run:
    """Tell what the frames of a source show; see `edgekit_demos.live.run`.

    Raises:
        TargetError: The model is no classifier.
    """
    found = replace(request, model=str(find_model(request.model)))
    return run("edgekit_demos.classify:worker", found, hear=hear)


def worker(request: dict[str, Any]) -> Run:
    """Do it, in the guarded child."""
    wishes = from_json(Request, request, "the request")
    classifier = open_classifier(wishes.model, **wishes.opening())
    return work(wishes, classifier, lambda result: describe(result, classifier), places=False)


def describe(result: Result, classifier: Classifier) -> dict[str, Any]:
    """Put a result into plain JSON values, as of a detector, and the best classes as `top`.

    Classes below the threshold are in `top` only.
    """
    told = document(result, classifier.labels)
    every = told["detections"]
    told["detections"] = [each for each in every if each["score"] >= classifier.threshold]
    told["top"] = [{"label": each["label"], "score": each["score"]} for each in every]
    return told
