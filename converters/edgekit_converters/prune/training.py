"""Fine-tune a pruned model on an edgekit data set.

What it learns, by what is there:

1. A class for each sample, one output: the labels.
2. The same with a teacher: the average of label and teacher's class probabilities.
3. No labels, or other outputs: the teacher's outputs.
"""

import contextlib
import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgekit.data import Dataset
from edgekit.errors import DataError
from edgekit.progress import task
from edgekit_converters.prune.augment import views
from edgekit_converters.prune.graph import Graph, pack

BATCH = 32
_RATE = 1e-3
_MOMENTUM = 0.9  # of the averages of BatchNorm while fine-tuning


def finetune(
    model: Any,
    dataset: Dataset,
    epochs: int,
    *,
    teacher: Any | None = None,
    learning_rate: float = _RATE,
    seed: int = 0,
    augment: bool = False,
    callbacks: Sequence[Any] = (),
) -> None:
    """Train a model in place, with Adam and a rate that falls to zero.

    Args:
        model: A Keras 3 model; its weights change.
        dataset: Samples by the names of the model's inputs.
        epochs: Times through the data.
        teacher: A model of the same inputs and outputs, usually the original.
        learning_rate: The first learning rate.
        seed: Order of the samples.
        augment: Show another view of each picture every time; a teacher sees the same.
        callbacks: Keras callbacks that watch over the weights.

    Raises:
        DataError: There are neither labels that fit the outputs nor a teacher, or the
            samples are no pictures that could be shown otherwise.
    """
    keras.utils.set_random_seed(seed)
    with lesson(model, dataset, teacher=teacher, seed=seed, augment=augment) as taught:
        steps = epochs * len(taught.batches)
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        model.compile(keras.optimizers.Adam(rate), loss=taught.loss)
        with _quick_statistics(model), task(f"Fine-tuning, {epochs} epochs", steps) as advance:
            watching = [*callbacks, _Count(advance)]
            model.fit(taught.batches, epochs=epochs, verbose=0, callbacks=watching)
    # What was needed to train is no part of the model.
    model.optimizer, model.compiled = None, False


