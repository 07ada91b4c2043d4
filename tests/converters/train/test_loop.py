"""The training loop: it learns, and goes on after a kill as if nothing had happened."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
loop = pytest.importorskip("edgekit_converters.train.loop")
pytestmark = pytest.mark.tf

STEPS = 5
WEIGHTS = np.array([[1.0], [-2.0], [0.5]], np.float32)


class Killed(BaseException):
    """Stands for the end of the process."""


def model() -> Any:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(1)]
    )


def batch(step: int) -> tuple[Any, Any]:
    x = np.random.default_rng(step).normal(size=(16, 3)).astype(np.float32)
    return x, x @ WEIGHTS


def distance(given: Any, wanted: Any) -> Any:
    return keras.ops.mean((given - wanted) ** 2)


def plan(epochs: int, **rest: Any) -> Any:
    return loop.Plan(epochs=epochs, steps=STEPS, rate=0.05, checkpoint_s=0.0, **rest)


def killed_at(last: int) -> Callable[[int], tuple[Any, Any]]:
    def made(step: int) -> tuple[Any, Any]:
        if step >= last:
            raise Killed
        return batch(step)

    return made


def test_it_learns() -> None:
    net = model()
    x, y = batch(999)
    before = float(distance(net(x), y))
    assert loop.Training(net, distance, batch, plan(30, average=0.9)).run() == 30
    assert float(distance(net(x), y)) < 0.1 * before


def test_a_killed_run_goes_on_as_if_it_had_not_been_killed(tmp_path: Path) -> None:
    whole, broken = model(), model()
    loop.Training(whole, distance, batch, plan(4)).run()
    file = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        loop.Training(broken, distance, killed_at(13), plan(4), checkpoint=file).run()
    assert file.exists()
    seen: list[int] = []

    def noted(step: int) -> tuple[Any, Any]:
        seen.append(step)
        return batch(step)

    resumed = model()
    training = loop.Training(resumed, distance, noted, plan(4), checkpoint=file)
    training.run()
    assert seen[0] == 10
    assert training.before_s > 0
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_what_goes_wrong_with_a_batch_is_raised() -> None:
    with pytest.raises(Killed):
        loop.Training(model(), distance, killed_at(0), plan(2)).run()


def test_it_ends_when_nothing_gets_better() -> None:
    looks = iter([0.5, 0.6, 0.6, 0.4])
    short = plan(100, check=1, patience=2)
    epochs = loop.Training(model(), distance, batch, short, look=lambda: next(looks)).run()
    assert epochs == 4


def test_without_patience_nobody_looks_at_what_is_held_out() -> None:
    def look() -> float:
        raise AssertionError

    assert loop.Training(model(), distance, batch, plan(2, check=1), look=look).run() == 2
