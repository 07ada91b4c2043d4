"""A spotter: sound in, words out.

with open_sound("mic", spotter.sample_rate_hz) as source:
    for chunk in source.chunks():
        for event in spotter.hear(chunk.samples).events:
            ...
"""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.audio.decisions import (
    Decider,
    Event,
    Scores,
    Settings,
    Times,
    load_settings,
    words_of,
)
from edgekit.audio.scoring import open_scorer
from edgekit.data.frontend import PRESETS, FrontEnd, Stream, load_front_end
from edgekit.data.scores import class_output
from edgekit.errors import TargetError, UsageError
from edgekit.manifest import Manifest
from edgekit.runtime import load
from edgekit.runtime.any_model import AnyModel

_SMOOTH_S = 0.2  # over which the scores of a model are averaged that does not say it
_PIECE_S = 60.0  # longer sounds go through in pieces, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class Heard:
    """What a spotter makes of a piece of sound.

    Attributes:
        events: Words that were heard.
        scores: What the model said, shape (k, classes); k may be 0.
        times: When the window of each score ended, in seconds, shape (k,).
        features: Rows of the front end, shape (m, features); m may be 0.
    """

    events: tuple[Event, ...]
    scores: Scores
    times: Times
    features: NDArray[np.float32]


class Spotter:
    """A model that hears words in a stream of sound.

    Its result does not depend on how the stream is cut, and its memory not on how long it
    is. Before the stream, silence is assumed, so that a word at its very beginning is heard
    too; but not by a front end that adapts to what it hears. One spotter hears one stream at
    a time.

    Args:
        model: The model.
        labels: Names of its classes.
        front_end: How sound becomes its input.
        settings: How its scores become decisions.
        logits: Whether its scores are logits; they become probabilities.

    Raises:
        TargetError: It has no output with one score for each class, or the front end does
            not fit.
        UsageError: There are more or fewer labels than classes.

    Attributes:
        labels: Names of the classes.
        words: Those of them that are words.
        front_end: How sound becomes the model's input.
        settings: How scores become decisions.
        rows: How many rows of features one run of the model sees.
    """

    def __init__(
        self,
        model: AnyModel,
        labels: Sequence[str],
        front_end: FrontEnd,
        settings: Settings | None = None,
        *,
        logits: bool = False,
    ) -> None:
        name = class_output(model.inputs, model.outputs, model.manifest)
        if name is None:
            found = ", ".join(f"{each.name} {list(each.shape)}" for each in model.outputs)
            msg = f"The model has no output with one score for each class; found {found}."
            raise TargetError(msg)
        (scores,) = (each for each in model.outputs if each.name == name)
        _check_labels(labels, int(np.prod(scores.shape)))
        self.labels = tuple(labels)
        self.words = words_of(labels)
        self.front_end = front_end
        self.settings = settings or Settings()
        self._stream = Stream(front_end)
        self._scorer = open_scorer(model, scores, front_end, self.settings, logits=logits)
        self._decider = Decider(self.labels, self.settings)
        self.rows = self._scorer.rows

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the sound that it hears."""
        return self.front_end.sample_rate_hz

    def hear(self, samples: NDArray[np.float32]) -> Heard:
        """Listen to the next piece of the stream.

        Args:
            samples: Shape (n,), in [-1, 1]; n may be 0.

        Raises:
            DataError: The samples are no sound.
            InputError: The model fails.
        """
        size = int(_PIECE_S * self.sample_rate_hz)
        starts = range(0, max(len(samples), 1), size)
        pieces = [self._hear(samples[at : at + size]) for at in starts]
        return pieces[0] if len(pieces) == 1 else _joined(pieces)

    def reset(self) -> None:
        """Forget what was heard: the next piece begins a stream, at 0 seconds."""
        self._stream.reset()
        self._scorer.reset()
        self._decider.reset()

    def _hear(self, samples: NDArray[np.float32]) -> Heard:
        rows = self._stream.push(samples)
        scores, ends = self._scorer.push(rows)
        front_end = self.front_end
        last = (ends - 1) * front_end.step_samples + front_end.frame_samples
        times = last / front_end.sample_rate_hz
        return Heard(self._decider.push(scores, times), scores, times, rows)


def open_spotter(
    path: str | os.PathLike[str],
    *,
    labels: Sequence[str] | None = None,
    threshold: float | None = None,
    front_end: FrontEnd | None = None,
    threads: int | None = None,
    backend: str = "auto",
    delegate: str | None = None,
    probe: bool = True,
) -> Spotter:
    """Open a .tflite that spots keywords.

    Args:
        path: The file.
        labels: Names of the classes in the order of the outputs; None takes the model's.
        threshold: Score from which on any word counts as heard; None takes the model's.
        front_end: How sound becomes its input; None takes what the model says.
        threads: Threads of the CPU kernels; None is one: more make so small a model slower.
        backend: Interpreter package, see `edgekit.runtime.load`.
        delegate: Accelerator; None is the CPU.
        probe: First try the file in a child process; see `edgekit.runtime.load`.

    Raises:
        InputError: The file is missing or damaged.
        TargetError: It has no class scores, or its front end is unknown or does not fit.
        UsageError: It names no classes, or there are more or fewer labels than classes.
    """
    path = Path(path)
    model = load(path, threads=threads or 1, backend=backend, delegate=delegate, probe=probe)
    return spotter_of(model, path.name, labels=labels, threshold=threshold, front_end=front_end)


def spotter_of(
    model: AnyModel,
    name: str,
    *,
    labels: Sequence[str] | None = None,
    threshold: float | None = None,
    front_end: FrontEnd | None = None,
) -> Spotter:
    """Return a model that is open already as a spotter.

    Args:
        model: The model.
        name: Its file's name, for messages.
        labels: As for `open_spotter`, like the following.
        threshold: Likewise.
        front_end: Likewise.

    Raises:
        TargetError: As for `open_spotter`.
        UsageError: As for `open_spotter`.
    """
    manifest = model.manifest or Manifest()
    names = tuple(labels or manifest.labels)
    if not names:
        msg = (
            f"{name} names no classes, so no word can be told from another.\n"
            "Give the names in the order of the outputs with --labels FILE, one a line; "
            "silence and foreign words are called _silence_ and _unknown_."
        )
        raise UsageError(msg)
    front_end = front_end or _need_front_end(manifest, name)
    settings = _settings_of(manifest, front_end)
    if threshold is not None:
        settings = dataclasses.replace(
            settings, thresholds=dict.fromkeys(words_of(names), threshold)
        )
    roles = {each.name: each.role for each in manifest.outputs}
    scores = class_output(model.inputs, model.outputs, manifest)
    return Spotter(
        model,
        names,
        front_end,
        settings,
        logits=roles.get(scores or "") == "logits",
    )


def front_end_of(manifest: Manifest | None, name: str) -> FrontEnd | None:
    """Return the front end that a model names; None if it names none.

    Args:
        manifest: What the model says about itself.
        name: Its file's name, for messages.

    Raises:
        RecordError: It is none that edgekit knows.
    """
    said = manifest.front_end if manifest else None
    if not said or "kind" not in said:  # a model of waves has a sample rate and no more
        return None
    return load_front_end(said, f"the front end of {name}")


def _need_front_end(manifest: Manifest, name: str) -> FrontEnd:
    found = front_end_of(manifest, name)
    if found is None:
        msg = (
            f"{name} does not say how sound becomes its input.\nGive the front end that it "
            f"was trained with: --front-end NAME ({', '.join(PRESETS)})."
        )
        raise TargetError(msg)
    return found


def _settings_of(manifest: Manifest, front_end: FrontEnd) -> Settings:
    """Return how scores become decisions; a model that does not say it gets a longer mean."""
    if manifest.decoding is not None:
        return load_settings(manifest.decoding)
    step_s = front_end.step_samples / front_end.sample_rate_hz
    return Settings(smooth=max(round(_SMOOTH_S / step_s), 1))


def _check_labels(labels: Sequence[str], classes: int) -> None:
    """Make sure that there is one label for each class, no two alike, and a word.

    Raises:
        UsageError: It is not so.
    """
    if len(labels) != classes:
        msg = (
            f"There are {len(labels)} labels, and the model has {classes} classes.\n"
            "Give one name a line with --labels FILE, in the order of the outputs."
        )
        raise UsageError(msg)
    if len(set(labels)) < len(labels):
        twice = sorted({each for each in labels if labels.count(each) > 1})
        msg = f"Labels occur twice: {', '.join(twice)}. Give each class a name of its own."
        raise UsageError(msg)
    if not words_of(labels):
        msg = f"The labels {', '.join(labels)} hold no word to listen for."
        raise UsageError(msg)


def _joined(pieces: Sequence[Heard]) -> Heard:
    return Heard(
        tuple(event for piece in pieces for event in piece.events),
        np.concatenate([piece.scores for piece in pieces]),
        np.concatenate([piece.times for piece in pieces]),
        np.concatenate([piece.features for piece in pieces]),
    )
