"""Running an artifact in another runtime: whether that one is to blame."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.runtime.elsewhere import Outcome
from edgekit_converters.export.runtimes import _nonsense

WANTED = np.random.default_rng(0).standard_normal((20, 5))


def _outcome(runtime: str, values: NDArray[np.float64]) -> Outcome:
    return Outcome(runtime, {f"{runtime} out": values})


def _off(by: float, seed: int) -> NDArray[np.float64]:
    return WANTED + by * np.random.default_rng(seed).standard_normal(WANTED.shape)


def _judged(here: NDArray[np.float64], there: NDArray[np.float64]) -> str | None:
    return _nonsense(*map(_outcome, ("float", "this", "that"), (WANTED, here, there)))


@pytest.mark.parametrize("there", [-WANTED, 10 * WANTED, _off(2.0, 1)])
def test_a_runtime_that_alone_is_far_off_is_named(there: NDArray[np.float64]) -> None:
    assert "runs in that but computes something else than in this" in str(
        _judged(_off(0.02, 2), there)
    )


def test_a_runtime_that_is_as_far_off_as_this_one_is_not_to_blame() -> None:
    assert _judged(_off(0.7, 1), _off(0.8, 2)) is None


def test_a_runtime_that_is_nearer_than_this_one_is_not_to_blame() -> None:
    assert _judged(_off(2.0, 1), _off(0.01, 2)) is None
