"""Which channels of a float model can be rescaled, and which constants follow.

A positive factor on a channel passes through everything that is positively homogeneous
(ReLU, pooling, sums of channels with the same factor) and is undone by the weights that read
the channel. Each tensor gets a group number for each index of its last axis; channels of one
group share a factor.

1. A layer with weights begins groups of its own: its weights and biases are multiplied with
   the factors of its outputs, and its weights divided by those of its inputs.
2. Operators that compute channel by channel and keep proportions hand the groups on.
3. Sums, maxima and minima of two tensors tie the groups of both. A constant on one side is
   multiplied like a bias.
4. A product with a constant, or with what has factor 1 (the gate of squeeze-and-excite),
   hands the groups on.
5. Operators that move values (reshape, concatenation, padding, ...) are run on group numbers
   in place of values: what comes out says which channel went where.
6. ReLU6 and its like hand the groups on, and their output is clipped: see `limits`.
7. Everything else, and the inputs and outputs of the model, freezes its channels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.flatbuffer.cut import cut
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit_converters.quantize.chain.moving import MOVING
from edgekit_converters.quantize.float_graph import interpreter, run
from edgekit_converters.ties import Labels, Ties

_HOMOGENEOUS = ["ABS", "LEAKY_RELU", "NEG", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1"]
_POOLS = ["AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D", "RESIZE_BILINEAR"]
_REDUCTIONS = ["MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"]
_TYING = ["ADD", "MAXIMUM", "MINIMUM", "SUB"]
# What clips -> the value where it does, as its own operator or fused into another.
LIMITS = {"RELU6": 6.0, "RELU_N1_TO_1": 1.0, "RELU_0_TO_1": 1.0}
_HARMLESS = {"NONE", "RELU", *LIMITS}
# Operator -> places of its input, weights and biases.
_PLACES = {"TRANSPOSE_CONV": (2, 1, 3)}
_MAX_NUMBER = 2**24  # float32 counts exactly up to here


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """A constant that follows the factors of channels.

    Attributes:
        tensor: Its number.
        layer: Number of the operator that reads it.
        up: Groups whose factors multiply it, in a shape that spreads over it.
        down: Groups whose factors divide it, likewise; None where there are none.
    """

    tensor: int
    layer: int
    up: Labels
    down: Labels | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """The groups of a model.

    Attributes:
        count: How many groups there are.
        groups: Tensor number -> group of each index of its last axis.
        constants: What follows the factors.
        limits: Tensor number -> where its values are clipped.
        frozen: Group -> why it keeps factor 1.
    """

    count: int
    groups: dict[int, Labels]
    constants: tuple[Scaled, ...]
    limits: dict[int, float]
    frozen: dict[int, str]


def find_channels(graph: Graph) -> Channels:
    """Find the groups of a float model; call it in a guarded child, as it runs operators."""
    finder = _Finder(graph)
    for op in graph.ops:
        finder.visit(op)
    return finder.finished()


class _Finder:
    """Follows the channels through a graph in the order of execution."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = graph.main.tensors
        self.labels = Ties()
        self.groups: dict[int, Labels] = {}
        self.constants: dict[int, Scaled] = {}
        self.limits: dict[int, float] = {}
        for index in graph.main.inputs:
            self._freeze_new(index, "it is an input of the model")

    def visit(self, op: OpView) -> None:
        """Find the groups of what an operator computes."""
        rule = _RULES.get(op.op)
        plain = [i for i in (*op.inputs, *op.outputs) if i >= 0 and not self._constant(i)]
        if rule is None:
            reason: str | None = f"{op.op} does not keep proportions"
        elif any(self.tensors[i].dtype != "float32" or not self._shape(i) for i in plain):
            reason = f"{op.op} computes with other than float values"
        elif not any(i in self.groups for i in op.inputs):
            reason = f"{op.op} computes from constants"
        elif any(i not in self.groups and not self._constant(i) for i in op.inputs if i >= 0):
            reason = f"{op.op} reads a state"
        else:
            reason = rule(self, op)
        clip = op.op if op.op in LIMITS else op.options.get("fused_activation_function", "NONE")
        if clip not in _HARMLESS:
            reason = reason or f"{clip} does not keep proportions"
        if reason is not None:
            self._freeze(op, reason)
        elif clip in LIMITS:
            self.limits[op.outputs[0]] = LIMITS[clip]

    def finished(self) -> Channels:
        """Number the groups without gaps."""
        for index in self.graph.main.outputs:
            if index in self.groups:
                self.labels.freeze(self.groups[index], "it is an output of the model")
        every = (
            self.labels.fresh(0)
            if not self.groups
            else np.concatenate([each.ravel() for each in self.groups.values()])
        )
        roots = np.unique(self.labels.roots(every))
        reasons = self.labels.reasons(roots)

        def number(labels: Labels) -> Labels:
            return np.searchsorted(roots, self.labels.roots(labels))

        return Channels(
            count=len(roots),
            groups={tensor: number(each) for tensor, each in self.groups.items()},
            constants=tuple(
                Scaled(
                    tensor=each.tensor,
                    layer=each.layer,
                    up=number(each.up),
                    down=None if each.down is None else number(each.down),
                )
                for each in self.constants.values()
            ),
            limits=self.limits,
            frozen={group: why for group, why in enumerate(reasons) if why is not None},
        )

    def weighted(self, op: OpView) -> str | None:
        """Rule 1."""
        data, weights, bias = _PLACES.get(op.op, (0, 1, 2))
        if op.inputs[data] not in self.groups:
            return "its input is constant"
        extra = [op.inputs[bias]] if bias < len(op.inputs) and op.inputs[bias] >= 0 else []
        ends = (op.inputs[weights], *extra)
        if any(not self._constant(i) or self.tensors[i].dtype != "float32" for i in ends):
            return "its weights are not float32 constants"
        shape, given = self._shape(ends[0]), op.inputs[data]
        axis = 3 if op.op == "DEPTHWISE_CONV_2D" else 0
        up = self.labels.fresh(shape[axis])
        down = self._read(op, given, shape)
        if down is None:
            return "its weights do not fit its input"
        self.groups[op.outputs[0]] = up
        spread = np.ones(len(shape), int)
        spread[axis] = -1
        self._follow(op, ends[0], up.reshape(spread), down)
        for each in extra:
            self._follow(op, each, up)
        return None

    def _read(self, op: OpView, given: int, shape: tuple[int, ...]) -> Labels | None:
        """Return the group that each weight is multiplied with, spread over the weights."""
        labels = self.groups[given]
        if op.op == "FULLY_CONNECTED":
            every = np.broadcast_to(labels, self._shape(given))
            if every.size % shape[1]:
                return None
            return self._tied_rows(every.reshape(-1, shape[1]))[None]
        if op.op == "DEPTHWISE_CONV_2D":
            return np.repeat(labels, shape[3] // len(labels)).reshape(1, 1, 1, -1)
        parts = labels.reshape(-1, 1, 1, shape[3])  # of a grouped convolution; 1 elsewhere
        return parts if len(parts) == 1 else np.repeat(parts, shape[0] // len(parts), axis=0)

    def alike(self, op: OpView) -> str | None:
        """Rule 2, channel by channel."""
        if op.inputs[0] not in self.groups:
            return f"{op.op} of a constant"
        self.groups[op.outputs[0]] = self.groups[op.inputs[0]]
        return None

    def prelu(self, op: OpView) -> str | None:
        """Rule 2, with slopes that must be known."""
        return self.alike(op) if self._constant(op.inputs[1]) else "its slopes are computed"

    def reduced(self, op: OpView) -> str | None:
        """Rule 2, over places but not over channels."""
        if not self._constant(op.inputs[1]):
            return "its axes are computed"
        rank = len(self._shape(op.inputs[0]))
        axes = np.ravel(self.graph.constant(self.tensors[op.inputs[1]])) % rank
        return f"{op.op} mixes channels" if rank - 1 in axes else self.alike(op)

    def tied(self, op: OpView) -> str | None:
        """Rule 3."""
        both = [i for i in op.inputs if not self._constant(i)]
        if len(both) == 2:
            one, other = (self.groups[i] for i in both)
            self.labels.tie(one, other)
            self.groups[op.outputs[0]] = np.broadcast_arrays(one, other)[0]
            return None
        (fixed,) = (i for i in op.inputs if self._constant(i))
        labels = self.groups[both[0]]
        values = self.graph.constant(self.tensors[fixed])
        if values.any() and values.shape[-1:] != labels.shape:
            return f"{op.op} has one constant for all channels"
        if self._shape(op.outputs[0])[-1] != len(labels):
            return f"{op.op} spreads one channel"
        self.groups[op.outputs[0]] = labels
        self._follow(op, fixed, labels)
        return None

    def product(self, op: OpView) -> str | None:
        """Rule 4."""
        one, other = op.inputs[:2]
        if op.op == "MUL" and (self._constant(one) or self._is_frozen(one)):
            one, other = other, one
        if self._constant(one) or not (self._constant(other) or self._is_frozen(other)):
            return f"{op.op} of two sets of channels"
        if self._shape(op.outputs[0])[-1] != self._shape(one)[-1]:
            return f"{op.op} spreads one channel"
        self.groups[op.outputs[0]] = self.groups[one]
        return None

    def moved(self, op: OpView) -> str | None:
        """Rule 5."""
        fixed = [self.tensors[i] for i in op.inputs if i >= 0 and self._constant(i)]
        if any(each.is_float and self.graph.constant(each).any() for each in fixed):
            return f"{op.op} mixes in constants"
        given = [i for i in dict.fromkeys(op.inputs) if i in self.groups]
        table = self.graph.file.model.subgraphs[0].operators[op.index]
        made = interpreter(cut(self.graph.file.model, table), f"operator {op.op}")
        for detail, index in zip(made.get_input_details(), given, strict=True):
            numbers = self.labels.roots(self.groups[index]) + 1  # 0 is what padding brings
            if numbers.max() >= _MAX_NUMBER:
                return "the model has too many channels"
            spread = np.broadcast_to(numbers, self._shape(index))
            made.set_tensor(detail["index"], np.ascontiguousarray(spread, np.float32))
        run(made, f"operator {op.op}")
        for index, detail in zip(op.outputs, made.get_output_details(), strict=True):
            found = np.rint(made.get_tensor(detail["index"])).astype(np.int64) - 1
            self.groups[index] = self._tied_rows(found.reshape(-1, found.shape[-1]))
        return None

    def _tied_rows(self, rows: Labels) -> Labels:
        """Tie the labels of each column; -1 stands for zero, which any factor suits."""
        if (rows == rows[0]).all():
            rows = rows[:1]
        first = rows.max(axis=0)
        empty = first < 0
        first = np.where(empty, self.labels.fresh(len(first)), first)
        for row in np.unique(rows, axis=0):
            there = row >= 0
            self.labels.tie(first[there], row[there])
        return first

    def _follow(self, op: OpView, tensor: int, up: Labels, down: Labels | None = None) -> None:
        """Let a constant follow factors; one that is read twice ties those of its readers."""
        if not self.graph.constant(self.tensors[tensor]).any():
            return
        earlier = self.constants.setdefault(tensor, Scaled(tensor, op.index, up, down))
        pairs = [(earlier.up, up), (earlier.down, down)]
        shapes = [[None if each is None else each.shape for each in pair] for pair in pairs]
        for pair, (mine, theirs) in zip(pairs, shapes, strict=True):
            if mine == theirs and pair[0] is not None and pair[1] is not None:
                self.labels.tie(pair[0], pair[1])
            elif mine != theirs:
                for each in (earlier.up, up, earlier.down, down):
                    if each is not None:
                        self.labels.freeze(each, "its weights have another use, too")

    def _freeze(self, op: OpView, reason: str) -> None:
        """Rule 7."""
        for index in op.inputs:
            if index in self.groups:
                self.labels.freeze(self.groups[index], reason)
        for index in op.outputs:
            if index in self.groups:
                self.labels.freeze(self.groups[index], reason)
            elif index >= 0:
                self._freeze_new(index, reason)

    def _freeze_new(self, index: int, reason: str) -> None:
        channels = (self._shape(index) or (1,))[-1]
        self.groups[index] = self.labels.frozen(max(channels, 1), reason)

    def _is_frozen(self, tensor: int) -> bool:
        return None not in self.labels.reasons(self.groups[tensor])

    def _constant(self, tensor: int) -> bool:
        return tensor not in self.groups and self.tensors[tensor].is_constant

    def _shape(self, tensor: int) -> tuple[int, ...]:
        return self.tensors[tensor].shape


_Rule = Callable[[_Finder, OpView], str | None]
_RULES: dict[str, _Rule] = {
    "CONV_2D": _Finder.weighted,
    "DEPTHWISE_CONV_2D": _Finder.weighted,
    "FULLY_CONNECTED": _Finder.weighted,
    "TRANSPOSE_CONV": _Finder.weighted,
    "PRELU": _Finder.prelu,
    "MUL": _Finder.product,
    "DIV": _Finder.product,
    **dict.fromkeys([*_HOMOGENEOUS, *_POOLS], _Finder.alike),
    **dict.fromkeys(_REDUCTIONS, _Finder.reduced),
    **dict.fromkeys(_TYING, _Finder.tied),
    **dict.fromkeys(MOVING, _Finder.moved),
}
