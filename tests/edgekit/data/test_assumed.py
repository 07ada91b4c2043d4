"""Which preprocessing is used: the order of precedence, and what is said about it."""

import logging
from collections.abc import Mapping

import pytest

from edgekit.data.assumed import resolve
from edgekit.data.foreign import Foreign
from edgekit.manifest import Manifest, Overrides, Preprocessing

PICTURE = {"image": (96, 96, 3)}
MANIFEST = Manifest(preprocessing=Preprocessing(resize="crop", mean=(127.5,), std=(127.5,)))
FOREIGN = Foreign(preprocessing=Preprocessing(mean=(1.0,), std=(2.0,)), origin="its input")


def test_an_assumed_default_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    found = resolve(Overrides(), shapes=PICTURE)
    assert found is not None
    assert found.input_range == (0.0, 1.0)
    assert "Assumed pixels 0..255 become 0..1" in caplog.text
    assert "--input-range" in caplog.text


def test_a_graph_that_normalizes_itself_gets_pixels(caplog: pytest.LogCaptureFixture) -> None:
    found = resolve(Overrides(), shapes=PICTURE, normalizes_itself=True)
    assert found is not None
    assert found.input_range == (0.0, 255.0)
    assert "normalizes itself" in caplog.text
    assert found == resolve(
        Overrides(), shapes=PICTURE, foreign=Foreign(normalizes_itself=True)
    )


def test_the_manifest_comes_before_what_the_graph_tells(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = resolve(Overrides(), shapes=PICTURE, manifest=MANIFEST, foreign=FOREIGN)
    assert found == MANIFEST.preprocessing
    assert caplog.text == ""


def test_options_override_the_manifest_and_that_is_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = resolve(Overrides(input_range=(0, 1)), shapes=PICTURE, manifest=MANIFEST)
    assert found is not None
    assert found.input_range == (0.0, 1.0)
    assert found.resize == "crop"
    assert [each.levelno for each in caplog.records] == [logging.WARNING]


def test_options_that_say_what_the_manifest_says_are_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    resolve(Overrides(resize="crop"), shapes=PICTURE, manifest=MANIFEST)
    assert caplog.text == ""


def test_what_the_graph_tells_is_believed_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert resolve(Overrides(), shapes=PICTURE, foreign=FOREIGN) == FOREIGN.preprocessing
    assert "its input" in caplog.text


def test_an_option_that_says_the_scaling_leaves_nothing_to_assume(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = resolve(Overrides(mean=(128.0,), std=(128.0,)), shapes=PICTURE, foreign=FOREIGN)
    assert found is not None
    assert (found.mean, found.std) == ((128.0,), (128.0,))
    assert caplog.text == ""


@pytest.mark.parametrize(
    "shapes",
    [
        pytest.param({"features": (49, 10)}, id="features"),
        pytest.param({"wave": (16000,)}, id="sound"),
        pytest.param({"x": (8, 8, 64)}, id="feature map"),
        pytest.param({"x": (1, 640, 1)}, id="a row"),
    ],
)
def test_models_that_take_no_pictures_have_none(
    shapes: Mapping[str, tuple[int, ...]], caplog: pytest.LogCaptureFixture
) -> None:
    assert resolve(Overrides(), shapes=shapes) is None
    assert caplog.text == ""
