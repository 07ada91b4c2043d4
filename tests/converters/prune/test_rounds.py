"""Channels in several rounds, and by the time that they save."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from made_up_device import Device

from edgekit.data import Dataset, open_dataset
from edgekit.errors import UsageError
from edgekit.profiling.calibration.device import calibration
from edgekit.profiling.calibration.record import default_path
from edgekit_converters.prune import latency, prune
from edgekit_converters.prune.groups import find
from edgekit_converters.prune.job import cost

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore::UserWarning:keras.*")]

SHAPE = (6, 6, 3)


def net() -> Any:
    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [
            keras.Input(SHAPE, name="x"),
            layers.Conv2D(24, 3, padding="same", activation="relu", name="one"),
            layers.Conv2D(40, 3, padding="same", activation="relu", name="two"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="three"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, *SHAPE)).astype(np.float32), np.arange(64) % 2
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, x=x, y=y)
    return open_dataset(path, shapes={"x": SHAPE}, preprocessing=None, labelled=True)


@pytest.mark.parametrize("amount", ["0.5", "0.7"])
def test_rounds_end_with_as_many_channels_as_one(data: Dataset, amount: str) -> None:
    once = prune(net(), amount)
    slowly = prune(net(), amount, data=data, epochs=4, steps=4, distill=True)
    assert slowly.thinned == once.thinned
    assert slowly.after.macs == once.after.macs
    assert slowly.before == once.before
    assert slowly.proof_difference is not None
    assert slowly.proof_difference <= 1e-4


@pytest.mark.parametrize("amount", ["macs:0.6", "channels:0.6"])
def test_globally_too_the_share_counts_from_the_original(data: Dataset, amount: str) -> None:
    slowly = prune(net(), amount, data=data, epochs=3, steps=3, ranking="global")
    if amount == "macs:0.6":
        assert slowly.after.macs <= 0.4 * slowly.before.macs
    else:
        left = sum(each.after for each in slowly.thinned)
        rounding = 4 * len(slowly.thinned)  # each group to a multiple of 8
        assert abs(left - 0.4 * (24 + 40 + 64)) <= rounding


def test_all_epochs_are_used_up(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def count(_model: Any, _data: Any, epochs: int, **_options: Any) -> None:
        seen.append(epochs)

    monkeypatch.setattr("edgekit_converters.prune.channels.finetune", count)
    prune(net(), "0.5", data=data, epochs=5, steps=3)
    assert len(seen) == 3
    assert sum(seen) == 5


@pytest.fixture
def as_fast_as_its_macs(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Make time a matter of MACs: a part of it stays whatever is pruned."""

    def make(fixed: float) -> None:
        def ratio(race: Any, model: Any) -> float:
            return fixed + (1 - fixed) * cost(model).macs / int(race.whole)

        def start(race: Any, model: Any, _folder: Path) -> None:
            race.whole = cost(model).macs

        monkeypatch.setattr(latency._Race, "__init__", start)
        monkeypatch.setattr(latency._Race, "ratio", ratio)

    return make


@pytest.mark.parametrize("share", [0.2, 0.5, 0.7])
def test_enough_time_goes_and_not_much_more(
    as_fast_as_its_macs: Callable[[float], None], share: float
) -> None:
    as_fast_as_its_macs(0.1)
    found = prune(net(), f"latency:{share}@host")
    ratio = 0.1 + 0.9 * found.after.macs / found.before.macs
    assert 1 - share - 0.2 < ratio <= 1 - share


def test_more_time_than_there_is_cannot_go(
    as_fast_as_its_macs: Callable[[float], None],
) -> None:
    as_fast_as_its_macs(0.6)
    with pytest.raises(UsageError, match="does not save that much"):
        prune(net(), "latency:0.5@host")


def test_a_model_is_timed_against_a_smaller_one(tmp_path: Path) -> None:
    model = net()
    race = latency._Race(model, tmp_path)
    assert race.ratio(prune(model, "macs:0.5").model) > 0


def test_time_on_a_calibrated_target_is_told_by_its_law(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    law = calibration(Device().session(), "raspberry-pi-4")
    law.write(default_path("raspberry-pi-4"))
    model = net()
    found = prune(model, "latency:0.3@raspberry-pi-4")
    told = latency._Told(model, tmp_path, "raspberry-pi-4")
    assert told.ratio(model) == pytest.approx(1.0)
    assert 0.5 < told.ratio(found.model) <= 0.7
    with pytest.raises(UsageError, match="raspberry-pi-4 does not save that much"):
        prune(model, "latency:0.95@raspberry-pi-4")


def test_a_group_remembers_how_many_channels_it_had() -> None:
    from dataclasses import replace

    from edgekit_converters.prune.graph import Graph
    from edgekit_converters.prune.rules import read

    group = next(each for each in find(read(Graph(net()))) if each.layers == ("three",))
    assert group.keeps(0.5) == 32
    assert replace(group, units=group.units[:40]).keeps(0.5) == 32
    assert replace(group, units=group.units[:24]).keeps(0.5) == 24
