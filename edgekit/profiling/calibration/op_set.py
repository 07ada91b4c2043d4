"""What is timed on a device: single operators over all sizes, and small nets of them.

Sizes are those of nets for small devices: many, spread evenly over orders of magnitude, none
copied from a model that judges the estimates. Nets show what happens between operators.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgekit.profiling.calibration.net import Net, Tensor, Type

_Row = tuple[int, ...]

# Pixels a side, channels in, channels out.
_POINTWISE: tuple[_Row, ...] = (
    (112, 16, 64),
    (56, 24, 96),
    (56, 64, 128),
    (56, 144, 32),
    (48, 96, 96),
    (40, 40, 120),
    (28, 192, 40),
    (24, 8, 16),
    (20, 48, 48),
    (14, 64, 384),
    (14, 240, 80),
    (14, 512, 512),
    (14, 96, 576),
    (8, 1024, 256),
    (7, 160, 960),
    (7, 512, 1024),
    (6, 128, 256),
    (3, 256, 256),
    (1, 96, 24),
    (1, 120, 480),
    (1, 960, 240),
)
# Height, width, channels in, channels out, height and width of the kernel, stride.
_SPATIAL: tuple[_Row, ...] = (
    (224, 224, 3, 32, 3, 3, 2),
    (160, 160, 3, 16, 3, 3, 2),
    (128, 128, 3, 8, 3, 3, 2),
    (96, 96, 3, 24, 3, 3, 1),
    (112, 112, 3, 64, 7, 7, 2),
    (64, 64, 8, 8, 3, 3, 1),
    (56, 56, 64, 64, 3, 3, 1),
    (48, 10, 1, 64, 10, 4, 2),
    (40, 40, 48, 8, 3, 3, 1),
    (35, 35, 64, 96, 3, 3, 1),
    (32, 32, 16, 16, 3, 3, 1),
    (32, 32, 24, 48, 3, 3, 2),
    (26, 26, 32, 40, 3, 3, 1),
    (17, 17, 96, 128, 1, 7, 1),
    (24, 24, 16, 24, 3, 3, 1),
    (20, 20, 64, 12, 3, 3, 1),
    (16, 16, 32, 64, 3, 3, 2),
    (14, 14, 192, 192, 3, 3, 1),
    (18, 18, 48, 80, 3, 3, 1),
    (7, 7, 384, 128, 3, 3, 1),
)
# Pixels a side, channels, kernel, stride.
_DEPTHWISE: tuple[_Row, ...] = (
    (112, 32, 3, 1),
    (112, 96, 3, 2),
    (112, 16, 3, 1),
    (64, 8, 3, 1),
    (56, 144, 3, 1),
    (56, 128, 3, 2),
    (56, 72, 5, 2),
    (48, 16, 3, 2),
    (28, 192, 3, 1),
    (28, 256, 3, 2),
    (56, 64, 5, 2),
    (28, 120, 5, 1),
    (28, 64, 5, 1),
    (28, 48, 5, 1),
    (10, 1280, 3, 1),
    (14, 384, 3, 1),
    (14, 192, 5, 1),
    (14, 480, 5, 1),
    (14, 672, 5, 2),
    (12, 64, 3, 1),
    (7, 960, 3, 1),
    (7, 1152, 5, 1),
    (6, 128, 3, 1),
    (3, 256, 3, 1),
)
# Height, width, channels, height and width of the kernel, stride: windows of other shapes.
# Sounds have windows over time alone.
_WINDOWED: tuple[_Row, ...] = (
    (42, 42, 44, 7, 7, 2),
    (28, 28, 88, 7, 7, 1),
    (72, 72, 20, 7, 7, 2),
    (16, 16, 144, 7, 7, 1),
    (96, 1, 32, 3, 1, 1),
    (40, 1, 160, 4, 1, 1),
    (49, 1, 64, 9, 1, 1),
    (60, 1, 192, 5, 1, 1),
    (20, 1, 120, 15, 1, 1),
)
# Values in, values out.
_DENSE: tuple[_Row, ...] = (
    (64, 10),
    (128, 128),
    (256, 12),
    (640, 128),
    (512, 512),
    (1280, 100),
    (1024, 1000),
)
# Pixels a side, channels.
_MAPS: tuple[_Row, ...] = (
    (112, 24),
    (56, 72),
    (28, 64),
    (28, 240),
    (14, 160),
    (7, 640),
    (8, 32),
)
# Pixels a side, channels, kernel, stride.
_POOLED: tuple[_Row, ...] = (
    (112, 64, 3, 2),
    (56, 128, 2, 2),
    (35, 192, 3, 2),
    (28, 64, 2, 2),
    (14, 256, 3, 1),
    (8, 64, 8, 8),
    (7, 1024, 7, 7),
)
_CLASSES = ((12,), (1000,), (9000,))
# Pixels a side, channels: operators that meet one value a channel.
_MET = ((224, 3), (64, 8), (28, 240), (14, 160))
_PADDED = ((42, 40, 3, 2), (28, 64, 3, 1), (14, 176, 3, 1))
_UPSAMPLED = ((10, 64, 2), (28, 24, 2), (20, 32, 4))
_TRANSPOSED = ((7, 128, 64, 4, 2), (14, 64, 32, 2, 2), (28, 32, 16, 3, 2))

_Build = Callable[[Net, _Row], Tensor]


def _map(net: Net, row: _Row) -> Tensor:
    side, channels = row[:2]
    return net.input(side, side, channels)


def _pointwise(net: Net, row: _Row) -> Tensor:
    return net.conv(_map(net, row), row[2])


def _spatial(net: Net, row: _Row) -> Tensor:
    high, wide, channels, out, kernel_high, kernel_wide, stride = row
    return net.conv(net.input(high, wide, channels), out, (kernel_high, kernel_wide), stride)


def _depthwise(net: Net, row: _Row) -> Tensor:
    return net.depthwise(_map(net, row), row[2], row[3])


def _windowed(net: Net, row: _Row) -> Tensor:
    high, wide, channels, kernel_high, kernel_wide, stride = row
    x = net.input(high, wide, channels)
    return net.depthwise(x, (kernel_high, kernel_wide), stride)


def _dense(net: Net, row: _Row) -> Tensor:
    return net.dense(net.input(row[0]), row[1])


def _twice(op: str) -> _Build:
    return lambda net, row: net.binary(op, _map(net, row), _map(net, row))


def _a_channel(op: str) -> _Build:
    return lambda net, row: net.binary(op, _map(net, row), net.input(1, 1, row[1]))


def _unary(op: str) -> _Build:
    return lambda net, row: net.unary(op, _map(net, row))


def _pooled(op: str) -> _Build:
    return lambda net, row: net.pool(op, _map(net, row), row[2], row[3])


def _padded_average(net: Net, row: _Row) -> Tensor:
    return net.pool("AVERAGE_POOL_2D", _map(net, row), row[2], row[3], same=True)


def _swish(net: Net, row: _Row) -> Tensor:
    x = _map(net, row)
    return net.binary("MUL", x, net.unary("LOGISTIC", x))


def _resized(op: str) -> _Build:
    return lambda net, row: net.resize(op, _map(net, row), row[2])


def _joined(net: Net, row: _Row) -> Tensor:
    return net.concat([_map(net, row), net.input(row[0], row[0], max(8, row[1] // 4))])


# What is timed of each type of values: how it is built, and its sizes.
_KINDS: tuple[tuple[_Build, tuple[_Row, ...]], ...] = (
    (_pointwise, _POINTWISE),
    (_spatial, _SPATIAL),
    (_depthwise, _DEPTHWISE),
    (_windowed, _WINDOWED),
    (_dense, _DENSE),
    (_twice("ADD"), _MAPS[1:5]),
    (_twice("MUL"), _MAPS[:3]),
    (_a_channel("MUL"), (_MAPS[1], *_MET)),
    (_twice("SUB"), _MAPS[2:4]),
    (_a_channel("ADD"), _MET),
    (_a_channel("SUB"), _MET),
    (lambda net, row: net.mean(_map(net, row)), _MAPS[3:6]),
    (_pooled("AVERAGE_POOL_2D"), _POOLED[2:]),
    (_padded_average, _PADDED),
    (_pooled("MAX_POOL_2D"), _POOLED[:4]),
    (lambda net, row: net.unary("SOFTMAX", net.input(*row)), _CLASSES),
    (lambda net, row: net.pad(_map(net, row)), (*_MAPS[1:4], (224, 3))),
    (_unary("HARD_SWISH"), _MAPS[2:5]),
    (_unary("LOGISTIC"), (*_MAPS[1:3], (1, 960))),
    (_swish, (*_MAPS[:2], _MAPS[3])),
    (_unary("RELU"), _MAPS[1:3]),
    (_unary("TANH"), _MAPS[2:4]),
    (_unary("LEAKY_RELU"), _MAPS[2:4]),
    (lambda net, row: net.prelu(_map(net, row)), _MAPS[2:4]),
    (_resized("RESIZE_BILINEAR"), _UPSAMPLED),
    (_resized("RESIZE_NEAREST_NEIGHBOR"), _UPSAMPLED),
    (_joined, _MAPS[1:5]),
    (lambda net, row: net.flat(_map(net, row)), _MAPS[2:5]),
    (lambda net, row: net.transpose(_map(net, row), (0, 2, 1, 3)), _MAPS[2:4]),
    (lambda net, row: net.split(_map(net, row))[0], _MAPS[2:4]),
    (lambda net, row: net.slice(_map(net, row)), _MAPS[2:4]),
    (lambda net, row: net.transposed(_map(net, row), *row[2:]), _TRANSPOSED),
)
# uint8 is what models of 2018 to 2020 hold: fewer kinds.
_KINDS_UINT8: tuple[tuple[_Build, tuple[_Row, ...]], ...] = (
    (_pointwise, _POINTWISE[::3]),
    (_spatial, _SPATIAL[::2]),
    (_depthwise, tuple(row for row in _DEPTHWISE if row[2] == 3)[::2]),
    (_depthwise, tuple(row for row in _DEPTHWISE if row[2] == 5)[::2]),
    (_dense, _DENSE[1::3]),
    (_twice("ADD"), _MAPS[1:5]),
    (_pooled("AVERAGE_POOL_2D"), _POOLED[-2:]),
    (lambda net, row: net.unary("SOFTMAX", net.input(*row)), _CLASSES[1:3]),
    (_joined, _MAPS[1:4]),
    (_unary("LOGISTIC"), _MAPS[2:4]),
    (_resized("RESIZE_BILINEAR"), _UPSAMPLED[:2]),
    (lambda net, row: net.flat(_map(net, row)), _MAPS[2:4]),
)
_SIGNALS: tuple[_Row, ...] = ((1, 1, 1000), (28, 28, 64), (160, 160, 3))


@dataclass(frozen=True, slots=True)
class Timed:
    """A model that a calibration times.

    Attributes:
        name: What it is, for messages and files.
        content: The file.
        alone: It is a single operator, not a net.
    """

    name: str
    content: bytes
    alone: bool


def single_ops() -> Iterator[Timed]:
    """Write all single operators, one after the other."""
    for dtype, kinds in (("float32", _KINDS), ("int8", _KINDS), ("uint8", _KINDS_UINT8)):
        for number, (build, rows) in enumerate(kinds):
            for row in rows:
                net = Net(_typed(dtype))
                made = net.pack(build(net, row))
                sizes = "x".join(map(str, row))
                yield Timed(f"op-{dtype}-{number}-{sizes}", made, alone=True)
    yield from _conversions()


def _typed(dtype: str) -> Type:
    return "float32" if dtype == "float32" else "int8" if dtype == "int8" else "uint8"


def _conversions() -> Iterator[Timed]:
    """Write QUANTIZE and DEQUANTIZE between the types."""
    pairs: tuple[tuple[Type, Type], ...] = (
        ("float32", "int8"),
        ("float32", "uint8"),
        ("uint8", "int8"),
        ("uint8", "uint8"),
        ("int8", "int8"),
        ("int8", "float32"),
        ("uint8", "float32"),
    )
    for source, result in pairs:
        for row in _SIGNALS:
            net = Net(result if source == "float32" else source)
            x = net.input(*row, dtype=source)
            y = net.dequantize(x) if result == "float32" else net.quantize(x, result)
            name = f"op-{source}-to-{result}-{'x'.join(map(str, row))}"
            yield Timed(name, net.pack(y), alone=True)


def least_ops() -> tuple[Timed, Timed]:
    """Write two operators on one value: what a run costs, by a delegate and without one."""
    delegated, builtin = Net("float32"), Net("int8")
    x = delegated.input(1, 1, 1)
    return (
        Timed("least-delegated", delegated.pack(delegated.binary("ADD", x, x)), alone=True),
        Timed(
            "least-builtin",
            builtin.pack(builtin.unary("HARD_SWISH", builtin.input(1, 1, 1))),
            alone=True,
        ),
    )
