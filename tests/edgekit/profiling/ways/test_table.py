"""The table of ways in: each is what it must be."""

from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.profiling.ways import WAYS_IN, call_on, local, profile_on
from edgekit.profiling.ways.adb import way as adb
from edgekit.profiling.ways.errand import Way
from edgekit.profiling.ways.ssh import way as ssh
from edgekit.profiling.ways.table import way_in

WAYS: dict[str, Way] = {"local": local, "ssh": ssh, "adb": adb}  # mypy checks each of them


def test_the_table_has_all_ways() -> None:
    assert {name: way_in(name) for name in WAYS_IN} == WAYS


def test_here_is_a_way_too(model: Path) -> None:
    (found,) = profile_on("local", [model], runs=3, warmup_s=0.0)
    assert (found.on, found.runs, found.model) == ("local", 3, str(model))
    assert call_on("local", "edgekit.measure:machine")["cores"] == found.machine.cores


@pytest.mark.parametrize("address", ["ssh://pi", "adb://R5"])
def test_what_is_no_tflite_is_refused_before_anything_is_reached(
    address: str, tmp_path: Path
) -> None:
    keras = tmp_path / "model.keras"
    keras.write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match=r"model\.keras"):
        profile_on(address, [keras])
