"""The lint finds what is wrong, and nothing where nothing is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.data import open_dataset
from edgekit.data.lint import ENOUGH, Finding, lint
from edgekit.data.samples import Sample
from edgekit.data.statistics import Statistics
from edgekit.manifest import Preprocessing

UNIT = Preprocessing.from_range(0, 1)
SIGNED = Preprocessing.from_range(-1, 1)
PIXELS = Preprocessing.from_range(0, 255)
WARM = np.array([30, 0, -30])  # light that makes photographs redder
IMAGENET = Preprocessing(mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4))


def photos(count: int = 60, *, seed: int = 0, channels: int = 3) -> NDArray[np.float64]:
    """Return what photographs look like to statistics: 0..255, a bit more red than blue."""
    rng = np.random.default_rng(seed)
    mean = rng.uniform(60, 190, (count, 1, 1, 1)) + np.linspace(15, -15, channels)
    return np.clip(mean + 70 * rng.standard_normal((count, 6, 6, channels)), 0, 255)


def findings(
    samples: NDArray[Any],
    preprocessing: Preprocessing | None = UNIT,
    *,
    labels: tuple[str, ...] = (),
    classes: list[int] | None = None,
    normalizes_itself: bool = False,
    decoded: bool = False,
) -> tuple[Finding, ...]:
    statistics = Statistics()
    for number, values in enumerate(samples):
        label = None if classes is None else classes[number]
        fed = values if samples.dtype.kind in "iu" else values.astype(np.float32)
        statistics.add(Sample(f"s{number}", {"x": fed}, label))
    return lint(
        statistics,
        preprocessing=preprocessing,
        normalizes_itself=normalizes_itself,
        labels=labels,
        decoded=decoded,
    )


def codes(*args: Any, **options: Any) -> list[str]:
    return [finding.code for finding in findings(*args, **options)]


def normalized(pixels: NDArray[np.float64], how: Preprocessing) -> NDArray[np.float64]:
    return (pixels - how.mean) / how.std


@given(
    how=st.sampled_from([UNIT, SIGNED, PIXELS, IMAGENET]),
    seed=st.integers(0, 20),
    count=st.integers(ENOUGH, 80),
)
def test_photos_as_declared_give_no_finding(how: Preprocessing, seed: int, count: int) -> None:
    classes = [i % 4 for i in range(count)]
    labels = ("a", "b", "c", "d")
    samples = normalized(photos(count, seed=seed), how)
    assert codes(samples, how, classes=classes, labels=labels) == []


@pytest.mark.parametrize(
    ("stored", "declared", "code"),
    [
        pytest.param(PIXELS, UNIT, "missing-normalization", id="pixels for 0..1"),
        pytest.param(PIXELS, SIGNED, "missing-normalization", id="pixels for -1..1"),
        pytest.param(PIXELS, IMAGENET, "missing-normalization", id="pixels for ImageNet"),
        pytest.param(PIXELS, None, "missing-normalization", id="pixels, nothing declared"),
        pytest.param(UNIT, PIXELS, "narrow-range", id="0..1 for pixels"),
        pytest.param(SIGNED, PIXELS, "narrow-range", id="-1..1 for pixels"),
        pytest.param(SIGNED, UNIT, "outside-range", id="-1..1 for 0..1"),
        pytest.param(IMAGENET, UNIT, "outside-range", id="ImageNet for 0..1"),
        pytest.param(Preprocessing(std=(65025.0,)), UNIT, "narrow-range", id="divided twice"),
    ],
)
def test_a_scale_that_does_not_fit_is_found(
    stored: Preprocessing, declared: Preprocessing | None, code: str
) -> None:
    assert codes(normalized(photos(), stored), declared) == [code]


@pytest.mark.parametrize("stored", [UNIT, SIGNED, IMAGENET])
@pytest.mark.parametrize("declared", [UNIT, SIGNED, PIXELS, None])
def test_double_normalization_is_found(
    stored: Preprocessing, declared: Preprocessing | None
) -> None:
    found = codes(normalized(photos(), stored), declared, normalizes_itself=True)
    assert found == ["double-normalization"]


def test_pixels_for_a_model_that_normalizes_itself_give_no_finding() -> None:
    assert codes(photos(), PIXELS, normalizes_itself=True) == []
    assert codes(photos(), None, normalizes_itself=True) == []


def test_pixels_for_a_model_that_is_declared_to_take_them_give_no_finding() -> None:
    assert codes(photos(), PIXELS) == []


def test_the_remedy_names_the_range_that_the_values_have() -> None:
    (finding,) = findings(normalized(photos(), SIGNED), UNIT)
    assert "--input-range -1,1" in finding.remedy
    assert "0 to 1" in finding.text


def test_features_of_the_shape_of_a_gray_picture_are_not_taken_for_pixels() -> None:
    features = np.random.default_rng(0).normal(-80, 60, (60, 49, 10, 1))
    assert codes(features, UNIT) == []


def test_few_samples_are_told_with_a_number_that_helps() -> None:
    (finding,) = findings(normalized(photos(20), UNIT))
    assert finding.code == "few-samples"
    assert "20 samples" in finding.text
    assert str(ENOUGH) in finding.remedy


@pytest.mark.parametrize(("copies", "found"), [(0, []), (3, []), (6, ["duplicates"])])
def test_copies_are_told_from_a_twentieth_on(copies: int, found: list[str]) -> None:
    samples = normalized(photos(), UNIT)
    samples[len(samples) - copies :] = samples[:copies]
    assert codes(samples) == found


def test_copies_are_named() -> None:
    samples = normalized(photos(), UNIT)
    samples[30:] = samples[:30]
    (finding,) = findings(samples)
    assert "30 of 60 samples (50%)" in finding.text
    assert "s30 = s0" in finding.text


def test_one_class_only_is_named() -> None:
    samples = normalized(photos(), UNIT)
    (finding,) = findings(samples, classes=[1] * 60, labels=("cat", "dog"))
    assert finding.code == "one-class"
    assert "'dog'" in finding.text


def test_missing_classes_are_named() -> None:
    samples = normalized(photos(), UNIT)
    (finding,) = findings(samples, classes=[0, 1] * 30, labels=("cat", "dog", "bird"))
    assert finding.code == "missing-classes"
    assert "bird" in finding.text


def test_classes_that_few_samples_cannot_cover_are_no_finding() -> None:
    labels = tuple(f"class {i}" for i in range(1000))
    samples = normalized(photos(), UNIT)
    assert codes(samples, classes=list(range(60)), labels=labels) == []


def test_blank_pictures_are_named() -> None:
    samples = normalized(photos(), UNIT)
    samples[7] = 0.5
    (finding,) = findings(samples)
    assert finding.code == "constant-samples"
    assert "s7" in finding.text


def test_some_silence_among_sounds_is_no_finding_but_much_is() -> None:
    sounds = np.random.default_rng(0).standard_normal((60, 100))
    sounds[:1] = 0
    assert codes(sounds, None) == []
    sounds[:30] = 0
    assert "constant-samples" in codes(sounds, None)


def test_samples_that_are_all_blank_are_told_once() -> None:
    assert codes(np.zeros((60, 6, 6, 3)), None) == ["duplicates", "constant-samples"]


def test_a_channel_that_was_lost_is_named() -> None:
    samples = normalized(photos(), UNIT)
    samples[..., 2] = 0
    (finding,) = findings(samples)
    assert finding.code == "constant-channel"
    assert "Channel 2" in finding.text


def test_a_row_that_was_broadcast_is_found() -> None:
    samples = normalized(photos(), UNIT)
    samples[:] = samples[:, :1]
    assert codes(samples) == ["repeated-rows"]


def test_token_ids_have_no_range() -> None:
    tokens = np.random.default_rng(0).integers(0, 9000, (60, 20), np.int32)
    assert codes(tokens, UNIT) == []


@pytest.mark.parametrize("how", [UNIT, SIGNED, PIXELS])
def test_swapped_colours_are_found_only_where_they_are_blatant(how: Preprocessing) -> None:
    samples = normalized(np.clip(photos() + WARM, 0, 255), how)
    assert codes(samples, how) == []
    assert codes(samples[..., ::-1], how) == ["colour-order"]
    assert codes(samples[..., ::-1], how, decoded=True) == []
    assert codes(normalized(photos(), how)[..., ::-1], how) == []


def test_colours_are_judged_in_the_declared_order() -> None:
    samples = normalized(np.clip(photos() + WARM, 0, 255), UNIT)
    declared = Preprocessing(color="bgr")
    assert codes(samples, declared) == ["colour-order"]
    assert codes(samples[..., ::-1], declared) == []


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["classification/flowers", "classification/cifar10/train", "detection/bccd"]
)
@pytest.mark.parametrize("how", [UNIT, SIGNED, PIXELS, IMAGENET])
def test_real_photos_give_no_finding(name: str, how: Preprocessing, data_dir: Path) -> None:
    pytest.importorskip("cv2")
    dataset = open_dataset(
        data_dir / name, shapes={"x": (32, 32, 3)}, preprocessing=how, labelled=False
    ).subset(100, seed=0)
    statistics = Statistics()
    for sample in dataset:
        statistics.add(sample)
    options: dict[str, Any] = {"preprocessing": how, "labels": dataset.labels}
    assert lint(statistics, **options, normalizes_itself=False) == ()
    itself = lint(statistics, **options, normalizes_itself=True)
    assert [finding.code for finding in itself] == (
        [] if how is PIXELS else ["double-normalization"]
    )


@pytest.mark.data
def test_real_photos_with_red_and_blue_swapped_are_found(data_dir: Path) -> None:
    pytest.importorskip("cv2")
    swapped = Preprocessing(color="bgr")
    dataset = open_dataset(
        data_dir / "classification/flowers",
        shapes={"x": (32, 32, 3)},
        preprocessing=swapped,
        labelled=False,
    ).subset(100, seed=0)
    statistics = Statistics()
    for sample in dataset:
        statistics.add(sample)
    found = lint(statistics, preprocessing=UNIT, normalizes_itself=False)
    assert [finding.code for finding in found] == ["colour-order"]
