"""What is missed and imagined is counted as the decider does it; thresholds are the best."""

import itertools
import logging
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgekit.audio.decisions import BACKGROUND, Decider, Settings
from edgekit.audio.tuning import (
    WITHIN_S,
    Mark,
    Scored,
    Tally,
    levels,
    poisson_upper,
)
from edgekit.errors import UsageError

LABELS = (*BACKGROUND, "yes", "no")


def scored(
    yes: dict[float, float], marks: tuple[Mark, ...] = (), seconds: float = 10.0
) -> Scored:
    """Return a recording with a score every 100 ms; the word yes has some at some times."""
    times = np.arange(round(seconds * 10)) / 10
    scores = np.zeros((len(times), len(LABELS)), np.float32)
    for t, score in yes.items():
        scores[round(t * 10), 2] = score
    return Scored(scores, times, seconds, marks)


def tally(*recordings: Scored, **settings: object) -> Tally:
    made = Tally(LABELS, Settings(**settings))  # type: ignore[arg-type] # by the test
    for each in recordings:
        made.add(each)
    return made


def test_a_word_counts_as_found_once_and_only_around_its_mark() -> None:
    mark = Mark(2.0, 2.5, "yes")
    heard = {1.5: 0.9, 2.4: 0.9, 4.0: 0.9, 2.5 + WITHIN_S + 0.1: 0.9}
    yes, no = tally(scored(heard, (mark,)), refractory_s=0.0).at()
    assert (yes.said, yes.found, yes.false_rejects) == (1, 1, 0.0)
    assert (yes.false_alarms, yes.foreign_alarms) == (3, 0)
    assert (no.said, no.found, no.false_rejects, no.false_alarms) == (0, 0, None, 0)


def test_a_word_heard_twice_where_it_was_said_once_is_a_false_alarm() -> None:
    yes, _ = tally(
        scored({2.1: 0.9, 2.5: 0.9}, (Mark(2.0, 2.5, "yes"),)), refractory_s=0.0
    ).at()
    assert (yes.found, yes.false_alarms) == (1, 1)


def test_a_word_heard_where_another_of_the_model_was_said_is_a_false_alarm() -> None:
    yes, no = tally(scored({2.1: 0.9}, (Mark(2.0, 2.5, "no"),))).at()
    assert (yes.false_alarms, yes.foreign_alarms) == (1, 0)
    assert (no.said, no.found) == (1, 0)


def test_alarms_in_foreign_words_are_counted_apart_and_so_is_their_time() -> None:
    marks = (Mark(2.0, 2.5, "maybe"), Mark(2.4, 3.0, "_unknown_"))
    found = tally(scored({2.1: 0.9, 8.0: 0.9}, marks))
    yes, _ = found.at()
    assert (yes.false_alarms, yes.foreign_alarms) == (1, 1)
    assert found.foreign == 2
    assert found.seconds == pytest.approx(10 - 1 - WITHIN_S)


@given(
    marks=st.lists(
        st.tuples(st.floats(0, 40), st.floats(0, 5), st.sampled_from(["yes", "maybe"])),
        max_size=8,
    ),
    heard=st.sets(st.integers(0, 499), max_size=30),
)
def test_counts_are_those_of_looking_at_every_mark(
    marks: list[tuple[float, float, str]], heard: set[int]
) -> None:
    placed = sorted((Mark(at, at + length, label) for at, length, label in marks), key=_start)
    counts = tally(
        scored({place / 10: 0.9 for place in heard}, tuple(placed), 50.0), refractory_s=0.0
    )
    times = sorted(place / 10 for place in heard if place - 1 not in heard)
    said = [mark for mark in placed if mark.label == "yes"]
    foreign = [mark for mark in placed if mark.label != "yes"]
    found = alarms = inside = 0
    for t in times:
        hit = next((mark for mark in said if mark.holds(t)), None)
        if hit:
            said.remove(hit)
            found += 1
        elif any(mark.holds(t) for mark in foreign):
            inside += 1
        else:
            alarms += 1
    yes, _ = counts.at()
    assert (yes.found, yes.false_alarms, yes.foreign_alarms) == (found, alarms, inside)
    grid = np.arange(0, 50, 0.01)
    covered = np.zeros(len(grid), np.bool_)
    for mark in foreign:
        covered |= (grid >= mark.start_s) & (grid <= mark.end_s + WITHIN_S)
    assert counts.seconds == pytest.approx(50 - covered.sum() / 100, abs=0.1)


def _start(mark: Mark) -> float:
    return mark.start_s


columns = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50)


