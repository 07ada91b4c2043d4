"""What test_live.py runs in guarded children."""

import ctypes
from typing import Any

from edgekit.records import from_json
from edgekit.vision.classifier import Classifier, open_classifier
from edgekit.vision.writer import document
from edgekit_demos.frames import Request, Run
from edgekit_demos.watch import watch

_SOUND = 3  # frames before it dies


class Dying:
    """A classifier whose interpreter crashes after some frames."""

    def __init__(self, classifier: Classifier) -> None:
        self.labels = classifier.labels
        self.prepare = classifier.prepare
        self.finish = classifier.finish
        self._classifier = classifier
        self._count = 0

    def infer(self, prepared: Any) -> Any:
        self._count += 1
        if self._count > _SOUND:
            ctypes.string_at(0)
        return self._classifier.infer(prepared)


def dying(request: dict[str, Any]) -> Run:
    wishes = from_json(Request, request, "the request")
    classifier = open_classifier(wishes.model, **wishes.opening())
    return watch(
        wishes,
        Dying(classifier),
        lambda result: document(result, classifier.labels),
        places=False,
    )
