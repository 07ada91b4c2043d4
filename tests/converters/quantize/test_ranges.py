"""Ranges are the true extremes over all samples, whatever their order."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import DataError, SourceError
from edgekit_converters.quantize.float_graph import prepare
from edgekit_converters.quantize.ranges import measure

pytestmark = pytest.mark.tf


@pytest.fixture
def doubled(float_file: Any) -> bytes:
    return prepare(float_file(lambda x: x * 2.0, (1, 3))).data


def measured(data: bytes, arrays: list[Any]) -> set[tuple[float, float]]:
    samples = [{"x": np.array(each, np.float32)} for each in arrays]
    return set(measure(data, Path("model"), samples).values())


def test_extremes_of_every_tensor_are_found_over_all_samples(doubled: bytes) -> None:
    arrays = [[0, 1, 2], [-5, 0, 0], [[0, 0, 7]], [0, 0, 0]]
    assert measured(doubled, arrays) == {(-5.0, 7.0), (-10.0, 14.0)}
    assert measured(doubled, arrays[::-1]) == measured(doubled, arrays)


def test_stand_ins_for_infinity_do_not_count(doubled: bytes) -> None:
    assert measured(doubled, [[0, 1, -3.3e38], [0, 0, 2]]) == {(0.0, 2.0), (0.0, 4.0)}


def test_values_that_are_no_numbers_are_refused(doubled: bytes) -> None:
    with pytest.raises(SourceError, match="values that are no numbers in tensor"):
        measured(doubled, [[0, float("nan"), 1]])


def test_a_sample_of_another_shape_is_refused(doubled: bytes) -> None:
    with pytest.raises(DataError, match=r"takes shape \(1, 3\); a sample has \(4,\)"):
        measured(doubled, [[1, 2, 3, 4]])


def test_a_sample_without_an_input_is_refused(float_file: Any) -> None:
    data = prepare(float_file(lambda a, b: a + b, (1, 3), (1, 3))).data
    with pytest.raises(DataError, match="has no input"):
        measure(data, Path("model"), [{"x0": np.zeros(3)}])
