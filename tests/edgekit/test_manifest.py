"""Laws of preprocessing, and the manifest's way into a file and back."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import RecordError
from edgekit.manifest import Calibration, Manifest, Output, Overrides, Preprocessing, Source

finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-3, 1e6)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def channels(count: int) -> st.SearchStrategy[dict[str, Any]]:
    values = st.lists(finite, min_size=count, max_size=count).map(tuple)
    widths = st.lists(positive, min_size=count, max_size=count).map(tuple)
    return st.fixed_dictionaries({"mean": values, "std": widths})


ways = {
    "color": st.sampled_from(["rgb", "bgr", "gray"]),
    "resize": st.sampled_from(["stretch", "crop", "letterbox"]),
}
preprocessings = st.builds(
    lambda scaling, color, resize: Preprocessing(color=color, resize=resize, **scaling),
    channels(1) | channels(3),
    **ways,
)
ranges = st.tuples(finite, finite).filter(lambda pair: pair[1] - pair[0] > 1e-3)
overrides = st.builds(
    Overrides,
    color=st.none() | ways["color"],
    resize=st.none() | ways["resize"],
    mean=st.none() | st.tuples(finite) | st.tuples(finite, finite, finite),
    std=st.none() | st.tuples(positive) | st.tuples(positive, positive, positive),
    input_range=st.none() | ranges,
)


@given(pair=ranges)
def test_a_range_is_what_pixels_become(pair: tuple[float, float]) -> None:
    low, high = Preprocessing.from_range(*pair).input_range
    tolerance = 1e-6 * max(map(abs, pair))
    assert low == pytest.approx(pair[0], abs=tolerance)
    assert high == pytest.approx(pair[1], abs=tolerance)


@given(base=preprocessings)
def test_every_pixel_lies_in_the_range(base: Preprocessing) -> None:
    low, high = base.input_range
    for mean, std in zip(base.mean, base.std, strict=True):
        assert all(low <= (pixel - mean) / std <= high for pixel in (0.0, 128.0, 255.0))


@pytest.mark.parametrize(
    ("pair", "mean", "std"),
    [((0, 1), 0.0, 255.0), ((-1, 1), 127.5, 127.5), ((0, 255), 0.0, 1.0)],
    ids=["0 to 1", "-1 to 1", "pixels as they are"],
)
def test_known_ranges(pair: tuple[float, float], mean: float, std: float) -> None:
    made = Preprocessing.from_range(*pair)
    assert (made.mean, made.std) == ((mean,), (std,))


@given(base=preprocessings)
def test_no_wish_changes_nothing(base: Preprocessing) -> None:
    assert Overrides().on(base) == base


@given(base=preprocessings, wish=overrides)
def test_a_wish_wins_and_the_rest_stays(base: Preprocessing, wish: Overrides) -> None:
    result = wish.on(base)
    assert result.color == (wish.color or base.color)
    assert result.resize == (wish.resize or base.resize)
    if not wish.scaling:
        assert (result.mean, result.std) == (base.mean, base.std)
    elif wish.input_range is None:
        for wanted, found in ((wish.mean, result.mean), (wish.std, result.std)):
            assert wanted is None or set(found) == set(wanted)


@given(base=preprocessings, wish=overrides)
def test_a_wish_fulfilled_twice_is_the_same(base: Preprocessing, wish: Overrides) -> None:
    once = wish.on(base)
    assert wish.on(once) == once


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"mean": (1.0, 2.0)}, "equally many; found 2 and 1", id="counts differ"),
        pytest.param({"mean": (), "std": ()}, "one value, or three", id="none"),
        pytest.param({"mean": (1.0,) * 4, "std": (1.0,) * 4}, "one value, or three", id="four"),
        pytest.param({"std": (0.0,)}, "std must be above 0; found 0", id="zero"),
        pytest.param({"std": (float("nan"),)}, "finite numbers", id="no number"),
        pytest.param({"mean": (float("inf"),)}, "finite numbers", id="endless"),
    ],
)
def test_a_preprocessing_that_cannot_be_is_refused(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecordError, match=message):
        Preprocessing(**values)


@pytest.mark.parametrize("pair", [(1.0, 0.0), (0.0, 0.0), (float("nan"), 1.0)])
def test_a_range_upside_down_is_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(RecordError, match="goes from low to high"):
        Preprocessing.from_range(*pair)


manifests = st.builds(
    Manifest,
    name=text,
    task=st.sampled_from(["classify", "detect", "keywords", "generic"]),
    labels=st.lists(text, max_size=4).map(tuple),
    preprocessing=st.none() | preprocessings,
    outputs=st.lists(st.builds(Output, name=text, role=text), max_size=2).map(tuple),
    target=st.none() | text,
    source=st.none() | st.builds(Source, file=text, sha256=text, loaded_by=text),
    versions=st.dictionaries(text, text, max_size=2),
    calibration=st.none()
    | st.builds(Calibration, data=text, samples=st.integers(), seed=st.integers(), digest=text),
    recipe=st.dictionaries(text, st.integers() | text | st.booleans(), max_size=2),
    evidence=st.dictionaries(text, st.lists(finite, max_size=2), max_size=2),
)


@given(manifest=manifests)
def test_a_manifest_reads_what_it_wrote(manifest: Manifest) -> None:
    assert Manifest.loads(manifest.dumps(), "it") == manifest
    assert Manifest.loads(manifest.dumps().encode(), "it") == manifest
    assert "\n" not in manifest.dumps()


@given(manifest=manifests, data=st.data())
def test_a_damaged_manifest_is_refused_in_words_or_read(
    manifest: Manifest, data: st.DataObject
) -> None:
    content = bytearray(manifest.dumps().encode())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    with suppress(RecordError):
        Manifest.loads(bytes(content), "it")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "is not valid JSON", id="no JSON"),
        pytest.param(b"\xff\xfe\xfd", "is not valid JSON", id="no text"),
        pytest.param(
            "[]", r"has schema None; this edgekit reads 1\.\n.*pip install -U", id="list"
        ),
        pytest.param('{"schema": 2}', "has schema 2", id="of a later edgekit"),
        pytest.param('{"schema": 1, "tusk": "detect"}', "has unknown tusk", id="field"),
        pytest.param('{"schema": 1, "task": "sing"}', "task must be one of", id="task"),
        pytest.param(
            '{"schema": 1, "preprocessing": {"std": [0]}}', "std must be above 0", id="std"
        ),
        pytest.param(
            '{"schema": 1, "evidence": {"a": ' + "[" * 400 + "]" * 400 + "}}",
            "nested deeper than 50",
            id="endless nesting",
        ),
        pytest.param(
            '{"schema": 1, "name": "\\ud800"}', "no valid text", id="half a character"
        ),
        pytest.param(
            '{"schema": 1, "versions": {"\\udfff": "1"}}', "no valid text", id="half a name"
        ),
    ],
)
def test_what_is_no_manifest_is_refused(content: str | bytes, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        Manifest.loads(content, "it")


def test_a_manifest_is_json_that_other_programs_read() -> None:
    manifest = Manifest(labels=("größe",), evidence={"drop": float("nan")})
    values = json.loads(manifest.dumps())
    assert values["labels"] == ["größe"]
    assert values["evidence"] == {"drop": None}
