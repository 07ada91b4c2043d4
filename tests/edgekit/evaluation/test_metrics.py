"""Laws and known values of the metrics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edgekit.audio.decisions import Settings
from edgekit.errors import UsageError
from edgekit.evaluation.boxes import MeanPrecision, MeanPrecision50
from edgekit.evaluation.keywords import FalseRejects
from edgekit.evaluation.metrics import Accuracy, Agreement, Metric, Sqnr, decibel, top1
from edgekit.evaluation.table import METRICS

scores = hnp.arrays(np.float32, (1, 4), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
signals = hnp.arrays(
    np.float64, (3, 5), elements=st.integers(-10_000, 10_000).map(lambda each: each / 100)
)


@given(found=st.lists(st.tuples(scores, st.integers(0, 3)), min_size=1, max_size=40))
def test_accuracy_is_the_weighted_mean_of_its_classes(
    found: list[tuple[NDArray[np.float32], int]],
) -> None:
    metric = Accuracy("scores", ["a", "b", "c", "d"])
    for each, label in found:
        metric.add({"scores": each}, label)
    result = metric.score()
    counts = [sum(label == index for _, label in found) for index in range(4)]
    seen = {name: n for name, n in zip("abcd", counts, strict=True) if n}
    assert result.per_class.keys() == seen.keys()
    weighted = sum(share * seen[name] for name, share in result.per_class.items())
    assert result.value == pytest.approx(weighted / len(found))


@given(each=scores)
def test_a_tie_goes_to_the_lowest_index(each: NDArray[np.float32]) -> None:
    found = top1(each)
    assert found is not None
    assert each[0, found] == each.max()
    assert (each[0, :found] < each.max()).all()


def test_a_score_that_is_not_a_number_is_never_right() -> None:
    metric = Accuracy("scores", ["a", "b"])
    metric.add({"scores": np.array([[np.nan, 0.1]], np.float32)}, 0)
    metric.add({"scores": np.array([[0.1, np.nan]], np.float32)}, 1)
    assert metric.score().value == 0.0


@given(signal=signals, scale=st.sampled_from([0.5, 4.0]))
def test_sqnr_does_not_change_when_both_sides_are_scaled(
    signal: NDArray[np.float64], scale: float
) -> None:
    noisy = np.rint(signal)
    one, two = Sqnr(), Sqnr()
    one.add({"y": noisy}, {"y": signal})
    two.add({"y": noisy * scale}, {"y": signal * scale})
    assert one.score().value == pytest.approx(two.score().value, abs=1e-3)


@given(signal=signals)
def test_a_model_agrees_with_itself_without_noise(signal: NDArray[np.float64]) -> None:
    metric, agreement = Sqnr(), Agreement()
    metric.add({"y": signal}, {"y": signal})
    agreement.add(signal, signal)
    assert metric.score().value == 200.0
    assert agreement.value == 1.0


@pytest.mark.parametrize(
    ("signal", "noise", "db"),
    [
        pytest.param(1.0, 1.0, 0.0, id="as loud as the signal"),
        pytest.param(1000.0, 1.0, 30.0, id="a thousandth"),
        pytest.param(1.0, 10.0, -10.0, id="louder than the signal"),
        pytest.param(0.0, 1.0, -200.0, id="no signal"),
        pytest.param(1.0, 0.0, 200.0, id="no noise"),
        pytest.param(1.0, math.nan, -200.0, id="not a number"),
        pytest.param(1e-300, 1e300, -200.0, id="beyond the limit"),
    ],
)
def test_known_ratios(signal: float, noise: float, db: float) -> None:
    assert decibel(signal, noise) == pytest.approx(db)


def test_sqnr_names_every_output_and_its_value_is_the_worst() -> None:
    metric = Sqnr()
    truth = {"a": np.ones(10, np.float32), "b": np.ones(10, np.float32)}
    metric.add({"a": truth["a"] * 1.1, "b": truth["b"] * 2}, truth)
    result = metric.score()
    assert result.per_output == {"a": pytest.approx(20.0, abs=1e-4), "b": 0.0}
    assert result.value == 0.0


def test_no_samples_give_no_value() -> None:
    assert Accuracy("scores", ["a"]).score().value is None
    assert Sqnr().score().value is None
    assert Agreement().value is None


def test_models_of_other_classes_cannot_agree() -> None:
    with pytest.raises(UsageError, match="10 and 5 classes"):
        Agreement().add(np.zeros(10), np.zeros(5))


def test_every_metric_is_named_as_in_the_table() -> None:
    made: dict[str, Metric] = {
        "accuracy": Accuracy("y", ["a"]),
        "map50": MeanPrecision50(["a"]),
        "map": MeanPrecision(["a"]),
        "sqnr_db": Sqnr(),
        "false_rejects": FalseRejects(["a"], Settings()),
    }
    assert made.keys() == METRICS.keys()
    assert all(metric.score().metric == name for name, metric in made.items())
