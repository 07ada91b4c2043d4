"""Small nets of several operators: what happens between operators shows in their times.

Each is of a family that nets for small devices belong to, at sizes of its own. They are
written as single operators are, and are no copies of known models.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgekit.profiling.calibration.net import Net, Tensor, Type
from edgekit.profiling.calibration.op_set import Timed


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of a net.

    Attributes:
        side: Pixels a side of its input.
        width: Channels after the first layer.
        depth: Blocks at each size of picture.
    """

    side: int
    width: int
    depth: int


def _head(net: Net, x: Tensor, classes: int = 50) -> Tensor:
    """Average, one dense layer and scores."""
    if net.dtype == "uint8":  # models of its time average with a pool
        flat = net.flat(net.pool("AVERAGE_POOL_2D", x, x.shape[1], 1))
        return net.unary("SOFTMAX", net.dense(flat, classes))
    return net.unary("SOFTMAX", net.dense(net.mean(x), classes))


def _separable(net: Net, plan: Plan) -> Tensor:
    """Depthwise and pointwise layers in turn."""
    x = net.conv(net.input(plan.side, plan.side, 3), plan.width, 3, 2)
    for level in range(1, 5):
        for turn in range(plan.depth):
            x = net.depthwise(x, 3, 2 if turn == 0 else 1)
            x = net.conv(x, plan.width * 2**level)
    return _head(net, x)


def _inverted(net: Net, plan: Plan) -> Tensor:
    """Wide in the middle, narrow at the ends, with shortcuts between the ends."""
    x = net.conv(net.input(plan.side, plan.side, 3), plan.width, 3, 2)
    for level in range(1, 5):
        for turn in range(plan.depth):
            wide = net.conv(x, 5 * x.shape[-1])
            wide = net.depthwise(wide, 3 if level < 3 else 5, 2 if turn == 0 else 1)
            narrow = net.conv(wide, plan.width * (level + 1), relu=False)
            x = net.binary("ADD", narrow, x) if turn else narrow
    return _head(net, net.conv(x, 8 * x.shape[-1]))


def _late(net: Net, plan: Plan) -> Tensor:
    """What stands at the end of deep nets: small pictures, many weights for each."""
    x = net.input(plan.side, plan.side, plan.width)
    for _ in range(plan.depth):
        wide = net.depthwise(net.conv(x, 6 * plan.width))
        x = net.binary("ADD", net.conv(wide, plan.width, relu=False), x)
    return _head(net, x)


