"""Sounds become the features that a model takes: of the window around the word."""

from pathlib import Path

import numpy as np
import pytest
from tiny_spotters import FRONT_END, RATE, silence, tone, write_clips, write_sound

from edgekit.data import Dataset, open_dataset
from edgekit.data.align import align
from edgekit.data.frontend import extract, preset
from edgekit.data.sounds import read_sound
from edgekit.errors import DataError
from edgekit.manifest import Preprocessing

SHAPE = (20, 8, 1)


def opened(
    path: Path, shape: tuple[int, ...] = SHAPE, *, labelled: bool = False, **rest: str
) -> Dataset:
    return open_dataset(
        path,
        shapes={"x": shape},
        dtypes=rest,
        preprocessing=None,
        labelled=labelled,
        front_end=FRONT_END,
    )


@pytest.mark.parametrize("shape", [(20, 8), (20, 8, 1), (1, 20, 8), (160,)])
def test_a_sound_gives_the_features_of_its_word_in_the_models_shape(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    clips = write_clips(tmp_path / "clips", each=2)
    samples = list(opened(clips, shape, labelled=True))
    assert [sample.label for sample in samples] == [0, 0, 1, 1, 2, 2]
    for sample in samples:
        wave = read_sound(clips / sample.name, RATE)
        expected = extract(align(wave, FRONT_END.samples, RATE), FRONT_END)
        np.testing.assert_array_equal(sample.inputs["x"], expected.reshape(shape))


def test_a_picture_like_input_still_takes_sounds(tmp_path: Path) -> None:
    data = open_dataset(
        write_clips(tmp_path / "clips", each=1),
        shapes={"x": SHAPE},
        preprocessing=Preprocessing(),
        labelled=False,
        front_end=FRONT_END,
    )
    assert data.description == "clips: 3 sounds, 3 classes"


WAVE = np.concatenate([silence(0.2), tone("low"), silence(0.3)])
EXPECTED = extract(align(WAVE, FRONT_END.samples, RATE), FRONT_END).reshape(SHAPE)


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(WAVE, id="one wave"),
        pytest.param(WAVE[:, None], id="one wave, a channel"),
        pytest.param(np.stack([WAVE, WAVE]), id="waves"),
        pytest.param(np.stack([WAVE, WAVE])[..., None].astype(np.float64), id="doubles"),
        pytest.param(np.stack([EXPECTED[..., 0]]), id="features"),
        pytest.param(EXPECTED.reshape(1, -1), id="features in a line"),
    ],
)
def test_arrays_hold_waves_or_features(tmp_path: Path, x: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", x)
    for sample in opened(tmp_path / "x.npy", x="int8"):
        assert sample.inputs["x"].dtype == np.float32
        np.testing.assert_array_equal(sample.inputs["x"], EXPECTED)


def test_integers_are_samples_of_16_bits(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.rint(WAVE * 32768).astype(np.int16))
    (sample,) = opened(tmp_path / "x.npy")
    assert np.abs(sample.inputs["x"] - EXPECTED).max() < 2  # the noise lies at 3 steps


def test_a_sound_that_cannot_be_read_is_skipped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        write_sound(tmp_path / f"{number:02}.wav", tone("low"))
    (tmp_path / "07.wav").write_bytes(b"")
    data = opened(tmp_path)
    assert len(list(data)) == 29
    assert data.skipped == 1
    assert "07.wav cannot be read as sound" in caplog.text


def test_an_array_that_is_neither_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 5, 7), np.float32))
    with pytest.raises(DataError, match=r"has shape \(3, 5, 7\)"):
        opened(tmp_path / "x.npy")


def test_a_front_end_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"takes 20 x 8 x 1 values, .* gives 49 rows of 40"):
        open_dataset(
            tmp_path,
            shapes={"x": SHAPE},
            preprocessing=None,
            labelled=False,
            front_end=preset("log-mel"),
        )


def test_a_folder_without_sounds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"holds no sound files [^\0]*Is this the folder"):
        opened(tmp_path)
