"""A picture of few colours is a PNG that others read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekit.data import opencv
from edgekit.preview.colors import gradient
from edgekit.preview.picture import spectrogram
from edgekit.preview.png import encode_png

pytest.importorskip("cv2")


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_every_pixel_comes_back(indices: np.ndarray) -> None:
    found = opencv.decode(encode_png(indices, gradient()))
    assert found is not None
    np.testing.assert_array_equal(found, gradient()[indices])


def test_the_gradient_gets_brighter_all_the_way() -> None:
    bright = gradient() @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(bright) > -1).all()
    assert bright[-1] - bright[0] > 200


def test_time_goes_to_the_right_and_low_bands_are_below() -> None:
    features = np.zeros((3, 2), np.float32)
    features[2, 0] = 1.0  # the last row, its lowest band
    picture = spectrogram(features, 0.0, 1.0)
    assert picture.size == (3, 2)
    found = opencv.decode(picture.encoded())
    assert found is not None
    assert found[1, 2].tolist() == gradient()[255].tolist()
    assert found[0, 2].tolist() == found[1, 0].tolist() == gradient()[0].tolist()


@given(
    features=arrays.arrays(np.float32, (4, 3), elements=st.floats(width=32)),
    low=st.floats(-9, 9),
    high=st.floats(-9, 9),
)
def test_any_numbers_make_a_picture(features: np.ndarray, low: float, high: float) -> None:
    with np.errstate(all="ignore"):
        assert spectrogram(features, low, high).encoded().startswith(b"\x89PNG")


def test_nothing_is_no_picture() -> None:
    assert spectrogram(np.zeros((0, 40), np.float32), 0.0, 1.0).encoded() == b""
