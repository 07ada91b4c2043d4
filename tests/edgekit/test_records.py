"""Records read what they wrote, and name the field that is wrong."""

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import RecordError
from edgekit.records import from_json, read_json, read_toml, to_json


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    name: str
    size: int = 1
    ready: bool = False
    scheme: Literal["int8", "float16"] = "int8"
    mean: tuple[float, ...] = ()
    pair: tuple[int, str] = (0, "")
    points: tuple[Point, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    anything: Any = None


finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=5,
)
records = st.builds(
    Record,
    name=text,
    size=st.integers(),
    ready=st.booleans(),
    scheme=st.sampled_from(["int8", "float16"]),
    mean=st.lists(finite, max_size=3).map(tuple),
    pair=st.tuples(st.integers(), text),
    points=st.lists(st.builds(Point, finite, st.none() | finite), max_size=3).map(tuple),
    versions=st.dictionaries(text, text, max_size=3),
    anything=plain,
)


@given(record=records)
def test_a_record_reads_what_it_wrote(record: Record) -> None:
    assert from_json(Record, json.loads(json.dumps(to_json(record))), "it") == record


@given(values=st.dictionaries(st.sampled_from(list(Record.__slots__)), plain) | plain)
def test_wrong_values_are_refused_in_words_or_accepted(values: Any) -> None:
    with suppress(RecordError):
        record = from_json(Record, values, "it")
        assert from_json(Record, to_json(record), "it") == record


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param([], r"it must be a table of fields; found list '\[\]'\.", id="no table"),
        pytest.param({}, r"it lacks name\.", id="missing"),
        pytest.param(
            {"name": "a", "nome": 1}, "it has unknown nome. Known: name, ", id="unknown"
        ),
        pytest.param({"name": 3}, r"it: name must be str; found int '3'\.", id="type"),
        pytest.param(
            {"name": "a", "size": True}, "size must be int; found bool", id="bool as int"
        ),
        pytest.param(
            {"name": "a", "size": 1.5}, "size must be int; found float", id="float as int"
        ),
        pytest.param(
            {"name": "a", "ready": 1}, "ready must be bool; found int", id="int as bool"
        ),
        pytest.param(
            {"name": "a", "scheme": "int9"}, "must be one of int8, float16; found", id="choice"
        ),
        pytest.param({"name": "a", "mean": 1.0}, "mean must be a list", id="no list"),
        pytest.param({"name": "a", "mean": ["b"]}, r"mean\[0\] must be float", id="in a list"),
        pytest.param({"name": "a", "mean": [10**400]}, "a finite number", id="too large"),
        pytest.param({"name": "a", "mean": [float("nan")]}, "a finite number", id="no number"),
        pytest.param({"name": "a", "pair": [1]}, "a list of 2 values", id="too short"),
        pytest.param(
            {"name": "a", "points": [{"x": 1}, {"y": 1}]}, r"points\[1\] lacks x", id="nested"
        ),
        pytest.param(
            {"name": "a", "versions": {"b": 1}}, r"versions\.b must be str", id="in a table"
        ),
        pytest.param(
            {"name": "a", "versions": []}, "versions must be a table", id="no inner table"
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_field(values: Any, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        from_json(Record, values, "it")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (np.float32("nan"), None),
        (np.float32(0.5), 0.5),
        (np.int8(-3), -3),
        (np.bool_(1), True),
        (Path("a/b"), str(Path("a/b"))),
        ((1, (2.0, None)), [1, [2.0, None]]),
        ({1: "a"}, {"1": "a"}),
        (Point(1.0), {"x": 1.0, "y": None}),
    ],
)
def test_values_become_plain_json(value: object, expected: object) -> None:
    assert to_json(value) == expected
    json.dumps(to_json(value), allow_nan=False)


def test_a_file_of_toml_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('name = "ä"\nmean = [1, 2.5]', encoding="utf-8")
    values = read_toml(tmp_path / "a.toml")
    assert from_json(Record, values, "it") == Record(name="ä", mean=(1.0, 2.5))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"a = = 1", id="syntax"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b"a = " + b"9" * 5000, id="endless number"),
        pytest.param(b"a = " + b"[" * 5000, id="endless nesting"),
        pytest.param(b"a = 2024-99-99", id="no such day"),
    ],
)
def test_what_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(RecordError, match=r"a\.toml is not valid TOML"):
        read_toml(tmp_path / "a.toml")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00", b"9" * 5000, b"[" * 100_000],
    ids=["empty", "syntax", "no text", "endless number", "endless nesting"],
)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(RecordError, match=r"a\.json is not valid JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("read", [read_toml, read_json])
def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path, read: Any) -> None:
    with pytest.raises(RecordError, match=r"Cannot read .*nowhere: No such file"):
        read(tmp_path / "nowhere")
    with pytest.raises(RecordError, match=r"Cannot read .*: Is a directory"):
        read(tmp_path)
