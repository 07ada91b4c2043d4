"""What operators cost: known sizes, and what tells kernels apart."""

from collections.abc import Callable

import pytest

from edgekit.flatbuffer import Graph
from edgekit.profiling.calibration.cost import COUNTED, Cost, as_int8, costs
from edgekit.profiling.calibration.net import Net, Tensor, Type

Build = Callable[[Net], Tensor]


def one(build: Build, dtype: Type = "float32") -> Cost:
    net = Net(dtype)
    (found,) = costs(Graph(net.pack(build(net))))
    return found


@pytest.mark.parametrize(
    ("build", "key", "counts"),
    [
        pytest.param(
            lambda net: net.conv(net.input(4, 4, 3), 8),
            "CONV_2D 1x1 float32",
            {
                "macs": 16 * 24,
                "wide_macs": 16 * 16 * 3,
                "padded_macs": 16 * 16 * 4,
                "tiles": 256,
                "gathers": 0,
            }
            | {"in_bytes": 192, "out_bytes": 512, "weight_bytes": 4 * (24 + 8)},
            id="1 x 1",
        ),
        pytest.param(
            lambda net: net.conv(net.input(4, 4, 4), 16, 3, 2),
            "CONV_2D float32",
            {"macs": 4 * 16 * 36, "padded_macs": 4 * 16 * 36, "gathers": 4 * 9},
            id="3 x 3 in steps of 2",
        ),
        pytest.param(
            lambda net: net.depthwise(net.input(4, 4, 24)),
            "DEPTHWISE_CONV_2D up to 9 float32",
            {"macs": 16 * 24 * 9, "wide_macs": 16 * 32 * 9, "gathers": 16 * 9},
            id="depthwise",
        ),
        pytest.param(
            lambda net: net.dense(net.input(30), 10),
            "FULLY_CONNECTED float32",
            {"macs": 300, "padded_macs": 16 * 32, "tiles": 16},
            id="dense",
        ),
        pytest.param(
            lambda net: net.binary("MUL", net.input(4, 4, 8), net.input(1, 1, 8)),
            "MUL broadcast float32",
            {"macs": 0, "in_bytes": 4 * (128 + 8), "out_bytes": 512, "gathers": 16},
            id="one value a channel",
        ),
        pytest.param(
            lambda net: net.binary("MUL", net.input(4, 4, 8), net.input(1, 1, 1)),
            "MUL broadcast float32",
            {"gathers": 0},
            id="one value for all",
        ),
        pytest.param(
            lambda net: net.conv(net.input(4, 4, 4), 40, 3),
            "CONV_2D float32",
            {"wide_macs": 16 * 48 * 36, "broad_macs": 16 * 64 * 36},
            id="channels that fill no wide kernel",
        ),
        pytest.param(
            lambda net: net.conv(net.input(4, 4, 4), 12, 3),
            "CONV_2D float32",
            {"wide_macs": 16 * 16 * 36, "broad_macs": 16 * 16 * 36},
            id="few channels",
        ),
        pytest.param(
            lambda net: net.pool("AVERAGE_POOL_2D", net.input(4, 4, 8), 3, 1, same=True),
            "AVERAGE_POOL_2D padded float32",
            {"macs": 16 * 8 * 9},
            id="average beyond the edge",
        ),
        pytest.param(
            lambda net: net.pool("AVERAGE_POOL_2D", net.input(4, 4, 8), 2, 2, same=True),
            "AVERAGE_POOL_2D float32",
            {"macs": 4 * 8 * 4},
            id="average that stays within",
        ),
        pytest.param(
            lambda net: net.pool("MAX_POOL_2D", net.input(4, 4, 8), 2, 2),
            "MAX_POOL_2D float32",
            {"macs": 4 * 8 * 4},
            id="pool",
        ),
    ],
)
def test_known_costs(build: Build, key: str, counts: dict[str, float]) -> None:
    found = one(build)
    assert found.key == key
    told = dict(zip(COUNTED, found.counts, strict=True))
    assert {name: told[name] for name in counts} == counts
    assert told["operators"] == 1


def test_an_operator_between_types_says_both() -> None:
    net = Net("int8")
    x = net.input(4, dtype="float32")
    (found,) = costs(Graph(net.pack(net.quantize(x, "int8"))))
    assert found.key == "QUANTIZE float32>int8"


def test_as_int8_an_operator_costs_what_it_does_on_integers() -> None:
    def build(net: Net) -> Tensor:
        return net.binary("ADD", net.input(8, 8, 8), net.input(8, 8, 8))

    real, integer = one(build), one(build, "int8")
    assert as_int8(real) == integer
    assert as_int8(integer) == integer


def test_a_value_times_its_own_logistic_is_one_operator() -> None:
    net = Net("int8")
    x = net.input(4, 4, 8)
    gate, product = costs(Graph(net.pack(net.binary("MUL", x, net.unary("LOGISTIC", x)))))
    assert gate.free
    assert (product.key, product.free) == ("MUL by own LOGISTIC int8", False)


def test_a_value_times_the_logistic_of_another_is_two() -> None:
    net = Net("int8")
    x, y = net.input(4, 4, 8), net.input(4, 4, 8)
    found = costs(Graph(net.pack(net.binary("MUL", x, net.unary("LOGISTIC", y)))))
    assert [each.key for each in found] == ["LOGISTIC int8", "MUL int8"]
    assert not any(each.free for each in found)
