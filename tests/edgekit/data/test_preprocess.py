"""Laws of preprocessing, on any picture and any size."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data.preprocess import PAD, apply, arrange, fit, gray, normalize
from edgekit.errors import DataError
from edgekit.manifest import Preprocessing, Resize

pytest.importorskip("cv2")

sides = st.integers(1, 60)
sizes = st.tuples(sides, sides)
RESIZES: list[Resize] = ["stretch", "crop", "letterbox"]
resizes: st.SearchStrategy[Resize] = st.sampled_from(RESIZES)


def noise(
    height: int, width: int, seed: int = 0
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@given(frame=sizes, size=sizes, resize=resizes)
def test_the_result_has_the_models_size(
    frame: tuple[int, int], size: tuple[int, int], resize: Resize
) -> None:
    fitted, placing = fit(noise(*frame), size, resize)
    assert fitted.shape == (*size, 3)
    assert fitted.dtype == np.uint8
    assert placing.scale_x > 0
    assert placing.scale_y > 0


@given(
    frame=sizes,
    size=sizes,
    resize=resizes,
    box=st.tuples(*[st.floats(0, 60, width=32)] * 4),
)
def test_boxes_return_to_where_they_were(
    frame: tuple[int, int],
    size: tuple[int, int],
    resize: Resize,
    box: tuple[float, float, float, float],
) -> None:
    _, placing = fit(noise(*frame), size, resize)
    boxes = np.array([box], np.float32)
    assert np.allclose(placing.to_frame(placing.to_input(boxes)), boxes, atol=1e-3)


@given(frame=sizes, size=sizes)
def test_letterbox_shows_the_whole_frame_centred_on_gray(
    frame: tuple[int, int], size: tuple[int, int]
) -> None:
    height, width = size
    fitted, placing = fit(np.zeros((*frame, 3), np.uint8), size, "letterbox")
    whole = np.array([[0, 0, frame[1], frame[0]]], np.float32)
    left, top, right, bottom = np.rint(placing.to_input(whole)[0]).astype(int)
    assert min(left, top) >= 0
    assert right <= width
    assert bottom <= height
    assert 0 <= (width - right) - left <= 1
    assert 0 <= (height - bottom) - top <= 1
    inside = np.zeros(size, bool)
    inside[top:bottom, left:right] = True
    assert (fitted[inside] == 0).all()
    assert (fitted[~inside] == PAD).all()


@given(frame=sizes, size=sizes)
def test_crop_shows_a_centred_part_without_a_border(
    frame: tuple[int, int], size: tuple[int, int]
) -> None:
    _, placing = fit(noise(*frame), size, "crop")
    seen = placing.to_frame(np.array([[0, 0, size[1], size[0]]], np.float32))[0]
    left, top, right, bottom = np.rint(seen).astype(int)
    assert min(left, top) >= 0
    assert left == 0 or top == 0
    assert 0 <= (frame[1] - right) - left <= 1
    assert 0 <= (frame[0] - bottom) - top <= 1


@given(size=sizes, resize=resizes)
def test_a_picture_of_the_right_size_is_left_as_it_is(
    size: tuple[int, int], resize: Resize
) -> None:
    pixels = noise(*size)
    fitted, _ = fit(pixels, size, resize)
    assert (fitted == pixels).all()


@given(
    frame=sizes,
    size=sizes,
    resize=st.sampled_from(["stretch", "crop"]),
    value=st.integers(0, 255),
)
def test_a_uniform_picture_stays_uniform(
    frame: tuple[int, int], size: tuple[int, int], resize: Resize, value: int
) -> None:
    fitted, _ = fit(np.full((*frame, 3), value, np.uint8), size, resize)
    assert (fitted == value).all()


@given(
    low=st.floats(-300, 300),
    width=st.floats(0.1, 600),
    resize=resizes,
    channels=st.sampled_from([1, 3]),
)
def test_values_stay_in_the_declared_range(
    low: float, width: float, resize: Resize, channels: int
) -> None:
    declared = Preprocessing.from_range(low, low + width, resize=resize)
    values = apply(noise(9, 14), declared, (5, 5), channels)
    slack = 1e-5 * (abs(low) + width)
    assert values.shape == (5, 5, channels)
    assert values.dtype == np.float32
    assert values.min() >= low - slack
    assert values.max() <= low + width + slack


@given(
    mean=st.tuples(*[st.floats(0, 255)] * 3),
    std=st.tuples(*[st.floats(0.1, 255)] * 3),
    size=sizes,
)
def test_each_channel_has_its_own_mean_and_std(
    mean: tuple[float, ...], std: tuple[float, ...], size: tuple[int, int]
) -> None:
    pixels = noise(*size)
    values = normalize(pixels, Preprocessing(mean=mean, std=std))
    expected = (pixels - np.array(mean, np.float32)) / np.array(std, np.float32)
    assert (values == expected).all()


@pytest.mark.parametrize(
    ("color", "channels", "expected"),
    [
        pytest.param("rgb", 3, [255, 0, 10], id="rgb"),
        pytest.param("bgr", 3, [10, 0, 255], id="bgr"),
        pytest.param("gray", 1, [77], id="gray"),
        pytest.param("gray", 3, [77, 77, 77], id="gray three times"),
        pytest.param("rgb", 1, [77], id="one channel is gray"),
    ],
)
def test_channels_get_the_models_order(color: str, channels: int, expected: list[int]) -> None:
    pixels = np.array([[[255, 0, 10]]], np.uint8)
    arranged = arrange(pixels, Preprocessing(color=color), channels)  # type: ignore[arg-type] # a parameter
    assert arranged[0, 0].tolist() == expected


@given(st.integers(0, 255))
def test_gray_of_gray_is_the_same(value: int) -> None:
    assert gray(np.full((1, 1, 3), value, np.uint8)).tolist() == [[value]]


def test_bilinear_values_are_known() -> None:
    row = np.repeat(np.array([[[0], [100]]], np.uint8), 3, axis=2)
    fitted, _ = fit(row, (1, 4), "stretch")
    assert fitted[0, :, 0].tolist() == [0, 25, 75, 100]


def test_resized_pixels_have_the_same_bits_on_every_machine() -> None:
    pixels = (np.arange(97 * 131 * 3, dtype=np.uint64) * 2654435761 >> 8) % 256
    frame = pixels.astype(np.uint8).reshape(97, 131, 3)
    found = hashlib.sha256()
    for size in ((32, 32), (96, 64), (224, 224), (1, 1)):
        for resize in RESIZES:
            found.update(fit(frame, size, resize)[0].tobytes())
    assert found.hexdigest()[:16] == "26514f171acbca03"


def test_an_extreme_shape_takes_no_extreme_memory() -> None:
    for resize in ("crop", "letterbox"):
        fitted, _ = fit(np.zeros((1, 100_000, 3), np.uint8), (224, 224), resize)
        assert fitted.shape == (224, 224, 3)


def test_three_means_for_one_channel_are_refused() -> None:
    declared = Preprocessing(mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 1.0))
    with pytest.raises(DataError, match=r"3 values.*1 channel"):
        apply(noise(4, 4), declared, (2, 2), 1)
