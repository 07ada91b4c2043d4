"""Laws of subsets and digests, and how unreadable samples are told."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data.samples import Dataset, Digest, Inputs, Sample, digest
from edgekit.errors import DataError


class Numbers:
    """A store whose sample i holds i; some cannot be read."""

    def __init__(self, count: int, broken: Sequence[int] = ()) -> None:
        self._count = count
        self._broken = set(broken)

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        return f"number {index}"

    def read(self, indices: Sequence[int]) -> Iterator[Inputs | DataError]:
        for index in indices:
            if index in self._broken:
                yield DataError(f"number {index} is broken.")
            else:
                yield {"x": np.array([index], np.float32)}


def dataset(
    classes: Sequence[int] = (), *, count: int = 0, broken: Sequence[int] = ()
) -> Dataset:
    store = Numbers(count or len(classes), broken)
    numbers = np.array(classes, np.intp) if classes else None
    return Dataset(store, description="numbers", classes=numbers)


def held(samples: Dataset) -> list[int]:
    return [int(sample.inputs["x"][0]) for sample in samples]


labelled = st.lists(st.integers(0, 4), min_size=1, max_size=80)


@given(classes=labelled, n=st.integers(1, 100), seed=st.integers(0, 5))
def test_a_subset_has_n_different_samples_in_order(
    classes: list[int], n: int, seed: int
) -> None:
    chosen = held(dataset(classes).subset(n, seed))
    assert len(chosen) == min(n, len(classes))
    assert chosen == sorted(set(chosen))


@given(classes=labelled, n=st.integers(1, 100), seed=st.integers(0, 5))
def test_a_subset_keeps_the_proportion_of_the_classes(
    classes: list[int], n: int, seed: int
) -> None:
    n = min(n, len(classes))
    found = Counter(classes[i] for i in held(dataset(classes).subset(n, seed)))
    for number, count in Counter(classes).items():
        assert abs(found[number] - count * n / len(classes)) < 1


@given(classes=labelled, n=st.integers(1, 100), seed=st.integers(0, 5))
def test_a_subset_repeats(classes: list[int], n: int, seed: int) -> None:
    assert held(dataset(classes).subset(n, seed)) == held(dataset(classes).subset(n, seed))


def test_the_choice_is_the_same_on_every_machine() -> None:
    assert held(dataset([0, 1] * 50).subset(6, 0)) == [6, 7, 12, 19, 27, 62]


def test_another_seed_chooses_others() -> None:
    everything = dataset([0] * 100)
    assert held(everything.subset(10, 0)) != held(everything.subset(10, 1))


def test_a_subset_of_a_subset_stays_inside() -> None:
    outer = dataset([0, 1] * 50).subset(40, 0)
    inner = outer.subset(10, 0)
    assert set(held(inner)) <= set(held(outer))
    assert [inner.class_of(place) for place in range(10)] == [s.label for s in inner]


@given(classes=labelled, n=st.integers(1, 100), seed=st.integers(0, 5))
def test_a_subset_and_what_is_without_it_are_the_whole(
    classes: list[int], n: int, seed: int
) -> None:
    whole = dataset(classes)
    chosen = whole.subset(n, seed)
    rest = held(whole.without(chosen))
    assert sorted(held(chosen) + rest) == held(whole)
    assert rest == sorted(rest)


def test_a_choice_of_none_is_refused() -> None:
    with pytest.raises(DataError, match="ask for 1 or more"):
        dataset([0]).subset(0, 0)


def test_a_set_can_be_read_again() -> None:
    numbers = dataset(count=5)
    assert held(numbers) == held(numbers) == [0, 1, 2, 3, 4]


def test_an_unreadable_sample_is_named_once_skipped_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    numbers = dataset(count=40, broken=[7])
    with caplog.at_level(logging.WARNING):
        assert held(numbers) == [i for i in range(40) if i != 7]
        assert held(numbers) == [i for i in range(40) if i != 7]
    assert numbers.skipped == 1
    assert [record.getMessage() for record in caplog.records] == [
        "Skipped: number 7 is broken."
    ]


def test_a_flood_of_warnings_is_cut_short(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(held(dataset(count=1000, broken=range(0, 1000, 25)))) == 960
    assert len(caplog.records) == 21
    assert "only counted" in caplog.text


def test_labels_stay_with_their_samples_after_a_skip() -> None:
    numbers = dataset(list(range(40)), broken=[7])
    assert [sample.label for sample in numbers] == held(numbers)


def test_more_than_five_percent_unreadable_is_an_error_that_names_some() -> None:
    numbers = dataset(count=40, broken=[3, 8, 30])
    with pytest.raises(DataError, match=r"3 of 40 .* number 3, number 8, number 30"):
        held(numbers)


def samples(values: list[list[float]]) -> list[Sample]:
    return [Sample(f"{i}", {"x": np.array(v, np.float32)}, None) for i, v in enumerate(values)]


@given(st.lists(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=3), max_size=5))
def test_a_digest_grows_sample_by_sample(values: list[list[float]]) -> None:
    total = Digest()
    for sample in samples(values):
        total.add(sample)
    assert total.value == digest(samples(values))


def test_a_digest_sees_content_order_shape_and_type_but_no_names() -> None:
    base = samples([[1, 2], [3, 4]])
    renamed = [Sample("other", sample.inputs, 5) for sample in base]
    assert digest(renamed) == digest(base)
    assert len(digest(base)) == 64
    others = [
        samples([[3, 4], [1, 2]]),
        samples([[1, 2, 3, 4]]),
        [Sample("0", {"x": s.inputs["x"].astype(np.int32)}, None) for s in base],
        [Sample("0", {"y": s.inputs["x"]}, None) for s in base],
    ]
    assert len({digest(each) for each in [base, *others]}) == 5
