"""LiteRT.js computes in a real browser what edgekit's runtime computes."""

import numpy as np
import pytest
from browser import PageError, in_browser

from edgekit.runtime import load
from edgekit_demos import shapes
from edgekit_demos.models import model_path

TOLERANCE = 1.5 / 256  # one step of the output; on x86 both are equal bit for bit


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        pytest.param(
            "shapes.raspberry-pi-4", "float32", id="float in, float out, as web has it"
        ),
        pytest.param("shapes.android", "uint8", id="uint8"),
    ],
)
def test_a_page_sees_what_edgekit_sees(name: str, dtype: str) -> None:
    path = model_path(name)
    pictures, _ = shapes.draw(8, seed=6)
    scale = np.float32(1) if dtype == "uint8" else np.float32(255)
    samples = [[(picture[None] / scale).astype(dtype)] for picture in pictures]
    answers, inputs = in_browser(path, samples)
    assert inputs == [[dtype, [1, *pictures.shape[1:]]]]
    model = load(path)
    steps = 256 if dtype == "uint8" else 1
    for (sample,), (found,) in zip(samples, answers, strict=True):
        expected = np.asarray(model.raw(sample)).ravel()
        np.testing.assert_allclose(found / steps, expected / steps, atol=TOLERANCE)


def test_a_page_takes_no_int8_as_the_target_web_says() -> None:
    sample = np.zeros((1, 64, 64, 3), np.uint8)
    with pytest.raises(PageError, match="INT8 is not supported"):
        in_browser(model_path("shapes.coral-usb"), [[sample]])
