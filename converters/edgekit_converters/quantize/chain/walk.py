"""Walk through a model operator by operator, with many samples side by side.

Each operator runs on all samples before the next one begins, so that its constants can be
changed in between and everything behind it sees the change. It runs in the interpreter's
own kernel: what is measured is what a device computes.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.flatbuffer.cut import cut
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit_converters.quantize.float_graph import interpreter, run

Array = NDArray[Any]
BUDGET_BYTES = 512 * 2**20  # activations that are alive at the same time


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
        table = self.graph.file.model.subgraphs[0].operators[op.index]
        made = interpreter(cut(self.graph.file.model, table), f"operator {op.op}", threads=2)
        given = list(dict.fromkeys(i for i in op.inputs if i in self.values))
        ends = [detail["index"] for detail in made.get_input_details()]
        if len(ends) != len(given):
            msg = f"Operator {op.op} reads values that nothing computes."
            raise SourceError(msg)
        outputs = made.get_output_details()
        found: list[list[Array]] = [[] for _ in outputs]
        for sample in range(self._count):
            for end, index in zip(ends, given, strict=True):
                made.set_tensor(end, self.values[index][sample])
            made.reset_all_variables()
            run(made, f"operator {op.op}")
            for rows, detail in zip(found, outputs, strict=True):
                rows.append(made.get_tensor(detail["index"]))
        for index, rows in zip(op.outputs, found, strict=True):
            self.values[index] = np.stack(rows)


def samples_within(graph: Graph, budget: int = BUDGET_BYTES) -> int:
    """Return how many samples can walk side by side within a budget of bytes, at least 1."""
    last, alive, most = _last_uses(graph), 0, 1
    size = {tensor.index: tensor.nbytes for tensor in graph.main.tensors}
    alive = sum(size[i] for i in graph.main.inputs)
    for op in graph.ops:
        alive += sum(size[i] for i in op.outputs)
        most = max(most, alive)
        ends = {i for i in (*op.inputs, *op.outputs) if last.get(i, -1) == op.index}
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
