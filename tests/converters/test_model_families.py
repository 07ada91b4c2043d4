"""Every family of models, from Keras 3 to an int8 file that runs in both interpreters."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from families import FAMILIES, Family, make
from model_families import PAGE, convert

pytestmark = pytest.mark.tf


def _marks(family: Family) -> list[pytest.MarkDecorator]:
    slow = [] if family.quick else [pytest.mark.slow]
    reason = f"int8 falls short of {family.least_db:g} dB, and the cause is not known"
    return [*slow, pytest.mark.xfail(reason=reason)] if family.is_open else slow


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    import keras

    yield
    keras.backend.clear_session()


@pytest.mark.parametrize(
    "family",
    [pytest.param(each, id=each.name, marks=_marks(each)) for each in FAMILIES],
)
@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
def test_a_family_becomes_an_int8_file_that_runs(family: Family, tmp_path: Path) -> None:
    make(family, tmp_path / "model.keras")
    made = convert(family, tmp_path)
    assert min(made.sqnr_db.values()) >= family.least_db
    runtimes = 2 if os.environ.get("EDGEKIT_TFLITE_PYTHON") else 1
    assert len(made.verified_in) == runtimes


def test_the_table_knows_no_other_families() -> None:
    names = {each.name for each in FAMILIES}
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| family")]
    assert {line.split(" | ")[0].strip("| ") for line in rows} <= names
