"""The typical run, and runs in turns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgekit.profiling.perop.samples import Effort, alternate, typical
from edgekit.profiling.perop.tell import kernel_times


@given(arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 5)),
              elements=st.floats(0, 1e3, width=32)))  # fmt: skip
def test_the_typical_sum_is_between_the_fastest_and_the_slowest_run(rows: np.ndarray) -> None:
    sums = rows.sum(axis=1)
    assert sums.min() - 1e-6 <= typical(rows).sum() <= sums.max() + 1e-6


def test_a_run_that_was_interrupted_changes_nothing() -> None:
    calm = np.tile([1.0, 2.0, 3.0], (20, 1))
    calm[7, 1] = 500.0
    assert typical(calm) == pytest.approx([1.0, 2.0, 3.0])


def test_whole_microseconds_average_to_their_fractions() -> None:
    cut = np.array([[1.0, 0.0]] * 10 + [[0.0, 1.0]] * 10)
    assert typical(cut) == pytest.approx([0.5, 0.5])


def test_as_many_runs_as_asked_and_the_first_of_a_block_left_out() -> None:
    asked: list[int] = []

    def parts(count: int) -> list[list[float]]:
        asked.append(count)
        return [[99.0], *[[1.0]] * (count - 1)]

    rows, wholes = alternate(parts, lambda: None, Effort(runs=7))
    assert rows.tolist() == [[1.0]] * 7
    assert len(wholes) == 7
    assert sum(asked) == 7 + len(asked)


def test_a_slow_model_ends_with_its_time() -> None:
    rows, _ = alternate(
        lambda count: [[1.0]] * count, lambda: None, Effort(min_runs=10**9, max_s=0.05)
    )
    assert len(rows) >= 3


KERNELS = (("Add (ND)", 8, 0), ("SOFTMAX", 2, 1), ("Copy (NC, X8)", 8, 0))


@pytest.mark.parametrize(
    ("whole_ms", "found"),
    [
        pytest.param(
            0.020, [0.0105, 0.004, 0.0], id="half a microsecond of each that took one"
        ),
        pytest.param(0.0142, [0.0102, 0.004, 0.0], id="no more than there is room for"),
        pytest.param(0.010, [0.010, 0.004, 0.0], id="no room"),
    ],
)
def test_what_xnnpack_cuts_off_is_added(whole_ms: float, found: list[float]) -> None:
    rows = np.tile([0.010, 0.004, 0.0], (10, 1))
    times = kernel_times(KERNELS, rows, whole_ms)
    assert [each.ms for each in times] == pytest.approx(found)
    assert [(each.op, each.first) for each in times] == [(None, True), (1, False), (None, True)]
