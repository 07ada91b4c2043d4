"""Files through a model, the result in words."""

from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edgekit.errors import InputError, UsageError
from edgekit.evaluation.run import run, top
from edgekit.manifest import Manifest, Preprocessing

scores = hnp.arrays(
    np.float32, st.integers(1, 30), elements=st.sampled_from([0.0, 0.125, 0.25, 0.5])
)


@given(found=scores)
def test_the_best_classes_come_first_and_ties_in_order(found: NDArray[np.float32]) -> None:
    best = top(found, [], count=30)
    assert [each.score for each in best] == sorted(found.tolist(), reverse=True)
    places = [int(each.label.removeprefix("class ")) for each in best]
    assert places[0] == int(found.argmax())
    for (one, here), (two, there) in zip(
        zip(best, places, strict=True), list(zip(best, places, strict=True))[1:], strict=False
    ):
        assert one.score > two.score or here < there


def test_a_picture_gets_its_name(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    manifest = Manifest(labels=("blue", "green", "red"), preprocessing=Preprocessing())
    model = tiny.write_colors(tmp_path / "m.tflite", manifest=manifest)
    photos = tiny.write_pictures(tmp_path / "photos")
    found = run(model, [photos / "red/3.ppm", photos / "green/3.ppm"])
    best = [each.top[0].label for each in found.results if each.top]
    assert best == ["red", "green"]
    assert found.results[0].outputs is None


def test_rows_of_an_array_and_a_folder_are_run_one_by_one(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    model = tiny.write_colors(tmp_path / "m.tflite")
    arrays = tiny.write_arrays(tmp_path / "x.npz")
    photos = tiny.write_pictures(tmp_path / "photos")
    found = run(model, [arrays, photos])
    assert len(found.results) == 24
    assert found.results[0].input == f"{arrays}[0]"
    assert found.results[-1].input == str(photos / "red/3.ppm")
    assert found.results[-1].top is not None
    assert found.results[-1].top[0].label == "class 2"


def test_outputs_that_are_no_scores_are_summed_up(tmp_path: Path) -> None:
    path = tmp_path / "copy.tflite"
    path.write_bytes(tiny.dense(np.eye(6, dtype=np.float32), (1, 6)))
    np.save(tmp_path / "x.npy", np.arange(6, dtype=np.float32))
    (found,) = run(path, [tmp_path / "x.npy"]).results
    assert found.top is None
    assert found.outputs is not None
    (only,) = found.outputs
    assert (only.name, only.shape, only.min, only.mean, only.max) == (
        "scores",
        (1, 6),
        0.0,
        2.5,
        5.0,
    )
    assert only.first == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    model = tiny.write_colors(tmp_path / "m.tflite")
    with pytest.raises(InputError, match=r"nothing\.jpg"):
        run(model, [tmp_path / "nothing.jpg"])


def test_a_picture_for_a_model_of_vectors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "copy.tflite"
    path.write_bytes(tiny.dense(np.eye(6, dtype=np.float32), (1, 6)))
    (tmp_path / "cat.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="neither a picture nor a sound"):
        run(path, [tmp_path / "cat.jpg"])


def test_too_few_labels_are_refused(tmp_path: Path) -> None:
    model = tiny.write_colors(tmp_path / "m.tflite")
    with pytest.raises(UsageError, match=r"2 labels were given, and m\.tflite has 3 classes"):
        run(model, [tiny.write_arrays(tmp_path / "x.npz")], labels=("a", "b"))
