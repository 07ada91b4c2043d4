"""Walk through a model operator by operator, with many samples side by side.

Each operator runs on all samples before the next one begins, so that its constants can be
changed in between and everything behind it sees the change. It runs in the interpreter's
own kernels: what is measured is what a device computes.

Where an operator treats its first dimension as a batch, one run takes many samples. A delegate
may refuse that, or the operator, and is then left out. An operator that calls other subgraphs
runs beside them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.flatbuffer.cut import cut
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit_converters.quantize.chain.pair import ARITHMETIC
from edgekit_converters.quantize.chain.part import part
from edgekit_converters.quantize.float_graph import interpreter, resize, run

Array = NDArray[Any]
BUDGET_BYTES = 512 * 2**20  # activations that are alive at the same time
RUN_BYTES = 24 * 2**20  # what one run of an operator reads and writes

_SAME_BYTES = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
# Operators for which the first dimension is the batch, whatever their options.
_EACH = frozenset(
    [
        "ABS",
        "AVERAGE_POOL_2D",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "DEQUANTIZE",
        "ELU",
        "EXP",
        "FULLY_CONNECTED",
        "GELU",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOGISTIC",
        "MAX_POOL_2D",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "RSQRT",
        "SOFTMAX",
        "SQUARE",
        "TANH",
    ]
)
# Operators that name dimensions: which input does, and whether it leaves the first one alone.
_Untouched = Callable[[Array, int], bool]
_ALONG: dict[str, tuple[int, _Untouched]] = {
    "MEAN": (1, lambda axes, rank: not {0, -rank} & set(np.ravel(axes).tolist())),
    "PAD": (1, lambda widths, _: not np.any(widths[0])),
    "PADV2": (1, lambda widths, _: not np.any(widths[0])),
    "MIRROR_PAD": (1, lambda widths, _: not np.any(widths[0])),
    "REDUCE_MAX": (1, lambda axes, rank: not {0, -rank} & set(np.ravel(axes).tolist())),
    "SUM": (1, lambda axes, rank: not {0, -rank} & set(np.ravel(axes).tolist())),
    "TRANSPOSE": (1, lambda order, _: bool(order[0] == 0)),
}


class Walk:
    """Samples on their way through the main graph of a model.

    Args:
        graph: The model; its tree may be changed ahead of the walk.
        inputs: Values of each input by tensor number, samples in front, in the type that
            the tensor holds.

    Attributes:
        values: What is alive: values of each tensor by number, shape (samples, ...).
    """

    def __init__(self, graph: Graph, inputs: Mapping[int, Array]) -> None:
        self.graph = graph
        self.values: dict[int, Array] = dict(inputs)
        self._last_use = _last_uses(graph)
        self._count = len(next(iter(inputs.values())))

    def steps(self) -> Iterator[OpView]:
        """Yield each operator before it runs; what it reads is in `values`.

        Raises:
            SourceError: An operator does not run.
        """
        for op in self.graph.ops:
            yield op
            self._run(op)
            for index in {*op.inputs, *op.outputs}:
                if self._last_use.get(index, -1) <= op.index:
                    self.values.pop(index, None)

    def _run(self, op: OpView) -> None:
        """Run one operator on all samples."""
        given = list(dict.fromkeys(i for i in op.inputs if i in self.values))
        if op.op in _SAME_BYTES and given == [op.inputs[0]]:
            shape = self.graph.main.tensors[op.outputs[0]].shape
            self.values[op.outputs[0]] = self.values[given[0]].reshape(self._count, *shape)
            return
        size = self._together(op, given)
        found = None
        for together, plain in dict.fromkeys([(size, False), (size, True), (1, True)]):
            found = found or self._alone(op, given, together, plain=plain)
        self.values |= dict(
            zip(op.outputs, found or self._beside_subgraphs(op, given), strict=True)
        )

    def _alone(
        self, op: OpView, given: list[int], size: int, *, plain: bool
    ) -> list[Array] | None:
        """Run one operator by itself, some samples at a time; None if it does not run so."""
        try:
            made, ends = self._opened(op, given, size, plain=plain)
            return self._ran(made, op, [self.values[index] for index in given], ends, size)
        except SourceError:
            return None

    def _ran(
        self, made: Any, op: OpView, given: list[Array], ends: list[int], size: int
    ) -> list[Array]:
        """Run an opened operator on all samples."""
        outputs = made.get_output_details()
        found: list[Array] = []
        for start in range(0, self._count, size):
            first = min(start, self._count - size)  # the last group overlaps the one before
            for end, whole in zip(ends, given, strict=True):
                values = whole[first : first + size]
                made.set_tensor(
                    end, values.reshape(-1, *values.shape[2:]) if size > 1 else values[0]
                )
            made.reset_all_variables()
            run(made, f"operator {op.op}")
            results = [made.get_tensor(detail["index"]) for detail in outputs]
            found = found or [
                np.empty((self._count, *self._shape(values, size)), values.dtype)
                for values in results
            ]
            for rows, values in zip(found, results, strict=True):
                rows[first : first + size] = values.reshape(size, *rows.shape[1:])
        return found

    def _beside_subgraphs(self, op: OpView, given: list[int]) -> list[Array]:
        """Run an operator in a model that keeps the subgraphs that it may call."""
        data = part(self.graph, slice(op.index, op.index + 1), given, op.outputs)
        made = interpreter(data, f"operator {op.op}", threads=2)
        ends = [detail["index"] for detail in made.get_input_details()]
        return self._ran(made, op, [self.values[index] for index in given], ends, 1)

    @staticmethod
    def _shape(values: Array, size: int) -> tuple[int, ...]:
        """Shape of what an operator gives for one sample."""
        return (1, *values.shape[1:]) if size > 1 else values.shape

    def _opened(
        self, op: OpView, given: list[int], size: int, *, plain: bool
    ) -> tuple[Any, list[int]]:
        """Open one operator for a number of samples; return it with its inputs."""
        table = self.graph.file.model.subgraphs[0].operators[op.index]
        data, name = cut(self.graph.file.model, table), f"operator {op.op}"
        made = interpreter(data, name, threads=2, plain=plain)
        details = made.get_input_details()
        if len(details) != len(given):
            msg = f"Operator {op.op} reads values that nothing computes."
            raise SourceError(msg)
        if size > 1:
            resize(made, [[size, *detail["shape"][1:].tolist()] for detail in details], name)
        return made, [detail["index"] for detail in details]

    def _together(self, op: OpView, given: list[int]) -> int:
        """How many samples one run of an operator can take, as its batch."""
        tensors = self.graph.main.tensors
        if not given or not side_by_side(self.graph, op, given):
            return 1
        each = sum(tensors[i].nbytes for i in (*given, *op.outputs))
        groups = -(-self._count // max(1, RUN_BYTES // max(each, 1)))
        return -(-self._count // groups)


def side_by_side(graph: Graph, op: OpView, given: Iterable[int]) -> bool:
    """Whether an operator treats the first dimension as a batch.

    Args:
        graph: The model.
        op: One of its operators.
        given: Its inputs that are no constants.
    """
    tensors = graph.main.tensors
    flowing = [tensors[i].shape for i in (*given, *op.outputs)]
    if any(len(shape) < 2 or shape[0] != 1 for shape in flowing):
        return False
    if op.op in ARITHMETIC:
        shapes = [tensors[i].shape for i in op.inputs]
        return len({len(shape) for shape in flowing}) == 1 and all(
            len(shape) < len(flowing[0]) or shape[0] == 1 for shape in shapes
        )
    if op.op in _ALONG:
        place, first = _ALONG[op.op]
        moved = tensors[op.inputs[place]]
        return moved.is_constant and first(graph.constant(moved), len(flowing[0]))
    if op.op == "CONCATENATION":
        return op.options["axis"] not in {0, -len(flowing[0])}
    return op.op in _EACH


def samples_within(graph: Graph, budget: int = BUDGET_BYTES) -> int:
    """Return how many samples can walk side by side within a budget of bytes, at least 1."""
    last, alive, most = _last_uses(graph), 0, 1
    size = {tensor.index: tensor.nbytes for tensor in graph.main.tensors}
    alive = sum(size[i] for i in graph.main.inputs)
    for op in graph.ops:
        alive += sum(size[i] for i in op.outputs)
        most = max(most, alive)
        ends = {i for i in {*op.inputs, *op.outputs} - {-1} if last.get(i) == op.index}
        alive -= sum(size[i] for i in ends if not graph.main.tensors[i].is_constant)
    return max(1, budget // most)


def batches(samples: Iterable[dict[str, Array]], size: int) -> Iterator[list[dict[str, Array]]]:
    """Group samples into lists of at most `size`."""
    group: list[dict[str, Array]] = []
    for sample in samples:
        group.append(sample)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _last_uses(graph: Graph) -> dict[int, int]:
    """Number of the operator after which a tensor is no longer needed."""
    last = {index: op.index for op in graph.ops for index in (*op.outputs, *op.inputs)}
    return last | dict.fromkeys(graph.main.outputs, len(graph.ops))
