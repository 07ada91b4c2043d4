"""Every family of models, from Keras 3 to an int8 file that runs in both interpreters."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from families import FAMILIES, Family, make
from model_families import convert, inputs_alone, rows

RUNTIMES = ("ai-edge-litert", "tflite-runtime 2.14")


@pytest.fixture
def _tidy() -> Iterator[None]:
    import keras

    yield
    keras.backend.clear_session()


def _marks(family: Family) -> list[pytest.MarkDecorator]:
    marks = [] if family.quick else [pytest.mark.slow]
    if family.long:
        marks.append(pytest.mark.long)
    if family.shortfall:
        marks.append(pytest.mark.xfail(reason=family.shortfall))
    return marks


@pytest.mark.tf
@pytest.mark.usefixtures("_tidy")
@pytest.mark.parametrize(
    "family",
    [pytest.param(each, id=each.name, marks=_marks(each)) for each in FAMILIES],
)
@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
def test_a_family_becomes_an_int8_file_that_runs(family: Family, tmp_path: Path) -> None:
    model = make(family, tmp_path / "model.keras")
    if family.kind != "words":
        assert inputs_alone(family, model) > family.least_db, "an unfair test of int8"
    made = convert(family, tmp_path)
    assert min(made.sqnr_db.values()) >= family.least_db
    runtimes = 2 if os.environ.get("EDGEKIT_TFLITE_PYTHON") else 1
    assert len(made.verified_in) == runtimes


def test_the_table_has_a_row_for_every_family_in_order() -> None:
    assert list(rows()) == [each.name for each in FAMILIES]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda each: each.name)
def test_the_table_says_how_exact_a_family_is_and_where_it_runs(family: Family) -> None:
    row = rows()[family.name]
    assert all(each in row["runs in"] for each in RUNTIMES)
    decibels, _, why = row["SQNR"].partition(" dB")
    assert (float(decibels) < family.least_db) == bool(family.shortfall)
    assert why.removeprefix(": ") == family.shortfall
