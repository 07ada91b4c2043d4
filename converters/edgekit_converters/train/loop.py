"""The training loop that detectors and classifiers share.

Adam with decoupled weight decay, a rate that rises for a moment and falls to zero along a
cosine, and averages of the weights, which are what is kept. Batches depend on the seed and
the number of the step alone, so that a run that was killed goes on where its last
checkpoint stood.
"""

import dataclasses
import io
import math
import queue
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgekit.files import atomic_write
from edgekit.progress import task
from edgekit_converters.train.normalization import fused, normalizations

Batch = tuple[Any, Any]  # inputs and targets
Loss = Callable[[Any, Any], Any]

_WARM = 0.05  # share of the steps in which the rate rises
_CLIP = 10.0
_AHEAD = 4  # batches that are prepared ahead
_SETTLE = 32  # batches that the statistics of averaged weights are taken from


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast.

    Attributes:
        epochs: Times through the data.
        steps: Batches in an epoch.
        rate: Highest learning rate.
        decay: Weight decay.
        average: Share of the averaged weights that a step keeps.
        check: Epochs between two looks at the held-out pictures.
        patience: Looks without a better value after which training ends; 0: never.
        checkpoint_s: Seconds between two checkpoints, at least.
    """

    epochs: int
    steps: int
    rate: float = 2e-3
    decay: float = 1e-4
    average: float = 0.998
    check: int = 10
    patience: int = 0
    checkpoint_s: float = 60.0


@dataclass(slots=True)
class _State:
    """Where a training stands.

    Attributes:
        epoch: Epochs done.
        best: The best value on the held-out pictures.
        waited: Looks since.
        seconds: How long that took.
    """

    epoch: int = 0
    best: float = -math.inf
    waited: int = 0
    seconds: float = 0.0


class Training:
    """One training of a model.

    Args:
        model: What learns; its weights change.
        loss: Distance of outputs and targets.
        batch: Makes the batch of a step, counted from 0.
        plan: How long and how fast.
        look: Judges the averaged weights on held-out pictures; higher is better.
        checkpoint: File in which a run that was killed goes on; None keeps none.
        label: What the progress bar says.

    Attributes:
        before_s: Seconds of the runs that were killed before this one.
    """

    def __init__(
        self,
        model: Any,
        loss: Loss,
        batch: Callable[[int], Batch],
        plan: Plan,
        *,
        look: Callable[[], float] | None = None,
        checkpoint: Path | None = None,
        label: str = "Training",
    ) -> None:
        self._model, self._batch, self._plan = model, batch, plan
        self._look, self._checkpoint, self._label = look, checkpoint, label
        steps = plan.epochs * plan.steps
        warm = max(1, round(_WARM * steps))
        self._schedule = keras.optimizers.schedules.CosineDecay(
            plan.rate / 10, max(1, steps - warm), warmup_target=plan.rate, warmup_steps=warm
        )
        self._optimizer = keras.optimizers.AdamW(
            self._schedule, weight_decay=plan.decay, global_clipnorm=_CLIP
        )
        self._optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self._optimizer.build(model.trainable_variables)
        self._averages = [tf.Variable(each, trainable=False) for each in model.weights]
        self._loss = loss
        self._state = _State()
        self.before_s = 0.0

    def run(self) -> int:
        """Train; the model then has the averaged weights.

        Returns:
            Epochs of training, fewer than planned where it ended early.
        """
        self._resume()
        with fused(self._model):
            self._learn()
            self._take_averages()
        return self._state.epoch

    def _learn(self) -> None:
        plan, state = self._plan, self._state
        began = saved = time.monotonic()
        loss = math.nan
        total = plan.epochs * plan.steps
        step: Callable[[Any, Any], Any] | None = None
        with task(self._label, total, "step") as advance, closing(self._batches()) as batches:
            advance(state.epoch * plan.steps)
            while state.epoch < plan.epochs and not self._over():
                with task(self._epoch_label(loss), plan.steps, "step") as count:
                    losses = []
                    for _ in range(plan.steps):
                        made = next(batches)
                        step = step or self._compiled(made)
                        losses.append(step(*made))
                        count(1)
                loss = float(np.mean(losses))
                advance(plan.steps)
                state.epoch += 1
                self._judge()
                if time.monotonic() - saved >= plan.checkpoint_s:
                    saved = time.monotonic()
                    state.seconds = self.before_s + saved - began
                    self._save()

    def _epoch_label(self, loss: float) -> str:
        done, plan = self._state.epoch, self._plan
        rate = float(self._schedule(done * plan.steps))
        said = f"Epoch {done + 1} of {plan.epochs}, rate {rate:.2g}"
        if self._state.best > -math.inf:
            said += f", best {self._state.best:.3f}"
        return said if math.isnan(loss) else f"{said}, loss {loss:.3f}"

    def _compiled(self, example: Batch) -> Callable[[Any, Any], Any]:
        """Compile a step once for all batches, however many targets they have."""
        model, optimizer, kept = self._model, self._optimizer, self._plan.average
        loss = self._loss
        inputs = tf.TensorSpec((None, *example[0].shape[1:]), example[0].dtype)
        targets = tf.nest.map_structure(_open, example[1])

        @tf.function(input_signature=(inputs, targets))  # type: ignore[untyped-decorator] # TensorFlow has no types
        def step(inputs: Any, targets: Any) -> Any:
            with tf.GradientTape() as tape:
                outputs = model(inputs, training=True)
                distance = loss(outputs, targets)
            gradients = tape.gradient(distance, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            count = tf.cast(optimizer.iterations, tf.float32)
            share = tf.minimum(kept, (1.0 + count) / (10.0 + count))
            for average, weight in zip(self._averages, model.weights, strict=True):
                if average.dtype.is_floating:
                    average.assign(share * average + (1 - share) * weight)
                else:
                    average.assign(weight)
            return distance

        return step  # type: ignore[no-any-return] # TensorFlow has no types

    def _batches(self) -> Generator[Batch, None, None]:
        """Prepare batches in another thread, in order."""
        steps = range(
            self._state.epoch * self._plan.steps, self._plan.epochs * self._plan.steps
        )
        places = threading.Semaphore(_AHEAD)
        ready: queue.SimpleQueue[Batch | BaseException] = queue.SimpleQueue()
        over = threading.Event()

        def work() -> None:
            try:
                for step in steps:
                    places.acquire()
                    if over.is_set():
                        return
                    ready.put(self._batch(step))
            except BaseException as error:  # noqa: BLE001 (raised again where it is awaited)
                ready.put(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            for _ in steps:
                made = ready.get()
                places.release()
                if isinstance(made, BaseException):
                    raise made
                yield made
        finally:
            over.set()
            places.release()
            thread.join()

    def _judge(self) -> None:
        """Look at the held-out pictures, from time to time."""
        state, plan = self._state, self._plan
        if self._look is None or not plan.patience or state.epoch % plan.check:
            return
        own = self._model.get_weights()
        self._take_averages()
        value = self._look()
        self._model.set_weights(own)
        state.waited = 0 if value > state.best else state.waited + 1
        state.best = max(value, state.best)

    def _over(self) -> bool:
        return bool(self._plan.patience) and self._state.waited >= self._plan.patience

    def _take_averages(self) -> None:
        """Give the model the averaged weights, and BatchNormalization what belongs to them.

        Its own averages come from the weights of each step, which were others: those of the
        last batches are taken again (as after stochastic weight averaging, arXiv 1803.05407).
        """
        self._model.set_weights([each.numpy() for each in self._averages])
        norms = normalizations(self._model)
        usual = [layer.momentum for layer in norms]
        total = self._plan.epochs * self._plan.steps
        for count, step in enumerate(range(max(0, total - _SETTLE), total) if norms else ()):
            for layer in norms:
                layer.momentum = count / (count + 1)  # the mean of all batches so far
            self._model(self._batch(step)[0], training=True)
        for layer, momentum in zip(norms, usual, strict=True):
            layer.momentum = momentum

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        state = self._state
        held = io.BytesIO()
        values = {f"v{i}": each.numpy() for i, each in enumerate(self._variables())}
        np.savez(held, state=np.array(dataclasses.astuple(state)), **values)
        atomic_write(self._checkpoint, held.getvalue())

    def _resume(self) -> None:
        """Go on where a run that was killed stood."""
        if self._checkpoint is None or not self._checkpoint.exists():
            return
        with np.load(self._checkpoint) as held:
            epoch, best, waited, self.before_s = held["state"].tolist()
            for i, variable in enumerate(self._variables()):
                variable.assign(held[f"v{i}"])
        self._state.epoch, self._state.best = int(epoch), best
        self._state.waited = int(waited)

    def _variables(self) -> list[Any]:
        return [
            *(each.value for each in self._model.weights),
            *self._averages,
            *(each.value for each in self._optimizer.variables),
        ]


def _open(array: Any) -> Any:
    """Describe targets of which there may be more: only the last of three sizes is fixed."""
    last = array.shape[-1] if array.ndim > 2 else None
    return tf.TensorSpec((*[None] * (array.ndim - 1), last), array.dtype)