@given(
    yes=columns,
    smooth=st.integers(1, 4),
    refractory=st.floats(0, 1),
    threshold=st.floats(0.05, 0.95),
)
def test_the_count_is_that_of_the_decider(
    yes: list[float], smooth: int, refractory: float, threshold: float
) -> None:
    times = np.arange(len(yes)) / 10
    scores = np.zeros((len(yes), 4), np.float32)
    scores[:, 2] = yes
    settings = Settings(
        smooth=smooth, refractory_s=refractory, thresholds=dict.fromkeys(LABELS, threshold)
    )
    events = Decider(LABELS, settings).push(scores, times)
    counts = Tally(LABELS, settings)
    counts.add(Scored(scores, times, len(yes) / 10))
    assert counts.at()[0].false_alarms == len(events)


@given(seed=st.integers(0, 10_000))
def test_a_higher_threshold_never_finds_a_word_that_a_lower_one_misses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    heard = {t / 10: float(rng.random()) for t in range(0, 100, 30)}
    marks = tuple(Mark(t - 0.1, t + 0.1, "yes") for t in heard)
    curve = tally(scored(heard, marks)).curve("yes")
    assert [each.threshold for each in curve] == sorted(each.threshold for each in curve)
    assert all(a.found >= b.found for a, b in itertools.pairwise(curve))


def random_recordings(seed: int) -> list[Scored]:
    rng = np.random.default_rng(seed)
    made = []
    for label in ("yes", "no", "_unknown_", "yes", "no", "maybe"):
        times = np.arange(60) / 10
        scores = (rng.random((60, 4)) ** 4).astype(np.float32)
        marks = (Mark(1.0, 1.4, label), Mark(4.0, 4.4, label))
        made.append(Scored(scores, times, 6.0, marks))
    return made


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), per_hour=st.floats(0, 3000), per_1000=st.floats(0, 3000))
def test_no_other_thresholds_within_the_budget_miss_less(
    seed: int, per_hour: float, per_1000: float
) -> None:
    counts = tally(*random_recordings(seed))
    allowed = (per_hour * counts.hours + 1e-9, per_1000 * counts.foreign / 1000 + 1e-9)
    tried = itertools.product(counts.curve("yes")[::-7], counts.curve("no")[::-7])
    misses = [
        (yes.said - yes.found) / yes.said + (no.said - no.found) / no.said
        for yes, no in tried
        if yes.false_alarms + no.false_alarms <= allowed[0]
        and yes.foreign_alarms + no.foreign_alarms <= allowed[1]
    ]
    assume(misses)
    yes, no = counts.at(counts.tune(per_hour, per_1000))
    assert yes.false_alarms + no.false_alarms <= allowed[0]
    assert yes.foreign_alarms + no.foreign_alarms <= allowed[1]
    assert (yes.false_rejects or 0) + (no.false_rejects or 0) <= min(misses) + 1e-9


def test_of_thresholds_that_do_the_same_the_middle_one_is_taken() -> None:
    heard = scored({2.1: 0.95, 6.0: 0.3}, (Mark(2.0, 2.5, "yes"),))
    chosen = tally(heard).tune(0.0)
    logits = [math.log(each / (1 - each)) for each in (0.3, chosen["yes"], 0.95)]
    assert logits[1] == pytest.approx((logits[0] + logits[2]) / 2, abs=0.2)


def test_a_large_budget_is_counted_in_units_and_still_kept() -> None:
    spikes = {t / 10: 0.2 + 0.7 * (t % 97) / 97 for t in range(0, 20_000, 20)}
    long = scored(spikes, seconds=2000.0)
    said = scored({2.1: 0.5}, (Mark(2.0, 2.5, "yes"),))
    counts = tally(long, said, refractory_s=0.0)
    per_hour = 900 / counts.hours
    yes, no = counts.at(counts.tune(per_hour))
    assert yes.found == 1
    assert 0 < yes.false_alarms + no.false_alarms <= 900


def test_a_word_that_no_threshold_keeps_quiet_gets_the_highest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loud = scored({5.0: 1.0})
    with caplog.at_level(logging.WARNING):
        chosen = tally(loud).tune(0.0)
    assert chosen["yes"] == 1.0
    assert "No threshold keeps 'yes' within the budget" in caplog.text


def test_a_budget_below_0_is_refused() -> None:
    with pytest.raises(UsageError, match="0 or more; found -1"):
        tally().tune(-1.0)


def test_the_models_own_threshold_is_among_those_counted() -> None:
    assert np.float32(0.123) in levels(0.123)
    yes, _ = tally(thresholds={"yes": 0.123}).at()
    assert yes.threshold == pytest.approx(0.123)


@pytest.mark.parametrize(
    ("count", "bound"),
    [  # the usual tables of exact Poisson limits, 95 % on one side
        pytest.param(0, 2.9957, id="none"),
        pytest.param(1, 4.7439, id="one"),
        pytest.param(5, 10.5130, id="five"),
        pytest.param(10, 16.9622, id="ten"),
        pytest.param(50, 63.2872, id="fifty"),
        pytest.param(1000, 1053.6, id="thousand"),
    ],
)
def test_the_upper_bound_is_that_of_the_tables(count: int, bound: float) -> None:
    assert poisson_upper(count) == pytest.approx(bound, rel=2e-4)
