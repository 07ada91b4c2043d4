"""Where the names of classes come from, and whether they fit."""

from pathlib import Path

import numpy as np
import pytest

from edgekit.data import check_classes, labels_of, open_dataset, read_labels
from edgekit.data.labels import match
from edgekit.errors import DataError


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        pytest.param("cat\ndog\n", ("cat", "dog"), id="one a line"),
        pytest.param("cat\r\ndog\r\n\r\n", ("cat", "dog"), id="from Windows"),
        pytest.param("\ufeffcat\ndog", ("cat", "dog"), id="byte order mark"),
        pytest.param("0  person\n2  car\n", ("person", "???", "car"), id="numbered with a gap"),
        pytest.param("0: cat\n1: dog", ("cat", "dog"), id="numbered with a colon"),
        pytest.param("1 2 3\n0 zero", ("zero", "2 3"), id="numbered in another order"),
        pytest.param("zero\n1 one\n", ("zero", "1 one"), id="not all numbered"),
        pytest.param("0\n1\n2\n", ("0", "1", "2"), id="names that are numbers"),
        pytest.param("???\nface\n", ("???", "face"), id="a background class"),
        pytest.param("café\n", ("café",), id="not ASCII"),
    ],
)
def test_labels_are_read(text: str, labels: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(text.encode())
    assert read_labels(path) == labels


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "no labels", id="empty"),
        pytest.param(b"\n\n", "no labels", id="blank"),
        pytest.param(b"\xff\xfe\x00", "UTF-8", id="binary"),
        pytest.param(b"0 a\n0 b", "twice", id="a number twice"),
        pytest.param(b"0 a\n99999999 b", "is it a label file", id="absurd numbers"),
    ],
)
def test_other_files_are_refused(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(data)
    with pytest.raises(DataError, match=words):
        read_labels(path)


def test_a_missing_label_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt"):
        read_labels(tmp_path / "gone.txt")


def test_names_are_numbered_by_the_models_labels() -> None:
    assert match(["b", "a", "b"], ["a", "b", "c"], "data").tolist() == [1, 0, 1]


def test_of_equal_labels_the_first_counts() -> None:
    assert match(["crane"], ["crane", "crane"], "data").tolist() == [0]


def test_a_name_that_is_no_label_is_named_with_a_likely_one() -> None:
    with pytest.raises(
        DataError, match=r"data has .* sunflower\.(.|\n)*meant to be 'sunflowers'"
    ):
        match(["sunflower"], ["roses", "sunflowers"], "data")


def test_class_folders_are_found_without_opening_a_file(tmp_path: Path) -> None:
    for name in ("dog/a.jpg", "cat/deep/b.PNG", ".git/c.jpg", "docs/d.txt", "__MACOSX/e.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert labels_of(tmp_path) == ("cat", "dog")


def test_a_folder_that_is_missing_has_no_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone"):
        labels_of(tmp_path / "gone")


def test_the_number_of_classes_must_be_that_of_the_outputs(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=np.zeros((3, 2), np.float32), y=[0, 1, 4])
    dataset = open_dataset(path, shapes={"x": (2,)}, preprocessing=None, labelled=True)
    check_classes(dataset, 5)
    with pytest.raises(DataError, match="class 4 occurs, and the model has 4 outputs"):
        check_classes(dataset, 4)


def test_the_number_of_folders_must_be_that_of_the_outputs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "1.npy", np.zeros(2, np.float32))
    dataset = open_dataset(tmp_path, shapes={"x": (2,)}, preprocessing=None, labelled=True)
    check_classes(dataset, 2)
    with pytest.raises(DataError, match=r"2 class names .* 3 outputs"):
        check_classes(dataset, 3)
