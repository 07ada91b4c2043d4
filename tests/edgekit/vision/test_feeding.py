"""What a camera's frame becomes is what `edgekit.data.preprocess` defines, to the last bit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data.opencv import Order, Pixels
from edgekit.data.preprocess import apply
from edgekit.errors import TargetError
from edgekit.manifest import Preprocessing
from edgekit.runtime import TensorSpec
from edgekit.runtime.quantize import Quantizer
from edgekit.vision.feeding import Feeder

pytest.importorskip("cv2")

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), np.uint8)

preprocessings = st.builds(
    Preprocessing,
    color=st.sampled_from(["rgb", "bgr", "gray"]),
    resize=st.sampled_from(["stretch", "crop", "letterbox"]),
    mean=st.sampled_from([(0.0,), (127.5,), (104.0,)]),
    std=st.sampled_from([(255.0,), (127.5,), (1.0,)]),
)
specs = st.builds(
    TensorSpec,
    name=st.just("image"),
    shape=st.sampled_from([(1, 24, 32, 3), (1, 30, 30, 1), (1, 48, 64, 3), (1, 3, 20, 24)]),
    dtype=st.sampled_from(["int8", "uint8", "float32"]),
    scale=st.sampled_from([1 / 255, 0.0078, 1.0]),
    zero_point=st.sampled_from([0, 5]),
)


def expected(spec: TensorSpec, preprocessing: Preprocessing, rgb: Pixels) -> Any:
    first = spec.shape[1] in {1, 3}
    size = spec.shape[2:] if first else spec.shape[1:3]
    channels = spec.shape[1] if first else spec.shape[3]
    real = apply(rgb, preprocessing, (size[0], size[1]), channels)[np.newaxis]
    real = real.transpose(0, 3, 1, 2) if first else real
    if not spec.quantized:
        return real
    return Quantizer(real.shape, spec.dtype, spec.scale, spec.zero_point).quantize(real)


@given(spec=specs, preprocessing=preprocessings, order=st.sampled_from(["bgr", "rgb"]))
def test_it_is_bit_for_bit_what_preprocessing_defines(
    spec: TensorSpec, preprocessing: Preprocessing, order: Order
) -> None:
    frame = FRAMES[0]
    rgb = np.ascontiguousarray(frame[..., ::-1]) if order == "bgr" else frame
    found, placing = Feeder([spec], preprocessing)(frame, order)
    assert found.dtype == spec.dtype
    np.testing.assert_array_equal(found, expected(spec, preprocessing, rgb))
    assert placing.frame == (48, 64)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
def test_inputs_under_way_do_not_overwrite_each_other(dtype: str) -> None:
    feed = Feeder([TensorSpec("image", (1, 24, 32, 3), dtype, 1 / 255)], Preprocessing())
    inputs = [feed(frame, "bgr")[0] for frame in FRAMES]
    copies = [each.copy() for each in inputs]
    feed(FRAMES[0], "rgb")
    for one, other in zip(inputs, copies, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.shares_memory(inputs[0], inputs[1])


def test_the_frame_stays_as_it_is() -> None:
    frame = FRAMES[0].copy()
    spec = TensorSpec("image", (1, 48, 64, 3), "uint8", 1 / 255)
    Feeder([spec], Preprocessing())(frame, "bgr")
    np.testing.assert_array_equal(frame, FRAMES[0])


@pytest.mark.parametrize("shape", [(1, 640), (1, 8, 8, 2), (2, 8, 8, 3)])
def test_a_model_of_something_else_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(TargetError, match="takes no single picture"):
        Feeder([TensorSpec("x", shape, "float32")], Preprocessing())
