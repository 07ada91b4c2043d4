"""Laws of least squares with coefficients of 0 or more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekit.profiling.calibration.nnls import nnls

matrices = arrays.arrays(
    np.float64, st.tuples(st.integers(3, 12), st.integers(1, 6)), elements=st.floats(-10, 10)
)


@given(matrix=matrices, seed=st.integers(0, 99))
def test_no_coefficient_is_below_zero_and_none_can_be_bettered(
    matrix: np.ndarray, seed: int
) -> None:
    wanted = np.random.default_rng(seed).normal(size=len(matrix)) * 10
    found = nnls(matrix, wanted)
    assert (found >= 0).all()
    # Where a coefficient is 0, more of it does not help; where it is above, no change does.
    slope = matrix.T @ (wanted - matrix @ found)
    scale = np.linalg.norm(matrix, axis=0) * np.linalg.norm(wanted) + 1e-9
    assert (slope <= 1e-5 * scale + 1e-7).all()
    assert (np.abs(slope[found > 0]) <= 1e-5 * scale[found > 0] + 1e-7).all()


@given(seed=st.integers(0, 99), magnitude=st.sampled_from([1e-6, 1.0, 1e9]))
def test_coefficients_that_made_the_values_are_found_again(seed: int, magnitude: float) -> None:
    random = np.random.default_rng(seed)
    matrix = random.random((20, 5)) * np.array([1, magnitude, 1, 1, 1])
    truth = np.array([0.5, 2.0 / magnitude, 0.0, 3.0, 0.0])
    np.testing.assert_allclose(nnls(matrix, matrix @ truth), truth, atol=1e-6, rtol=1e-6)


def test_no_more_columns_than_allowed_are_used() -> None:
    matrix = np.eye(4)
    wanted = np.array([4.0, 3.0, 2.0, 1.0])
    assert nnls(matrix, wanted, most=2).tolist() == [4.0, 3.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("matrix", "wanted", "answer"),
    [
        pytest.param(np.zeros((3, 2)), np.ones(3), [0, 0], id="columns of zeros"),
        pytest.param(np.ones((3, 1)), -np.ones(3), [0], id="only less would help"),
        pytest.param(np.ones((2, 0)), np.ones(2), [], id="no columns"),
    ],
)
def test_where_nothing_helps_all_is_zero(
    matrix: np.ndarray, wanted: np.ndarray, answer: list[float]
) -> None:
    assert nnls(matrix, wanted).tolist() == answer
