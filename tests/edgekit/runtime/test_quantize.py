"""Laws of real values and their integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.errors import InputError, UsageError
from edgekit.runtime.quantize import Quantizer, dequantize, quantize

TYPES = st.sampled_from(["int8", "uint8", "int16"])
SCALES = st.floats(2.0**-100, 2.0**100, width=32)
REALS = hnp.arrays(
    np.float32, st.integers(1, 40), elements=st.floats(width=32, allow_nan=False)
)


def _zero_point(dtype: str, share: float) -> int:
    limits = np.iinfo(dtype)
    return int(limits.min + round(share * (int(limits.max) - int(limits.min))))


@given(dtype=TYPES, scale=SCALES, share=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_integers_survive_the_way_there_and_back(
    dtype: str, scale: float, share: float, seed: int
) -> None:
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(seed)
    integers = rng.integers(limits.min, limits.max, 50, dtype, endpoint=True)
    zero_point = _zero_point(dtype, share)
    real = dequantize(integers, scale, zero_point)
    np.testing.assert_array_equal(quantize(real, scale, zero_point, dtype), integers)


@given(real=REALS, dtype=TYPES, scale=SCALES, share=st.floats(0, 1))
def test_the_integer_is_the_nearest_one_and_saturates(
    real: np.ndarray, dtype: str, scale: float, share: float
) -> None:
    zero_point = _zero_point(dtype, share)
    limits = np.iinfo(dtype)
    with np.errstate(over="ignore"):
        steps = (real / np.float32(scale)).astype(np.float64) + zero_point
    found = quantize(real, scale, zero_point, dtype).astype(np.float64)
    assert (np.abs(found - np.clip(steps, limits.min, limits.max)) <= 0.5).all()


@given(real=REALS, dtype=TYPES, scale=SCALES, share=st.floats(0, 1))
def test_a_greater_value_never_gets_a_smaller_integer(
    real: np.ndarray, dtype: str, scale: float, share: float
) -> None:
    found = quantize(np.sort(real), scale, _zero_point(dtype, share), dtype).astype(np.int64)
    assert (np.diff(found) >= 0).all()


@given(dtype=TYPES, scale=SCALES, share=st.floats(0, 1))
def test_zero_is_exact(dtype: str, scale: float, share: float) -> None:
    zero_point = _zero_point(dtype, share)
    integers = quantize(np.zeros(1, np.float32), scale, zero_point, dtype)
    assert integers[0] == zero_point
    assert dequantize(integers, scale, zero_point)[0] == 0


@pytest.mark.parametrize(
    ("real", "integer"),
    [
        pytest.param(0.5, 0, id="half goes to even: down"),
        pytest.param(1.5, 2, id="half goes to even: up"),
        pytest.param(-0.5, 0, id="half below zero"),
        pytest.param(126.9, 127, id="nearest"),
        pytest.param(1e30, 127, id="too much"),
        pytest.param(-np.inf, -128, id="infinite"),
    ],
)
def test_known_values(real: float, integer: int) -> None:
    assert quantize(np.array([real], np.float32), 1.0, 0, "int8")[0] == integer


def test_every_uint8_stands_for_the_value_that_the_formula_gives() -> None:
    integers = np.arange(256, dtype=np.uint8)
    expected = np.float32(1 / 255) * (integers.astype(np.float32) - 7)
    np.testing.assert_array_equal(dequantize(integers, 1 / 255, 7), expected)


def test_wide_integers_are_exact_too() -> None:
    integers = np.array([-(2**31), -16_777_217, 0, 16_777_217, 2**31 - 1], np.int32)
    real = dequantize(integers, 2.0**-15, 3)
    assert real.dtype == np.float32
    np.testing.assert_allclose(real, (integers.astype(float) - 3) / 2**15, rtol=1e-7)
    found = quantize(np.array([-1e9, 0.0, 512.0, 1e9], np.float32), 2.0**-15, 3, "int32")
    assert found.tolist() == [-(2**31), 3, 2**24 + 3, 2**31 - 1]


def test_results_of_dequantize_are_the_callers() -> None:
    quantizer = Quantizer((2,), "int8", 0.5, 0)
    first = quantizer.dequantize(np.array([1, 2], np.int8))
    quantizer.dequantize(np.array([3, 4], np.int8))
    assert first.tolist() == [0.5, 1.0]


def test_nan_has_no_integer() -> None:
    with pytest.raises(InputError, match="NaN"):
        quantize(np.array([1.0, np.nan], np.float32), 1.0, 0, "int8")


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        pytest.param("float32", 1.0, id="a float type"),
        pytest.param("int8", 0.0, id="no scale"),
        pytest.param("int8", float("nan"), id="a scale that is no number"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(dtype: str, scale: float) -> None:
    with pytest.raises(UsageError, match="scale above 0"):
        quantize(np.zeros(1, np.float32), scale, 0, dtype)
