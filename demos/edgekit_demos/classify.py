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

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from edgekit.records import from_json
from edgekit_demos.frames import Request, Run
from edgekit_demos.live import find_model, run

MODEL = "shapes.raspberry-pi-4"


def classify(request: Request, *, hear: Callable[[dict[str, Any]], None] | None = None) -> Run:
    """Tell what the frames of a source show; see `edgekit_demos.live.run`.

    Raises:
        TargetError: The model is no classifier.
    """
    found = replace(request, model=str(find_model(request.model)))
    return run("edgekit_demos.classify:worker", found, Run, hear=hear)


def worker(request: dict[str, Any]) -> Run:
    """Do it, in the guarded child; the process that started it needs none of this."""
    from edgekit.vision.classifier import open_classifier
    from edgekit.vision.writer import document
    from edgekit_demos.watch import watch

    wishes = from_json(Request, request, "the request")
    classifier = open_classifier(wishes.model, **wishes.opening())
    return watch(
        wishes,
        classifier,
        lambda result: with_top(document(result, classifier.labels), classifier.threshold),
        places=False,
    )


def with_top(told: dict[str, Any], threshold: float) -> dict[str, Any]:
    """Add the best classes to what was told of a frame, as `top`.

    Those below the threshold are in `top` only.

    >>> every = [{"label": "cat", "score": 0.9}, {"label": "dog", "score": 0.1}]
    >>> [len(each) for each in with_top({"detections": every}, 0.5).values()]
    [1, 2]
    """
    every: Sequence[dict[str, Any]] = told["detections"]
    return {
        **told,
        "detections": [each for each in every if each["score"] >= threshold],
        "top": [{"label": each["label"], "score": each["score"]} for each in every],
    }
