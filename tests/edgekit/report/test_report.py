"""The page: complete, self-contained, and nothing in it becomes markup by itself."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import reported
from hypothesis import given
from hypothesis import strategies as st
from reported import Reader, page_of

from edgekit.errors import RecordError, UsageError
from edgekit.records import to_json
from edgekit.report import write_report
from edgekit.report.markup import tag

EVIL = "<script>alert(1)<b>\"'&amp;"
Page = Callable[..., Reader]

RUN: dict[str, Any] = {
    "artifacts": [
        {
            "path": f"out/{EVIL}.tflite",
            "target": "raspberry-pi-4",
            "scheme": "int8",
            "bytes": 98_496,
            "gzip_bytes": 61_000,
            "fully_integer": True,
            "float": {"metric": "accuracy", "value": 0.871},
            "quantized": {"metric": "accuracy", "value": 0.862},
            "drop": 0.009,
            "agreement": 0.975,
            "warnings": ["Two samples are the same.", EVIL],
            "rejected": False,
        }
    ],
    "source": {"file": "resnet.h5", "sha256": "0", "loaded_by": "keras"},
    "calibration": {"data": "photos", "samples": 200, "seed": 7, "digest": "0"},
    "recipe": {"model": "resnet.h5", "targets": ["raspberry-pi-4"]},
    "warnings": ["A warning of the whole run."],
}
PROFILE = {
    "kind": "measured",
    "model": "out/resnet.host.tflite",
    "latency_ms": {"min": 0.9, "p5": 1.0, "median": 1.25, "p95": 2.0, "p99": 3.0, "max": 4.0},
    "runs": 812,
    "warmup_runs": 10,
    "threads": 2,
    "runtime": "ai-edge-litert 2.3.0",
    "machine": {"board": "Raspberry Pi 4", "cpu": "Cortex-A72", "cores": 4, "load": 0.1},
    "notes": ["This machine is busy."],
}
ESTIMATE = {
    "kind": "estimated",
    "model": "resnet.tflite",
    "target": "raspberry-pi-3",
    "latency_ms": 30.0,
    "low_ms": 25.0,
    "high_ms": 40.0,
}


def test_every_number_is_on_the_page_with_the_way_it_was_obtained(page: Page) -> None:
    words = page(RUN, PROFILE).words
    for text in ("98.5 kB", "61.0 kB", "87.1 %", "86.2 %", "+0.90", "97.5 %", "1.25 ms"):
        assert text in words
    assert "1.00 ms to 2.00 ms" in words
    assert "812 runs" in words
    assert "Raspberry Pi 4" in words
    assert "gzip" in words
    assert "calibration samples" in words


def test_the_commands_that_repeat_it_are_named(page: Page, tmp_path: Path) -> None:
    words = page(RUN, PROFILE).words
    assert f"edgekit convert --recipe {tmp_path / '0.json'} -o again/" in words
    assert "edgekit profile out/resnet.host.tflite" in words
    assert "200 samples of photos, chosen with seed 7." in words


def test_warnings_of_every_kind_are_listed(page: Page) -> None:
    words = page(RUN, PROFILE).words
    for text in ("Two samples are the same.", "A warning of the whole run.", "machine is busy"):
        assert text in words


def test_an_estimate_looks_other_than_a_measurement(page: Page, tmp_path: Path) -> None:
    reader = page(PROFILE, ESTIMATE)
    assert "25.00 ms to 40.00 ms" in reader.words
    written = (tmp_path / "report.html").read_text()
    assert "kind-measured" in written
    assert "kind-estimated" in written
    assert "it did not run on the device" in reader.words


def test_the_page_is_closed_and_loads_nothing(page: Page, tmp_path: Path) -> None:
    reader = page(RUN, PROFILE, ESTIMATE)
    assert reader.open == []
    assert reader.addresses == []
    assert not reader.seen & {"script", "link", "img", "iframe"}
    assert "url(" not in (tmp_path / "report.html").read_text()


def test_what_was_read_never_becomes_markup(page: Page) -> None:
    reader = page(RUN)
    assert not reader.seen & {"script", "b"}
    assert reader.words.count(f"{EVIL}.tflite") == 2
    assert f"raspberry-pi-4: {EVIL}" in reader.words


@given(text=st.text(), value=st.text())
def test_text_and_attributes_come_back_as_they_were(text: str, value: str) -> None:
    made = tag("p", text, title=value)
    assert "<" not in made.removeprefix("<p").removesuffix("</p>")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"artifacts": []}, id="no artifacts"),
        pytest.param({"artifacts": [{}]}, id="an empty one"),
        pytest.param(
            {"artifacts": [{"bytes": "many", "float": 3, "warnings": "x"}]}, id="wrong"
        ),
        pytest.param({"kind": "measured", "latency_ms": None}, id="no latency"),
        pytest.param(
            {"kind": "measured", "latency_ms": {"median": 1}, "machine": 3}, id="half"
        ),
        pytest.param({"profiles": [PROFILE, PROFILE]}, id="several profiles"),
        pytest.param({"before": {"bytes": 5}, "after": {}}, id="pruning"),
        pytest.param({"metric": "accuracy", "value": 0.5, "samples": 3}, id="evaluation"),
    ],
)
def test_what_is_missing_is_left_out(page: Page, document: Any) -> None:
    assert page(document).open == []


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    plain,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
)
KINDS: list[Any] = [
    RUN,
    PROFILE,
    reported.per_op(),
    reported.thorough(),
    reported.estimate(),
    reported.inspection("edgetpu", "cpu"),
    reported.pruning("0.5", 0.5),
    reported.difference(),
    reported.calibrated(),
    reported.fleet(),
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every list or table within a document, with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    found = [(value, key) for key in keys]
    inner = [value[key] for key in keys if isinstance(value[key], dict | list)]
    return found + [place for each in inner for place in places(each)]


@given(data=st.data(), kind=st.sampled_from(KINDS), rest=anything)
def test_whatever_stands_in_a_document_the_page_is_whole_or_it_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: Any, rest: Any
) -> None:
    document = json.loads(json.dumps(to_json(kind)))
    holder, key = data.draw(st.sampled_from(places(document)))
    holder[key] = rest
    with suppress(RecordError):
        assert page_of(tmp_path_factory.mktemp("run"), document).open == []


def test_one_page_shows_all_kinds_together(page: Page) -> None:
    reader = page(*KINDS)
    assert reader.open == []
    assert reader.addresses == []
    titles = (
        "Models and sizes, Accuracy, Targets, Latency by target, Time of each operator, "
        "Threads and delegates, Without pause, Two measurements compared, Calibrated devices, "
        "Placement, Pruning, Warnings, How each number was obtained, To repeat it"
    )
    at = [reader.words.index(title) for title in titles.split(", ")]
    assert at == sorted(at)


def test_the_refusal_names_what_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"colour": "red"}')
    with pytest.raises(RecordError, match=r"(?s)other\.json is JSON.*`inspect`.*`estimate`"):
        write_report([tmp_path / "other.json"], tmp_path / "report.html")


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", '{"a": 1}', "not json"])
def test_other_files_are_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(RecordError, match=r"other\.json"):
        write_report([tmp_path / "other.json"], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_report_never_overwrites_what_it_is_made_from(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    with pytest.raises(UsageError, match="would overwrite"):
        write_report([tmp_path / "run.json"], tmp_path / "run.json")


def test_a_report_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one"):
        write_report([], tmp_path / "report.html")
