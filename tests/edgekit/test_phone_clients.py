"""MediaPipe Tasks, the client of Android and iOS, opens what edgekit writes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from phone import detect, listen
from small import dense_model

from edgekit.artifact import read_manifest, write_manifest
from edgekit.manifest import Manifest
from edgekit.runtime import load

RATE = 16_000
SAMPLES = 1_600
WORDS = ("yes", "no", "noise")


def test_the_audio_classifier_hears_what_edgekit_hears(tmp_path: Path) -> None:
    path = tmp_path / "words.tflite"
    manifest = Manifest(
        name="words", task="keywords", labels=WORDS, front_end={"sample_rate_hz": RATE}
    )
    path.write_bytes(write_manifest(dense_model(SAMPLES), manifest))
    sounds = np.random.default_rng(3).uniform(-1, 1, (5, SAMPLES)).astype(np.float32)
    np.save(tmp_path / "sounds.npy", sounds)
    heard = listen(path, tmp_path / "sounds.npy", RATE)
    expected = np.asarray(load(path)(sounds)).reshape(5, -1)
    found = np.array([[each[word] for word in WORDS] for each in heard])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.data
def test_the_object_detector_sees_what_edgekit_sees(tmp_path: Path, data_dir: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    folder = data_dir / "models/tflite/tflite_support/cc/test/testdata/task/vision"
    source = folder / "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
    known = read_manifest(source)
    assert known is not None
    path = tmp_path / "coco.tflite"
    path.write_bytes(write_manifest(source.read_bytes(), replace(known, target="android")))
    picture = cv2.resize(cv2.imread(str(folder / "cats_and_dogs.jpg")), (300, 300))
    cv2.imwrite(str(tmp_path / "picture.png"), picture)
    found = detect(path, tmp_path / "picture.png", 0.5)
    outputs = load(path).raw(picture[None, ..., ::-1])
    assert isinstance(outputs, dict)
    boxes, classes, scores, _ = (
        each[0] if each.ndim > 1 else each for each in outputs.values()
    )
    expected = [
        (known.labels[int(classes[i])], scores[i], *(300 * boxes[i]).tolist())
        for i in np.flatnonzero(scores >= 0.5)
    ]
    assert [each[0] for each in found] == [each[0] for each in expected]
    assert len(found) >= 2
    for (_, score, left, top, width, height), (_, wanted, y0, x0, y1, x1) in zip(
        found, expected, strict=True
    ):
        assert score == pytest.approx(wanted, abs=0.02)
        np.testing.assert_allclose(
            [left, top, left + width, top + height], [x0, y0, x1, y1], atol=2.5
        )
