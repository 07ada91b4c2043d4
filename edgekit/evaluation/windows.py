"""A model with a state, run over a window at once: so single clips can be fed to it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.audio.decisions import load_settings
from edgekit.audio.scoring import Scorer, open_scorer
from edgekit.data.frontend import FrontEnd
from edgekit.data.scores import class_output
from edgekit.errors import TargetError
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.subject import Subject
from edgekit.manifest import Manifest
from edgekit.runtime.model import TensorSpec

_ARRAYS = frozenset({".npy", ".npz"})


class Windowed:
    """A model that carries its state, run over all rows of a window from the beginning.

    Args:
        scorer: The model.
        scores: Its output with one score for each class.
        front_end: What gives the rows.
        manifest: What is said about the model.

    Attributes:
        inputs: The window.
        outputs: The scores after its last row.
        manifest: As given.
    """

    def __init__(
        self, scorer: Scorer, scores: TensorSpec, front_end: FrontEnd, manifest: Manifest
    ) -> None:
        shape = (1, front_end.frames, front_end.features)
        self.inputs = (TensorSpec("features", shape, "float32"),)
        self.outputs = (TensorSpec(scores.name, scores.shape, "float32"),)
        self.manifest: Manifest | None = manifest
        self._scorer = scorer

    def __call__(self, x: Any) -> Any:
        """Return the scores after the last row of a window."""
        self._scorer.reset()
        scores, _ = self._scorer.push(np.asarray(x, np.float32)[0])
        return scores[-1].reshape(self.outputs[0].shape)


def windowed(
    subject: Subject, request: DataRequest, manifest: Manifest | None = None
) -> Subject:
    """Return a model as it is fed with clips: one that carries a state sees windows.

    Arrays are fed as they are, states among them.

    Args:
        subject: The model.
        request: The data.
        manifest: What is said about the model where it does not say it itself.

    Raises:
        TargetError: Its states or its scores are not those that its manifest names.
    """
    said = subject.manifest or manifest
    settings = load_settings(said.decoding) if said and said.task == "keywords" else None
    front_end = subject.front_end(request)
    arrays = Path(request.path).suffix.lower() in _ARRAYS
    if said is None or settings is None or not settings.states or front_end is None or arrays:
        return subject
    name = class_output(subject.model.inputs, subject.model.outputs, said)
    scores = next((each for each in subject.model.outputs if each.name == name), None)
    if scores is None:
        msg = f"{subject.path.name} does not say which of its outputs holds the scores."
        raise TargetError(msg)
    scorer = open_scorer(subject.model, scores, front_end, settings, logits=False)
    model = Windowed(scorer, scores, front_end, said)
    shapes = {spec.name: spec.shape[1:] for spec in model.inputs}
    return replace(subject, model=model, shapes=shapes, scores=scores.name)
