"""`edgekit demo detect`: objects in the frames of a camera, a film or a stream.

In Python:

    from edgekit.vision.detector import open_detector
    from edgekit.vision.pipeline import Pipeline
    from edgekit.vision.sources import open_source

    detector = open_detector("cards.raspberry-pi-4.tflite")
    for result in Pipeline(open_source("0"), detector):
        for finding in detector.describe(result.detections):
            print(result.frame.t, finding.label, finding.score, finding.box)
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edgekit.records import from_json
from edgekit_demos.frames import Request, Run
from edgekit_demos.live import find_model, run

MODEL = "cards"


def detect(request: Request, *, hear: Callable[[dict[str, Any]], None] | None = None) -> Run:
    """Find objects in the frames of a source; see `edgekit_demos.live.run`.

    Raises:
        TargetError: The model is no detector.
    """
    found = replace(request, model=str(find_model(request.model)))
    return run("edgekit_demos.detect:worker", found, Run, hear=hear)


def worker(request: dict[str, Any]) -> Run:
    """Do it, in the guarded child; the process that started it needs none of this."""
    from edgekit.vision.detector import open_detector
    from edgekit.vision.writer import document
    from edgekit_demos.watch import watch

    wishes = from_json(Request, request, "the request")
    detector = open_detector(wishes.model, **wishes.opening())
    describe = functools.partial(document, labels=detector.labels)
    return watch(wishes, detector, describe, places=True)
