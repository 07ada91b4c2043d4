"""Kernels laid beside operators: known models, and laws for any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.profiling.perop.kernels import align, fits

DENSE, CONV = "Fully Connected (NC, QS8, QC8W) GEMM", "Convolution (NHWC, QC8) IGEMM"
DEPTHWISE = "Convolution (NHWC, QC8) DWConv"
RESHAPE, ADD, CLAMP = "Static Reshape (NC)", "Add (ND)", "Clamp (NC)"


@pytest.mark.parametrize(
    ("kernels", "ops", "places"),
    [
        pytest.param([CONV], ["CONV_2D"], [0], id="one"),
        pytest.param([DENSE], ["CONV_2D"], [0], id="a convolution of 1x1"),
        pytest.param([RESHAPE, DENSE], ["FULLY_CONNECTED"], [0, 0], id="reshaped before"),
        pytest.param(
            [ADD, CLAMP, CONV], ["ADD", "CONV_2D"], [0, 0, 1], id="clamped after an addition"
        ),
        pytest.param([CONV, CONV], ["PAD", "CONV_2D", "CONV_2D"], [1, 2], id="a merged PAD"),
        pytest.param(
            [RESHAPE, RESHAPE, DENSE],
            ["RESHAPE", "FULLY_CONNECTED"],
            [0, 1, 1],
            id="a reshape of its own and one of the dense layer",
        ),
        pytest.param(
            [CONV, DEPTHWISE, DENSE],
            ["CONV_2D", "RELU6", "DEPTHWISE_CONV_2D", "RELU6", "CONV_2D", "RELU6"],
            [0, 2, 4],
            id="merged activations",
        ),
        pytest.param(
            ["Copy (NC, X8)", "Copy (NC, X8)", CONV],
            ["CONCATENATION", "CONV_2D"],
            [0, 0, 1],
            id="one kernel an input",
        ),
        pytest.param(
            ["Something New (NC)", CONV], ["CAST", "CONV_2D"], [0, 1], id="an unknown kernel"
        ),
    ],
)
def test_known_places(kernels: list[str], ops: list[str], places: list[int]) -> None:
    assert align(kernels, ops) == places


def test_a_kernel_with_depthwise_in_its_name_computes_nothing_else() -> None:
    assert fits(DEPTHWISE, "DEPTHWISE_CONV_2D")
    assert not fits(DEPTHWISE, "CONV_2D")


PAIRS = {
    "CONV_2D": CONV,
    "DEPTHWISE_CONV_2D": DEPTHWISE,
    "ADD": ADD,
    "SOFTMAX": "Softmax (NC, F32)",
    "MAX_POOL_2D": "Max Pooling (NHWC, U8)",
}
names = st.sampled_from(sorted(PAIRS))


@given(ops=st.lists(names, min_size=1, max_size=12))
def test_one_kernel_an_operator_gives_each_its_own(ops: list[str]) -> None:
    assert align([PAIRS[op] for op in ops], ops) == list(range(len(ops)))


@given(
    kernels=st.lists(st.sampled_from([*PAIRS.values(), RESHAPE, CLAMP]), max_size=12),
    ops=st.lists(st.sampled_from([*PAIRS, "RESHAPE", "QUANTIZE"]), min_size=1, max_size=12),
)
def test_every_kernel_gets_a_place_and_places_never_fall(
    kernels: list[str], ops: list[str]
) -> None:
    places = align(kernels, ops)
    assert len(places) == len(kernels)
    assert places == sorted(places)
    assert all(0 <= place < len(ops) for place in places)
