"""The rest of a model behind one of its operators, as a model of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from edgekit.flatbuffer.cut import cut
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.tables import Table
from edgekit_converters.quantize.chain.pair import Array, Floats
from edgekit_converters.quantize.chain.part import part
from edgekit_converters.quantize.chain.walk import Walk
from edgekit_converters.quantize.float_graph import interpreter, run


class Tail:
    """What follows an operator.

    Args:
        graph: The model.
        after: Number of that operator; -1 for the whole model.
        alive: Numbers of the tensors whose values are known by then.
    """

    def __init__(self, graph: Graph, after: int, alive: Mapping[int, Array]) -> None:
        ops = graph.ops[after + 1 :]
        self._outputs = graph.main.outputs
        read = {index for op in ops for index in op.inputs}
        self._given = sorted(index for index in alive if index in read)
        self._made = sorted({i for i in self._outputs if any(i in op.outputs for op in ops)})
        if ops and self._made:
            content = part(graph, slice(after + 1, None), self._given, self._made)
            self._model = interpreter(content, "the model", threads=2, plain=False)

    def run(self, values: Mapping[int, Array], sample: int) -> list[Array]:
        """Return the outputs of the model for one sample.

        Args:
            values: What is alive, by tensor number, samples in front.
            sample: Which one.

        Raises:
            SourceError: It does not run.
        """
        found = {i: values[i][sample] for i in self._outputs if i not in self._made}
        if self._made:
            details = self._model.get_input_details()
            for detail, index in zip(details, self._given, strict=True):
                self._model.set_tensor(detail["index"], values[index][sample])
            self._model.reset_all_variables()
            run(self._model, "the model")
            details = self._model.get_output_details()
            found |= {
                index: self._model.get_tensor(detail["index"])
                for index, detail in zip(self._made, details, strict=True)
            }
        return [found[index] for index in self._outputs]


def alone(graph: Graph, op: OpView, values: Mapping[int, Array]) -> Array:
    """Run one operator on all samples and return what it computes.

    Args:
        graph: The model.
        op: One of its operators.
        values: What it reads, by tensor number, samples in front.

    Raises:
        SourceError: It does not run.
    """
    part = Graph(cut(graph.file.model, graph.file.model.subgraphs[0].operators[op.index]))
    flowing = dict.fromkeys(i for i in op.inputs if i in values)
    inputs = [values[index] for index in flowing]
    walk = Walk(part, dict(zip(part.main.inputs, inputs, strict=True)))
    for _ in walk.steps():
        pass
    return walk.values[part.main.outputs[0]]


@contextmanager
def replaced(graph: Graph, tensor: int, values: Floats) -> Iterator[None]:
    """Let a constant of a float model have other values for a while."""
    model = graph.file.model
    table: Table = model.subgraphs[0].tensors[tensor]
    before = table.buffer
    content = np.ascontiguousarray(values, np.float32).tobytes()
    model.buffers.append(Table("Buffer", data=np.frombuffer(content, np.uint8)))
    table.buffer = len(model.buffers) - 1
    try:
        yield
    finally:
        table.buffer = before
        model.buffers.pop()