@contextlib.contextmanager
def _quick_statistics(model: Any) -> Iterator[None]:
    """Let BatchNorm forget the averages of the larger model within a few dozen steps."""
    norms = [
        layer
        for layer in model._flatten_layers(include_self=False)  # noqa: SLF001 (models inside models)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    usual = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = min(layer.momentum, _MOMENTUM)
    yield
    for layer, momentum in zip(norms, usual, strict=True):
        layer.momentum = momentum


class _Count(keras.callbacks.Callback):  # type: ignore[misc] # keras has no types
    """Counts batches."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        super().__init__()
        self._advance = advance

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 (as keras calls it)
        """Count one."""
        self._advance(1)


View = Callable[[Any], Any]
Teach = Callable[[list[Any], list[Any]], list[Any]]  # (inputs, targets) -> targets


class Batches(keras.utils.PyDataset):  # type: ignore[misc] # keras has no types
    """Samples in batches, in another order each epoch.

    Args:
        model: The model that takes them.
        inputs: Arrays in the order of the model's inputs, samples in front.
        targets: What the model should give, samples in front; a list for several outputs.
        seed: Order of the samples.
        view: Makes what is shown of the only input; None shows it as it is.
        teach: Makes the targets of what is shown; None leaves them as they are.
    """

    def __init__(
        self,
        model: Any,
        inputs: Sequence[Any],
        targets: Sequence[Any],
        seed: int,
        *,
        view: View | None = None,
        teach: Teach | None = None,
    ) -> None:
        super().__init__()
        self._view, self._teach = view, teach
        self._model, self._inputs, self._targets = model, inputs, targets
        self._size = model.inputs[0].shape[0] or BATCH
        self._rng = np.random.default_rng(seed)
        self._order = self._rng.permutation(len(inputs[0]))

    def __len__(self) -> int:
        return max(1, len(self._order) // self._size)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        chosen = np.sort(self._order[index * self._size : (index + 1) * self._size])
        shown = [array[chosen] for array in self._inputs]
        targets = [array[chosen] for array in self._targets]
        if self._view:
            shown = [self._view(array) for array in shown]
        if self._teach:
            targets = self._teach(shown, targets)
        inputs = pack(self._model, shown)
        if isinstance(inputs, list):  # tf.data, which feeds them, knows tuples only
            inputs = tuple(inputs)
        return inputs, targets[0] if len(targets) == 1 else tuple(targets)

    def on_epoch_end(self) -> None:
        """Shuffle."""
        self._order = self._rng.permutation(len(self._order))


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a model is taught.

    Attributes:
        batches: Inputs and targets.
        loss: Distance of targets and outputs, a scalar.
    """

    batches: Batches
    loss: Callable[[Any, Any], Any]


@contextlib.contextmanager
def lesson(
    model: Any,
    dataset: Dataset,
    *,
    teacher: Any | None = None,
    seed: int = 0,
    augment: bool = False,
) -> Iterator[Lesson]:
    """Prepare data for a model; the samples lie in a temporary file, not in memory.

    Raises:
        DataError: There are neither labels that fit the outputs nor a teacher, or the
            samples are no pictures that could be shown otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        inputs, labels = _store(model, dataset, Path(folder))
        view = views(inputs, seed) if augment else None
        kind = _kind(model) if labels is not None else None
        if labels is not None and kind is not None:
            targets, loss = [_class_targets(model, labels, dataset)], kind.loss
        elif teacher is not None:
            targets, loss = [], keras.losses.MeanSquaredError()
        else:
            msg = (
                f"{dataset.description} has no labels that fit the outputs of {model.name}.\n"
                "Give labelled data, or learn from the original with --distill."
            )
            raise DataError(msg)
        teach = None if teacher is None else functools.partial(_taught, teacher, kind)
        if teach and not view:  # the same each time: once is enough
            targets, teach = teach(inputs, targets), None
        yield Lesson(Batches(model, inputs, targets, seed, view=view, teach=teach), loss)


def _taught(
    teacher: Any, kind: "_Kind | None", inputs: Sequence[Any], targets: list[Any]
) -> list[Any]:
    """Targets with a teacher: the average of both for classes, else what the teacher gives."""
    given = _outputs(teacher, inputs)
    if kind is None:
        return given
    return [np.asarray((targets[0] + kind.probabilities(given[0])) / 2, np.float32)]


def learns_classes(model: Any, dataset: Dataset) -> bool:
    """Tell whether a data set has labels that the outputs of a model could learn."""
    highest = dataset.highest_class
    if highest is None or _kind(model) is None:
        return False
    return bool(highest < max(2, model.outputs[0].shape[-1]))


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the only output of a classifier means."""

    loss: Callable[[Any, Any], Any]
    probabilities: Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _kind(model: Any) -> _Kind | None:
    """Tell a classifier by its output: one vector, probabilities or logits."""
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        return None
    name = _last_activation(model)
    if model.outputs[0].shape[-1] == 1:
        return _Kind(
            keras.losses.BinaryCrossentropy(from_logits=name != "sigmoid"),
            _same if name == "sigmoid" else _sigmoid,
        )
    return _Kind(
        keras.losses.CategoricalCrossentropy(from_logits=name != "softmax"),
        _same if name == "softmax" else _softmax,
    )


def _last_activation(model: Any) -> str:
    graph = Graph(model)
    last = next(call.layer for call in graph.calls if graph.outputs[0] in call.outputs)
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    return str(getattr(getattr(last, "activation", None), "__name__", ""))


def _same(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)


def _softmax(x: NDArray[np.float32]) -> NDArray[np.float32]:
    power = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(power / power.sum(-1, keepdims=True), np.float32)


def _class_targets(
    model: Any, labels: NDArray[np.int64], dataset: Dataset
) -> NDArray[np.float32]:
    classes = model.outputs[0].shape[-1]
    if classes == 1:
        return labels[:, None].astype(np.float32)
    if labels.max() >= classes:
        msg = (
            f"{dataset.description} has a class {labels.max()}, but {model.name} gives "
            f"{classes} classes, counted from 0.\nGive the data that the model was made for."
        )
        raise DataError(msg)
    return np.eye(classes, dtype=np.float32)[labels]


def _outputs(teacher: Any, inputs: Sequence[Any]) -> list[NDArray[np.float32]]:
    """Outputs of the teacher for all samples."""
    size = teacher.inputs[0].shape[0] or BATCH
    pieces = []
    for start in range(0, len(inputs[0]), size):
        part = [array[start : start + size] for array in inputs]
        given = teacher.predict_on_batch(pack(teacher, part))
        pieces.append([np.asarray(each) for each in keras.tree.flatten(given)])
    return [np.concatenate(each) for each in zip(*pieces, strict=True)]


def in_order(names: Sequence[str], inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Inputs of a sample as a model names them; by position where names differ."""
    if set(names) == set(inputs):
        return [inputs[name] for name in names]
    return list(inputs.values())


def _store(
    model: Any, dataset: Dataset, folder: Path
) -> tuple[list[Any], NDArray[np.int64] | None]:
    """Lay the samples into files, mapped into memory, so that any can be had at once."""
    arrays: list[Any] = []
    labels: list[int | None] = []
    names = [tensor.name for tensor in model.inputs]
    with task("Reading the data to train on", len(dataset), "sample") as advance:
        for sample in dataset:
            values = in_order(names, sample.inputs)
            if not arrays:
                arrays = [
                    np.lib.format.open_memmap(
                        folder / f"{i}.npy", "w+", value.dtype, (len(dataset), *value.shape)
                    )
                    for i, value in enumerate(values)
                ]
            for array, value in zip(arrays, values, strict=True):
                array[len(labels)] = value
            labels.append(sample.label)
            advance(1)
    if not labels:
        msg = f"{dataset.description} has no sample to train on."
        raise DataError(msg)
    arrays = [array[: len(labels)] for array in arrays]  # fewer where samples were skipped
    known = [label for label in labels if label is not None]
    return arrays, np.array(known, np.int64) if len(known) == len(labels) else None
