"""Train a model with its rounding in the loop.

1. BatchNorm is folded (`fold`), channels are evened out if that costs less when they are
   rounded (`even`), fake quantization is put in (`build`).
2. Ranges start from some batches of the training data.
3. Adam with a rate that falls to zero, relative to the weights of each channel; ranges
   follow slowly, and rest in the last quarter.
4. If the loss is no lower then, the weights from before are kept, and it says so.

What it learns is what `prune.training` teaches, with the original as the teacher.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edgekit.data import Dataset
from edgekit.progress import task
from edgekit_converters.prune.training import Lesson, lesson
from edgekit_converters.quantize.qat.build import Fake, build
from edgekit_converters.quantize.qat.even import evened
from edgekit_converters.quantize.qat.fake import watching
from edgekit_converters.quantize.qat.fold import fold

RATE = 1e-3  # of what the values of a channel are like
_WATCHED = 16  # batches that ranges start from
_RANGES_LEARN = 0.75  # share of the steps

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model trained for its integer form.

    Attributes:
        model: With fake quantization; the converter finds the ranges in it.
        plain: The same weights without it, to be calibrated as any model.
        folded: Names of the BatchNorm layers that were folded.
        untreated: Layers that are not known to become one integer op.
        epochs: Times through the data.
        learned: Whether the loss is lower than before.
    """

    model: Any
    plain: Any
    folded: tuple[str, ...]
    untreated: tuple[str, ...]
    epochs: int
    learned: bool


def train(
    model: Any,
    dataset: Dataset,
    epochs: int,
    *,
    per_tensor: bool = False,
    learning_rate: float = RATE,
    seed: int = 0,
) -> Trained:
    """Fine-tune a model with fake quantization.

    Args:
        model: A Keras 3 model, Functional or Sequential; it is left as it is.
        dataset: Samples by the names of the model's inputs; without labels it learns from
            the outputs of the model.
        epochs: Times through the data, at least 1.
        per_tensor: One scale a kernel instead of one a channel.
        learning_rate: The first learning rate, as a share of the weights of a channel.
        seed: Order of the samples.

    Raises:
        SourceError: The model is no graph of layers, or has layers that cannot be treated.
        DataError: There are no samples, or their labels do not fit.
    """
    keras.utils.set_random_seed(seed)
    folded = fold(model, seed=seed)
    with lesson(model, dataset, teacher=model, seed=seed) as taught:
        fake = _begin(folded.model, taught, per_tensor=per_tensor)
        learned = _fit(fake, taught, epochs, learning_rate)
    finish(fake)
    return Trained(
        model=fake.model,
        plain=folded.model,
        folded=folded.norms,
        untreated=fake.untreated,
        epochs=epochs,
        learned=learned,
    )


def _begin(model: Any, taught: Lesson, *, per_tensor: bool) -> Fake:
    """Put fake quantization in, channels evened out in the way that costs the least."""
    best, least, own = None, np.inf, model.get_weights()
    for weights in (own, *evened(model, _samples(model, taught), per_tensor=per_tensor)):
        model.set_weights(weights)
        fake = build(model, per_tensor=per_tensor)
        watch(fake, taught)
        loss = _loss(fake.trained, taught)
        if best is None or loss < least:
            best, least = fake, loss
    assert best is not None
    return best


def _samples(model: Any, taught: Lesson) -> list[dict[str, Any]]:
    """Inputs by name, as many as ranges start from."""
    batches = range(min(_WATCHED, len(taught.batches)))
    given = [keras.tree.flatten(taught.batches[index][0]) for index in batches]
    columns = [np.concatenate(each) for each in zip(*given, strict=True)]
    names = [each.name for each in model.inputs]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def watch(fake: Fake, taught: Lesson) -> None:
    """Set the ranges from the first batches."""
    with watching(fake.ranges), task("Measuring ranges"):
        for index in range(min(_WATCHED, len(taught.batches))):
            fake.model(taught.batches[index][0], training=False)


def finish(fake: Fake) -> None:
    """Give the original its trained weights."""
    for original, twin in fake.variables:
        original.assign(twin)


def _fit(fake: Fake, taught: Lesson, epochs: int, learning_rate: float) -> bool:
    """Train; return whether that lowered the loss. If not, weights are as they were."""
    steps = epochs * len(taught.batches)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    student = fake.trained
    student.compile(RelativeAdam(rate, fake), loss=taught.loss, jit_compile=False)
    before, kept = _loss(student, taught), student.get_weights()
    with task(f"Training for integers, {epochs} epochs", steps) as advance:
        rest = _Rest(fake, int(steps * _RANGES_LEARN), advance)
        student.fit(taught.batches, epochs=epochs, verbose=0, callbacks=[rest])
    learned = _loss(student, taught) < before  # which no number is not
    if not learned:
        student.set_weights(kept)
        _log.warning(
            "Training for integers made the model worse; its weights stay as they were. "
            "Give more epochs or more data, or leave --qat out."
        )
    # What was needed to train is no part of the model.
    student.optimizer, student.compiled = None, False
    return learned


def _loss(student: Any, taught: Lesson) -> float:
    """Return the loss on the first batches."""
    batches = min(_WATCHED, len(taught.batches))
    if not student.compiled:
        student.compile(loss=taught.loss, jit_compile=False)
    return float(student.evaluate(taught.batches, steps=batches, verbose=0))


class RelativeAdam(keras.optimizers.Adam):  # type: ignore[misc] # keras has no types
    """Adam whose rate is a share of what the values of each channel are like.

    Folded and evened kernels differ a hundredfold in size, and a step that trains one of them
    destroys another.

    Args:
        rate: Learning rate, or a schedule of it.
        fake: What is trained.
    """

    def __init__(self, rate: Any, fake: Fake) -> None:
        super().__init__(rate)
        sizes = {id(v): size for layer, x in fake.kernels for v, size in layer.sizes(x)}
        self._sizes = [sizes.get(id(v), _size(v)) for v in fake.trained.trainable_variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one variable."""
        size = self._sizes[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * np.float32(size))


def _size(variable: Any) -> float:
    """What the values of a variable are like that belongs to no kernel."""
    return float(np.sqrt(np.mean(np.asarray(variable) ** 2))) or 1.0


class _Rest(keras.callbacks.Callback):  # type: ignore[misc] # keras has no types
    """Counts batches, and lets the ranges rest after some."""

    def __init__(self, fake: Fake, after: int, advance: Callable[[int], None]) -> None:
        super().__init__()
        self._fake, self._left, self._advance = fake, after, advance

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 (as keras calls it)
        """Count one."""
        self._advance(1)
        self._left -= 1
        if self._left == 0:
            for layer in self._fake.ranges:
                layer.learning.assign(0.0)