def _gated(net: Net, plan: Plan) -> Tensor:
    """Channels weighted by what the whole picture says, and hard swish."""
    x = net.unary("HARD_SWISH", net.conv(net.input(plan.side, plan.side, 3), plan.width, 3, 2))
    for level in range(1, 4):
        for turn in range(plan.depth):
            wide = net.unary("HARD_SWISH", net.conv(x, 4 * x.shape[-1], relu=False))
            wide = net.depthwise(wide, 5, 2 if turn == 0 else 1)
            gate = net.conv(net.mean(wide, keep=True), wide.shape[-1] // 4)
            gate = net.unary("LOGISTIC", net.conv(gate, wide.shape[-1], relu=False))
            narrow = net.conv(net.binary("MUL", wide, gate), plan.width * (level + 1))
            x = net.binary("ADD", narrow, x) if turn else narrow
    return _head(net, x)


def _residual(net: Net, plan: Plan) -> Tensor:
    """Convolutions of 3 x 3 in pairs, with shortcuts."""
    x = net.conv(net.input(plan.side, plan.side, 3), plan.width, 3, 1)
    for level in range(3):
        channels = plan.width * 2**level
        for turn in range(plan.depth):
            stride = 2 if turn == 0 and level else 1
            y = net.conv(net.conv(x, channels, 3, stride), channels, 3, relu=False)
            side = x if x.shape == y.shape else net.conv(x, channels, 1, stride, relu=False)
            x = net.binary("ADD", y, side)
    last = net.pool("AVERAGE_POOL_2D", x, x.shape[1], 1)
    return net.unary("SOFTMAX", net.dense(net.flat(last), 20))


def _bottleneck(net: Net, plan: Plan) -> Tensor:
    """1 x 1, 3 x 3, 1 x 1 with shortcuts, after a window of 7."""
    x = net.conv(net.input(plan.side, plan.side, 3), plan.width, 7, 2)
    x = net.pool("MAX_POOL_2D", net.pad(x), 3, 2)
    for level in range(3):
        channels = plan.width * 2**level
        for turn in range(plan.depth):
            stride = 2 if turn == 0 and level else 1
            y = net.conv(net.conv(x, channels, 1, stride), channels, 3)
            y = net.conv(y, 4 * channels, relu=False)
            side = x if turn else net.conv(x, 4 * channels, 1, stride, relu=False)
            x = net.binary("ADD", y, side)
    return _head(net, x)


def _stacked(net: Net, plan: Plan) -> Tensor:
    """Convolutions and pools, then dense layers."""
    x = net.input(plan.side, plan.side, 3)
    for level in range(3):
        for _ in range(plan.depth):
            x = net.conv(x, plan.width * 2**level, 3)
        x = net.pool("MAX_POOL_2D", x, 2, 2)
    x = net.dense(net.flat(x), 8 * plan.width, relu=True)
    return net.unary("SOFTMAX", net.dense(x, 12))


def _perceptron(net: Net, plan: Plan) -> Tensor:
    """Dense layers."""
    x = net.dense(net.input(plan.side), plan.width, relu=True)
    for _ in range(plan.depth):
        x = net.dense(x, plan.width, relu=True)
    return net.dense(x, plan.side)


def _grown(net: Net, plan: Plan) -> Tensor:
    """Every layer sees all layers before it."""
    x = net.conv(net.input(plan.side, plan.side, 3), 2 * plan.width, 5, 2)
    for level in range(3):
        for _ in range(plan.depth):
            y = net.conv(net.conv(x, 4 * plan.width), plan.width, 3)
            x = net.concat([x, y])
        if level < 2:
            x = net.pool("AVERAGE_POOL_2D", net.conv(x, x.shape[-1] // 2), 2, 2)
    return _head(net, x)


def _branched(net: Net, plan: Plan) -> Tensor:
    """Four ways beside each other, joined."""
    x = net.conv(net.input(plan.side, plan.side, 3), plan.width, 3, 2)
    for level in range(plan.depth):
        width = plan.width * (level + 1) // 2
        pooled = net.pool("MAX_POOL_2D", net.pad(x, before=1), 3, 1)
        ways = [
            net.conv(x, width),
            net.conv(net.conv(x, width), width, 3),
            net.conv(net.conv(net.conv(x, width), width, (1, 5)), width, (5, 1)),
            net.conv(pooled, width),
        ]
        x = net.concat(ways)
        x = net.conv(x, x.shape[-1], 3, 2) if level % 2 else x
    return _head(net, x)


def _pyramid(net: Net, plan: Plan) -> Tensor:
    """Down and up again, as detectors and segmenters do."""
    x = net.conv(net.input(plan.side, plan.side, 3), plan.width, 3, 2)
    kept = []
    for _ in range(3):
        kept.append(x)
        for turn in range(plan.depth):
            x = net.conv(net.depthwise(x, 3, 2 if turn == 0 else 1), 2 * plan.width)
    for side in reversed(kept):
        x = net.resize("RESIZE_NEAREST_NEIGHBOR", x)
        x = net.conv(net.concat([x, side]), 2 * plan.width)
    return net.unary("LOGISTIC", net.conv(x, 8, 3, relu=False))


_Family = Callable[[Net, Plan], Tensor]
_FAMILIES: tuple[tuple[str, _Family, tuple[Plan, ...]], ...] = (
    ("separable", _separable, (Plan(80, 8, 2), Plan(112, 24, 2), Plan(144, 40, 3))),
    ("inverted", _inverted, (Plan(80, 8, 2), Plan(112, 16, 2), Plan(128, 24, 3))),
    (
        "late",
        _late,
        (Plan(4, 96, 4), Plan(7, 128, 4), Plan(5, 160, 6), Plan(4, 192, 8), Plan(3, 320, 12)),
    ),
    ("gated", _gated, (Plan(80, 8, 2), Plan(112, 16, 2))),
    ("residual", _residual, (Plan(40, 16, 1), Plan(28, 40, 2))),
    ("bottleneck", _bottleneck, (Plan(80, 16, 2), Plan(112, 32, 2))),
    ("stacked", _stacked, (Plan(32, 16, 1), Plan(40, 32, 2))),
    ("perceptron", _perceptron, (Plan(400, 96, 4), Plan(1024, 768, 4))),
    ("grown", _grown, (Plan(72, 12, 3), Plan(88, 16, 4))),
    ("branched", _branched, (Plan(64, 16, 3), Plan(96, 24, 3))),
    ("pyramid", _pyramid, (Plan(96, 16, 1), Plan(128, 24, 2))),
)
_UINT8 = ("separable", "residual", "inverted")


def nets() -> Iterator[Timed]:
    """Write all nets, one after the other."""
    for name, family, plans in _FAMILIES:
        for plan in plans:
            sizes = f"{plan.side}-{plan.width}-{plan.depth}"
            for dtype in _types(name):
                net = Net(dtype)
                content = net.pack(family(net, plan))
                yield Timed(f"net-{dtype}-{name}-{sizes}", content, alone=False)


def _types(family: str) -> tuple[Type, ...]:
    return ("float32", "int8", "uint8") if family in _UINT8 else ("float32", "int8")
