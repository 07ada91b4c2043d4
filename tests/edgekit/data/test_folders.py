"""Every form of data folder, and one message for what is wrong with it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edgekit.data import Dataset, check_classes, open_dataset
from edgekit.errors import DataError
from edgekit.manifest import Preprocessing

PICTURE: dict[str, Any] = {"shapes": {"x": (4, 6, 3)}, "preprocessing": Preprocessing()}
WAVE: dict[str, Any] = {
    "shapes": {"x": (1600,)},
    "preprocessing": None,
    "sample_rate_hz": 16000,
}
MakePictures = Callable[[list[str]], Path]


def names(dataset: Dataset) -> list[str]:
    return [sample.name for sample in dataset]


def classes(dataset: Dataset) -> list[int | None]:
    return [sample.label for sample in dataset]


def readable(clip: Path) -> bool:
    """Say whether the installed libsndfile reads a clip; versions differ."""
    try:
        soundfile.read(clip)
    except soundfile.SoundFileError:
        return False
    return True


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"nothing")


def test_class_folders_are_read_recursively_in_sorted_order(pictures: MakePictures) -> None:
    root = pictures(["b/2.png", "b/1.png", "a/deep/er/3.png", "a/9.PNG"])
    touch(root, "a/notes.txt", "a/.hidden.png", ".cache/x.png", "README.md")
    dataset = open_dataset(root, **PICTURE, labelled=True)
    assert names(dataset) == ["a/9.PNG", "a/deep/er/3.png", "b/1.png", "b/2.png"]
    assert classes(dataset) == [0, 0, 1, 1]
    assert dataset.labels == ("a", "b")
    assert dataset.description == "pictures: 4 pictures, 2 classes"
    assert dataset.decoded
    for sample in dataset:
        assert sample.inputs["x"].shape == (4, 6, 3)
        assert sample.inputs["x"].dtype == np.float32


def test_the_models_labels_give_the_order(pictures: MakePictures) -> None:
    root = pictures(["a/1.png", "b/2.png"])
    dataset = open_dataset(root, **PICTURE, labelled=True, labels=["b", "c", "a"])
    assert classes(dataset) == [2, 0]
    assert dataset.labels == ("b", "c", "a")
    check_classes(dataset, 3)


def test_a_folder_that_is_no_label_is_refused_and_named(pictures: MakePictures) -> None:
    root = pictures(["a/1.png", "birds/2.png"])
    with pytest.raises(DataError, match=r"does not know: birds(.|\n)*'bird'"):
        open_dataset(root, **PICTURE, labelled=True, labels=["a", "bird"])


def test_calibration_folders_need_not_match_the_labels(pictures: MakePictures) -> None:
    root = pictures(["a/1.png", "b/2.png"])
    dataset = open_dataset(root, **PICTURE, labelled=False, labels=["tench", "goldfish"])
    assert dataset.labels == ("a", "b")


def test_an_empty_class_folder_is_left_out_with_a_warning(
    pictures: MakePictures, caplog: pytest.LogCaptureFixture
) -> None:
    root = pictures(["a/1.png", "b/2.png", "loose.png"])
    touch(root, "c/readme.txt")
    with caplog.at_level(logging.WARNING):
        assert open_dataset(root, **PICTURE, labelled=True).labels == ("a", "b")
    assert "no usable file in c" in caplog.text
    assert "1 files beside the class folders" in caplog.text


def test_flat_files_begin_with_their_label(pictures: MakePictures) -> None:
    root = pictures(["yes_anna_1.png", "no_bob_1.png", "yes_bob_2.png"])
    dataset = open_dataset(root, **PICTURE, labelled=True)
    assert dataset.labels == ("no", "yes")
    assert classes(dataset) == [0, 1, 1]


def test_a_known_label_may_hold_underscores(pictures: MakePictures) -> None:
    root = pictures(["stop_1.png", "stop_sign_2.png"])
    dataset = open_dataset(root, **PICTURE, labelled=True, labels=["stop", "stop_sign"])
    assert classes(dataset) == [0, 1]


def test_flat_files_without_labels_are_refused_where_labels_are_needed(
    pictures: MakePictures,
) -> None:
    root = pictures(["1.png", "2.png"])
    with pytest.raises(DataError, match=r"no labels(.|\n)*one folder for each class"):
        open_dataset(root, **PICTURE, labelled=True)


def test_a_flat_file_without_label_is_left_out_and_named(
    pictures: MakePictures, caplog: pytest.LogCaptureFixture
) -> None:
    root = pictures(["a_1.png", "b_1.png", "cover.png"])
    with caplog.at_level(logging.WARNING):
        assert len(open_dataset(root, **PICTURE, labelled=True)) == 2
    assert "cover.png" in caplog.text


def test_a_plain_folder_serves_for_calibration(pictures: MakePictures) -> None:
    dataset = open_dataset(pictures(["IMG_1.png", "x.png"]), **PICTURE, labelled=False)
    assert classes(dataset) == [None, None]
    assert dataset.labels == ()


def test_a_folder_of_images_is_no_class(pictures: MakePictures) -> None:
    root = pictures(["JPEGImages/1.png", "JPEGImages/2.png"])
    touch(root, "Annotations/1.xml")
    assert open_dataset(root, **PICTURE, labelled=False).labels == ()


def test_an_unreadable_picture_in_the_middle_is_named_and_skipped(
    pictures: MakePictures, caplog: pytest.LogCaptureFixture
) -> None:
    root = pictures([f"a/{i:02}.png" for i in range(30)])
    (root / "a/15.png").write_bytes((root / "a/15.png").read_bytes()[:99])
    dataset = open_dataset(root, **PICTURE, labelled=True)
    with caplog.at_level(logging.WARNING):
        assert len(list(dataset)) == 29
    assert dataset.skipped == 1
    assert "a/15.png is cut off" in caplog.text


def test_sound_folders_give_waveforms_of_the_models_length(tmp_path: Path) -> None:
    for label, rate, seconds in (("no", 8000, 0.05), ("yes", 44100, 0.3)):
        (tmp_path / label).mkdir()
        wave = np.ones((int(rate * seconds), 2), np.float32) / 2
        soundfile.write(tmp_path / label / "1.wav", wave, rate)
    dataset = open_dataset(tmp_path, **WAVE, labelled=True)
    assert dataset.labels == ("no", "yes")
    short, long = (sample.inputs["x"] for sample in dataset)
    assert short.shape == long.shape == (1600,)
    assert short[800] == pytest.approx(0.5, abs=1e-3)
    assert short[0] == short[-1] == 0
    assert np.allclose(long[100:-100], 0.5, atol=1e-3)


def test_a_model_with_a_channel_axis_gets_one(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "1.wav", np.ones(100, np.float32), 16000)
    options = WAVE | {"shapes": {"x": (1600, 1)}}
    dataset = open_dataset(tmp_path, **options, labelled=False)
    assert next(iter(dataset)).inputs["x"].shape == (1600, 1)


def test_class_folders_may_hold_one_array_a_sample(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        np.save(tmp_path / label / "1.npy", np.full((3, 2), 7.0))
    dataset = open_dataset(tmp_path, shapes={"x": (3, 2)}, preprocessing=None, labelled=True)
    assert classes(dataset) == [0, 1]
    assert next(iter(dataset)).inputs["x"].tolist() == [[7, 7]] * 3


def test_several_inputs_come_from_a_folder_of_npz_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "1.npz", a=np.zeros(2, np.float32), b=np.ones((1, 3), np.float32))
    shapes = {"serving_default_a:0": (2,), "serving_default_b:0": (3,)}
    dataset = open_dataset(tmp_path, shapes=shapes, preprocessing=None, labelled=False)
    assert {name: each.shape for name, each in next(iter(dataset)).inputs.items()} == shapes


def test_several_inputs_cannot_come_from_pictures(pictures: MakePictures) -> None:
    options = PICTURE | {"shapes": {"a": (4, 6, 3), "b": (2,)}}
    with pytest.raises(DataError, match=r"found 1 \.png(.|\n)*one array for each, by name"):
        open_dataset(pictures(["1.png"]), **options, labelled=False)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param([], "found nothing", id="empty"),
        pytest.param(
            ["a.txt", "b/c.txt", "d.csv"], r"found 2 \.txt, 1 \.csv", id="other files"
        ),
        pytest.param([".a.png"], r"holds no picture", id="hidden files"),
    ],
)
def test_a_folder_without_data_says_what_it_holds(
    files: list[str], words: str, tmp_path: Path
) -> None:
    touch(tmp_path, *files)
    with pytest.raises(DataError, match=words):
        open_dataset(tmp_path, **PICTURE, labelled=False)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        pytest.param((10, 10), "neither a picture nor a waveform", id="a matrix"),
        pytest.param((4, 4, 3), "--input-range LOW,HIGH", id="a picture, nothing declared"),
        pytest.param((1600,), "--sample-rate HZ", id="perhaps a waveform"),
    ],
)
def test_a_model_that_cannot_be_fed_files_says_what_is_missing(
    shape: tuple[int, ...], words: str, pictures: MakePictures
) -> None:
    with pytest.raises(DataError, match=words):
        open_dataset(
            pictures(["1.png"]), shapes={"x": shape}, preprocessing=None, labelled=False
        )


def test_an_open_shape_is_refused(pictures: MakePictures) -> None:
    options = PICTURE | {"shapes": {"x": (None, None, 3)}}
    with pytest.raises(DataError, match="--input-shape"):
        open_dataset(pictures(["1.png"]), **options, labelled=False)


def test_a_folder_of_sets_is_not_taken_for_one_of_classes(pictures: MakePictures) -> None:
    root = pictures(["test/a/1.png", "train/b/2.png"])
    with pytest.raises(DataError, match="names of sets, not of classes: test, train"):
        open_dataset(root, **PICTURE, labelled=True)
    assert len(open_dataset(root, **PICTURE, labelled=False)) == 2


@pytest.mark.parametrize("name", ["gone", "file.txt"])
def test_what_is_no_data_set_is_refused(name: str, tmp_path: Path) -> None:
    touch(tmp_path, "file.txt")
    with pytest.raises(DataError, match=name):
        open_dataset(tmp_path / name, **PICTURE, labelled=False)


@pytest.mark.data
def test_real_class_folders_are_balanced_in_a_subset(data_dir: Path) -> None:
    dataset = open_dataset(data_dir / "classification/flowers", **PICTURE, labelled=True)
    assert dataset.labels == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    assert len(dataset) == 750
    chosen = [sample.label for sample in dataset.subset(50, seed=0)]
    assert [chosen.count(number) for number in range(5)] == [10] * 5


@pytest.mark.data
def test_real_flat_files_carry_their_label(data_dir: Path) -> None:
    dataset = open_dataset(data_dir / "keywords/spoken-digits", **WAVE, labelled=True)
    assert dataset.labels == tuple("0123456789")
    assert len(dataset) == 1200


@pytest.mark.data
def test_real_clips_that_libsndfile_refuses_are_skipped_and_named(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = data_dir / "keywords/alexa"
    refused = [clip.name for clip in sorted(folder.iterdir()) if not readable(clip)]
    dataset = open_dataset(folder, **WAVE, labelled=False)
    with caplog.at_level(logging.WARNING):
        assert sum(1 for _ in dataset) == len(dataset) - len(refused)
    assert dataset.skipped == len(refused)
    assert [name for name in refused if name not in caplog.text] == []
