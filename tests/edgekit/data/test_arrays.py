"""Arrays from .npy and .npz: fed row by row, refused in words."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data import Dataset, open_dataset
from edgekit.data.arrays import Rows
from edgekit.errors import DataError
from edgekit.manifest import Preprocessing

VECTOR: dict[str, Any] = {"shapes": {"x": (3,)}, "preprocessing": None}
PICTURE: dict[str, Any] = {
    "shapes": {"x": (4, 6, 3)},
    "preprocessing": Preprocessing.from_range(-1, 1),
}


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def fed(dataset: Dataset, name: str = "x") -> np.ndarray[Any, Any]:
    return np.array([sample.inputs[name] for sample in dataset])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("packed", [True, False], ids=["compressed", "stored"])
def test_an_npz_is_read_row_by_row(packed: bool, order: Any, tmp_path: Path) -> None:
    x = np.asarray(np.random.default_rng(0).standard_normal((20, 3)), order=order)
    (np.savez_compressed if packed else np.savez)(tmp_path / "d.npz", x=x, y=np.arange(20) % 4)
    dataset = open_dataset(tmp_path / "d.npz", **VECTOR, labelled=True)
    assert np.array_equal(fed(dataset), x.astype(np.float32))
    assert [sample.label for sample in dataset] == [i % 4 for i in range(20)]
    some = dataset.subset(5, 0)
    rows = [int(sample.name.removeprefix("d.npz[")[:-1]) for sample in some]
    assert np.array_equal(fed(some), x[rows].astype(np.float32))


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npy_serves_for_calibration(order: Any, tmp_path: Path) -> None:
    x = np.asarray(np.arange(12.0).reshape(4, 3), order=order)
    np.save(tmp_path / "d.npy", x)
    dataset = open_dataset(tmp_path / "d.npy", **VECTOR, labelled=False)
    assert np.array_equal(fed(dataset), x)
    assert dataset.description == "d.npy: 4 samples"


def test_an_npy_has_no_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.zeros((4, 3)))
    with pytest.raises(DataError, match="has no labels"):
        open_dataset(tmp_path / "d.npy", **VECTOR, labelled=True)


@given(
    rows=st.integers(1, 9),
    shape=st.lists(st.integers(1, 4), min_size=0, max_size=3),
    dtype=st.sampled_from(["<f4", ">f4", "<f8", "<f2", "u1", "<i4", ">i8", "?"]),
    picks=st.sets(st.integers(0, 8)),
)
def test_rows_are_those_of_the_array(
    rows: int,
    shape: list[int],
    dtype: str,
    picks: set[int],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    array = (np.random.default_rng(rows).random((rows, *shape)) * 9).astype(dtype)
    path = tmp_path_factory.mktemp("rows") / "d.npy"
    np.save(path, array)
    chosen = sorted(pick for pick in picks if pick < rows)
    assert np.array_equal(list(Rows(path).read(chosen)), [array[i] for i in chosen])


@pytest.mark.parametrize(
    ("shape", "array"),
    [
        pytest.param((4, 6, 1), (5, 4, 6), id="gray without its axis"),
        pytest.param((9,), (5, 9, 1), id="an axis of one too many"),
        pytest.param((4, 6, 1), (5, 4, 6, 1), id="exact"),
    ],
)
def test_a_last_axis_of_one_may_be_missing_or_too_many(
    shape: tuple[int, ...], array: tuple[int, ...], tmp_path: Path
) -> None:
    path = save(tmp_path / "d.npz", x=np.ones(array, np.float32))
    dataset = open_dataset(path, shapes={"x": shape}, preprocessing=None, labelled=False)
    assert fed(dataset).shape == (5, *shape)


def test_uint8_pictures_are_preprocessed(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    path = save(tmp_path / "d.npz", x=np.full((2, 8, 8, 3), 255, np.uint8))
    assert np.array_equal(
        fed(open_dataset(path, **PICTURE, labelled=False)), np.ones((2, 4, 6, 3))
    )


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        pytest.param((5, 8, 8), 5, id="a stack of gray ones"),
        pytest.param((5, 8, 8, 4), 5, id="with alpha"),
        pytest.param((8, 8, 3), 1, id="one picture"),
        pytest.param((8, 8), 1, id="one gray picture"),
    ],
)
def test_uint8_pictures_may_have_other_channels(
    shape: tuple[int, ...], count: int, tmp_path: Path
) -> None:
    pytest.importorskip("cv2")
    path = save(tmp_path / "d.npz", x=np.full(shape, 255, np.uint8))
    options = PICTURE | {"shapes": {"x": (4, 6, 1)}}
    values = fed(open_dataset(path, **options, labelled=False))
    assert values.shape == (count, 4, 6, 1)
    assert (values == 1).all()


def test_float_pictures_are_fed_as_they_are(tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", x=np.full((2, 4, 6, 3), 77.0))
    assert (fed(open_dataset(path, **PICTURE, labelled=False)) == 77).all()


@pytest.mark.parametrize(
    ("stored", "dtypes", "wanted"),
    [
        pytest.param("int64", None, "int64", id="integers stay"),
        pytest.param("int64", {"x": "int32"}, "int32", id="token ids as the model has them"),
        pytest.param("uint8", {"x": "int32"}, "int32", id="small token ids"),
        pytest.param("int64", {"x": "float32"}, "float32", id="real input"),
        pytest.param("int64", {"x": "int8"}, "float32", id="quantized input takes real values"),
        pytest.param("float64", None, "float32", id="double"),
        pytest.param("uint8", None, "float32", id="bytes that are no picture"),
        pytest.param(">i4", None, "int32", id="other byte order"),
    ],
)
def test_numbers_get_the_type_of_the_input(
    stored: str, dtypes: dict[str, str] | None, wanted: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "d.npz", x=np.array([[1, 2, 3]], stored))
    values = fed(open_dataset(path, **VECTOR, labelled=False, dtypes=dtypes))
    assert values.dtype == wanted
    assert values.tolist() == [[1, 2, 3]]


def test_reals_for_token_ids_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", x=np.ones((2, 3)))
    with pytest.raises(DataError, match="Store integers"):
        open_dataset(path, **VECTOR, labelled=False, dtypes={"x": "int32"})


def test_several_inputs_come_by_name(tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", a=np.zeros((4, 2)), b=np.ones((4, 3)), y=[0, 1, 0, 1])
    shapes = {"a": (2,), "serving_default_b:0": (3,)}
    dataset = open_dataset(path, shapes=shapes, preprocessing=None, labelled=True)
    assert fed(dataset, "a").shape == (4, 2)
    assert fed(dataset, "serving_default_b:0").shape == (4, 3)


def test_an_input_may_be_a_single_number(tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", a=np.zeros((4, 2)), b=np.arange(4.0))
    dataset = open_dataset(
        path, shapes={"a": (2,), "b": ()}, preprocessing=None, labelled=False
    )
    assert fed(dataset, "b").tolist() == [0, 1, 2, 3]


def test_what_is_fed_may_be_changed(tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", x=np.ones((1, 3), np.float32))
    sample = next(iter(open_dataset(path, **VECTOR, labelled=False)))
    assert sample.inputs["x"].flags.writeable


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        pytest.param(
            {"a": np.zeros((4, 2))}, "holds a; this model needs a, b", id="one is missing"
        ),
        pytest.param(
            {"a": np.zeros((4, 2)), "b": np.zeros((5, 3))}, "'a' has 4, 'b' has 5", id="lengths"
        ),
    ],
)
def test_several_inputs_that_do_not_fit_are_refused(
    arrays: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataError, match=words):
        open_dataset(path, shapes={"a": (2,), "b": (3,)}, preprocessing=None, labelled=False)


def test_several_inputs_cannot_come_from_one_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.zeros((4, 3)))
    with pytest.raises(DataError, match="has 2 inputs"):
        open_dataset(
            tmp_path / "d.npy",
            shapes={"a": (2,), "b": (3,)},
            preprocessing=None,
            labelled=False,
        )


@pytest.mark.parametrize(
    ("x", "words"),
    [
        pytest.param(np.zeros((5, 3, 4, 6)), r"transpose\(0, 2, 3, 1\)", id="channels first"),
        pytest.param(np.zeros((5, 3, 4, 6), np.uint8), "channels come first", id="uint8 too"),
        pytest.param(np.zeros((5, 6, 4, 3)), "swapped", id="height and width"),
        pytest.param(np.zeros((5, 9, 9, 3)), "uint8 to have them resized", id="size"),
        pytest.param(np.zeros((5, 7)), r"shape \(samples, 4, 6, 3\)", id="no picture at all"),
        pytest.param(np.zeros((0, 4, 6, 3)), "no samples", id="none"),
        pytest.param(np.zeros((2, 4, 6, 3), complex), "plain numbers", id="complex"),
        pytest.param(np.array(3.0), "shape", id="a single number"),
    ],
)  # fmt: skip
def test_an_array_that_does_not_fit_is_refused_with_a_remedy(
    x: np.ndarray[Any, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        open_dataset(save(tmp_path / "d.npz", x=x), **PICTURE, labelled=False)


@pytest.mark.parametrize(
    ("y", "labels", "classes"),
    [
        pytest.param([0, 2, 1], [], [0, 2, 1], id="numbers"),
        pytest.param([[0], [2], [1]], [], [0, 2, 1], id="a column"),
        pytest.param([0.0, 2.0, 1.0], [], [0, 2, 1], id="whole floats"),
        pytest.param(np.eye(3)[[0, 2, 1]], [], [0, 2, 1], id="one-hot"),
        pytest.param(["a", "c", "a"], ["a", "b", "c"], [0, 2, 0], id="names"),
    ],
)
def test_y_is_class_numbers(
    y: Any, labels: list[str], classes: list[int], tmp_path: Path
) -> None:
    path = save(tmp_path / "d.npz", x=np.zeros((3, 3)), y=y)
    dataset = open_dataset(path, **VECTOR, labelled=True, labels=labels)
    assert [sample.label for sample in dataset] == classes


@pytest.mark.parametrize(
    ("y", "words"),
    [
        pytest.param([0, 1], r"shape \(2,\), and there are 3 samples", id="another length"),
        pytest.param(
            [0, 1, 2], "2 in row 2; classes are whole numbers from 0 to 1", id="too high"
        ),
        pytest.param([0, -1, 0], "-1 in row 1", id="negative"),
        pytest.param([0, 0.5, 0], "0.5 in row 1", id="fractions"),
        pytest.param([0, np.nan, 0], "nan in row 1", id="not a number"),
        pytest.param([[0.2, 0.8]] * 3, "not one-hot", id="probabilities"),
        pytest.param(["a", "b", "x"], "does not know: x", id="a name that is no label"),
        pytest.param(np.zeros((3, 1, 1)), "class numbers", id="too many axes"),
    ],
)
def test_y_that_does_not_fit_is_refused(y: Any, words: str, tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", x=np.zeros((3, 3)), y=y)
    with pytest.raises(DataError, match=words):
        open_dataset(path, **VECTOR, labelled=True, labels=["a", "b"])
    assert len(open_dataset(path, **VECTOR, labelled=False, labels=["a", "b"])) == 3


def test_y_must_be_there_where_labels_are_needed(tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", x=np.zeros((3, 3)))
    with pytest.raises(DataError, match="holds no y"):
        open_dataset(path, **VECTOR, labelled=True)


def test_python_objects_are_refused_unopened(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.array([{}, []], object), allow_pickle=True)
    with pytest.raises(DataError, match="Python objects"):
        open_dataset(tmp_path / "d.npy", **VECTOR, labelled=False)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x93NUMPY", id="magic alone"),
        pytest.param(b"hello, world, this is text", id="text"),
        pytest.param(b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', ", id="half a header"),
        pytest.param(b"\x93NUMPY\x09\x00" + bytes(100), id="a version that nobody knows"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_damaged_file_is_refused_and_named(data: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"d{suffix}"
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"d\{suffix} cannot be read"):
        open_dataset(path, **VECTOR, labelled=False)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_file_that_is_cut_off_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"d{suffix}"
    x = np.zeros((50, 3))
    if suffix == ".npy":
        np.save(path, x)
    else:
        np.savez(path, x=x)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match="cannot be read"):
        open_dataset(path, **VECTOR, labelled=False)


def test_a_header_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000, 3), }"
    header += b" " * (117 - len(header)) + b"\n"
    path = tmp_path / "d.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(80))
    with pytest.raises(DataError, match="cut off"):
        open_dataset(path, **VECTOR, labelled=False)


def test_damage_inside_an_archive_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).random((200, 3)))
    data = bytearray(path.read_bytes())
    data[800:1200] = bytes(400)
    path.write_bytes(data)
    dataset = open_dataset(path, **VECTOR, labelled=False)
    with pytest.raises(DataError, match=r"d\.npz, array 'x', cannot be read"):
        list(dataset)


@given(
    changes=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=6),
    packed=st.booleans(),
    cut=st.integers(0, 900),
)
def test_damage_gives_samples_or_one_message(
    changes: list[tuple[int, int]],
    packed: bool,
    cut: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    buffer = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(buffer, x=np.zeros((8, 3)), y=np.zeros(8))
    data = bytearray(buffer.getvalue())
    for position, value in changes:
        data[position % len(data)] = value
    path = tmp_path_factory.mktemp("damage") / "d.npz"
    path.write_bytes(data[: len(data) if cut % 2 else cut])
    try:
        for sample in open_dataset(path, **VECTOR, labelled=True):
            assert sample.inputs["x"].shape == (3,)
    except DataError:
        pass


def test_an_archive_of_other_files_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(DataError, match="holds no arrays; this model needs x"):
        open_dataset(path, **VECTOR, labelled=False)
