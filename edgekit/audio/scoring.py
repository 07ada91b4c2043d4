"""From rows of features to scores: a model run over a window that moves, or with its state."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.audio.decisions import Scores, Settings
from edgekit.data.frontend import FrontEnd, extract
from edgekit.errors import TargetError
from edgekit.runtime.any_model import AnyModel
from edgekit.runtime.model import TensorSpec

Rows = NDArray[np.float32]


class Run(Protocol):
    """Runs a model on one window of rows."""

    def __call__(self, window: Rows) -> Scores:
        """Return the scores of a window of shape (rows, features)."""

    def reset(self) -> None:
        """Forget what earlier windows left behind."""


class Scorer:
    """Runs a model over the rows of a stream, the same however that is cut.

    Args:
        run: The model.
        rows: How many rows one run sees.
        step: How many rows lie between two runs.
        before: Rows that lie before the stream, so that its first rows are scored too; no
            more of them are taken than that.
        classes: Scores of a run.

    Attributes:
        rows: How many rows one run sees.
    """

    def __init__(self, run: Run, rows: int, step: int, before: Rows, classes: int) -> None:
        self.rows = rows
        self._run = run
        self._step = step
        self._before = before[len(before) - max(rows - step, 0) :]
        self._classes = classes
        self.reset()

    def reset(self) -> None:
        """Forget the rows."""
        self._waiting = self._before
        self._gone = -len(self._before)  # rows that no further window holds
        self._run.reset()

    def push(self, rows: Rows) -> tuple[Scores, NDArray[np.int64]]:
        """Take in rows and score every window that they complete.

        Args:
            rows: Shape (m, features); m may be 0.

        Returns:
            Scores of shape (k, classes), and for each how many rows of the stream there
            were up to the last that it is made of, shape (k,).
        """
        waiting = np.concatenate([self._waiting, rows])
        count = max((len(waiting) - self.rows) // self._step + 1, 0)
        scores = np.empty((count, self._classes), np.float32)
        for number in range(count):
            first = number * self._step
            scores[number] = self._run(waiting[first : first + self.rows])
        ends = self._gone + self.rows + np.arange(count, dtype=np.int64) * self._step
        self._waiting = waiting[count * self._step :].copy()
        self._gone += count * self._step
        return scores, ends


def open_scorer(
    model: AnyModel,
    scores: TensorSpec,
    front_end: FrontEnd,
    settings: Settings,
    *,
    logits: bool,
) -> Scorer:
    """Choose how a model is run.

    Args:
        model: The model.
        scores: Its output with one score for each class.
        front_end: How sound becomes its input.
        settings: Its step, and which of its inputs are states.
        logits: Whether the scores are logits; they become probabilities.

    Raises:
        TargetError: The front end does not fit the inputs, or the states do not.
    """
    read = _Reader(scores, logits=logits)
    run: _Windows | _Recurrent
    if settings.states:
        rows = settings.every
        run = _Recurrent(model, read, settings.states)
    elif len(model.inputs) == 1:
        rows = front_end.frames
        run = _Windows(model, read)
    else:
        names = ", ".join(each.name for each in model.inputs)
        msg = (
            f"The model takes {len(model.inputs)} inputs, {names}, and does not say which of "
            "them are its state.\nTheir outputs belong into the manifest: decoding.states."
        )
        raise TargetError(msg)
    _check_size(run.spec, rows, front_end)
    return Scorer(run, rows, settings.every, _before(front_end), read.classes)


def _before(front_end: FrontEnd) -> Rows:
    """Return the rows of the silence that lies before a stream.

    A front end that adapts has to begin with the stream, and then nothing lies before: what
    it gives while it adapts is at home at the beginning of a window only.
    """
    if front_end.adaptation is not None:
        return np.empty((0, front_end.features), np.float32)
    return extract(np.zeros(front_end.samples, np.float32), front_end)


class _Reader:
    """Takes the scores out of what a model gave."""

    def __init__(self, spec: TensorSpec, *, logits: bool) -> None:
        self.classes = int(np.prod(spec.shape))
        self._name = spec.name
        self._logits = logits

    def __call__(self, given: Any) -> Scores:
        found = given[self._name] if isinstance(given, Mapping) else given
        values: Scores = np.asarray(found, np.float32).reshape(self.classes)
        if not self._logits:
            return values
        powers = np.exp(values - values.max())
        shares: Scores = powers / powers.sum()
        return shares


class _Windows:
    """A model that sees the whole window at once."""

    def __init__(self, model: AnyModel, read: _Reader) -> None:
        self.spec = model.inputs[0]
        self._model = model
        self._read = read

    def __call__(self, window: Rows) -> Scores:
        return self._read(self._model(window.reshape(self.spec.shape)))

    def reset(self) -> None:
        pass


class _Recurrent:
    """A model that carries its state from run to run, through inputs and outputs."""

    def __init__(self, model: AnyModel, read: _Reader, states: Mapping[str, str]) -> None:
        specs = {each.name: each for each in model.inputs}
        _check_states(states, specs, {each.name: each for each in model.outputs})
        (self.spec,) = (each for name, each in specs.items() if name not in states)
        self._model = model
        self._read = read
        self._states = states
        self._shapes = {name: specs[name].shape for name in states}
        self._state: dict[str, Scores] = {}
        self.reset()

    def __call__(self, window: Rows) -> Scores:
        given = self._model({self.spec.name: window.reshape(self.spec.shape), **self._state})
        self._state = {
            name: np.asarray(given[output], np.float32).reshape(self._shapes[name])
            for name, output in self._states.items()
        }
        return self._read(given)

    def reset(self) -> None:
        self._state = {
            name: np.zeros(shape, np.float32) for name, shape in self._shapes.items()
        }


def _check_size(spec: TensorSpec, rows: int, front_end: FrontEnd) -> None:
    """Refuse a front end that gives another number of values than an input takes.

    Raises:
        TargetError: It does.
    """
    wanted, given = int(np.prod(spec.shape)), rows * front_end.features
    if wanted != given:
        msg = (
            f"Input '{spec.name}' takes {' x '.join(map(str, spec.shape))} values, and the "
            f"front end gives {rows} rows of {front_end.features}, {given} in all.\n"
            "Is it the front end that the model was trained with?"
        )
        raise TargetError(msg)


def _check_states(
    states: Mapping[str, str],
    inputs: Mapping[str, TensorSpec],
    outputs: Mapping[str, TensorSpec],
) -> None:
    """Refuse states that are no inputs and outputs of a model, or of two sizes.

    Raises:
        TargetError: They are.
    """
    for name, output in states.items():
        if name not in inputs or output not in outputs:
            msg = (
                f"The manifest names the state '{name}' from '{output}'; the model has the "
                f"inputs {', '.join(inputs)} and the outputs {', '.join(outputs)}."
            )
            raise TargetError(msg)
        if np.prod(inputs[name].shape) != np.prod(outputs[output].shape):
            msg = (
                f"The state '{name}' has the shape {inputs[name].shape}, and '{output}', "
                f"which it comes from, {outputs[output].shape}."
            )
            raise TargetError(msg)
    if len(inputs) != len(states) + 1:
        rest = sorted(inputs.keys() - states.keys())
        msg = f"Besides its states a model takes one input; found {', '.join(rest) or 'none'}."
        raise TargetError(msg)
