"""Small graphs of any operators, made on the spot."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.flatbuffer import Graph, Table, pack
from edgekit.flatbuffer.schema import enum_values


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor of a made graph; one with values is a constant."""

    shape: tuple[int, ...] = (1, 8, 8, 4)
    dtype: str = "int8"
    values: Any = None
    signature: tuple[int, ...] | None = None

    def table(self, name: str, buffer: int) -> Table:
        return Table(
            "Tensor",
            name=name,
            shape=np.array(self.shape, np.int32),
            shape_signature=self.signature and np.array(self.signature, np.int32),
            type=enum_values("TensorType")[self.dtype.upper()],
            buffer=buffer,
        )


@dataclass(frozen=True, kw_only=True)
class Op:
    """An operator of a made graph: names of its tensors."""

    op: str
    inputs: str
    outputs: str
    version: int = 1
    options: Table | None = None


def make_graph(ops: list[Op], **tensors: Tensor) -> Graph:
    """Make a graph; tensors that are not described are int8 of (1, 8, 8, 4)."""
    names = dict.fromkeys(name for op in ops for name in (op.inputs + " " + op.outputs).split())
    numbers = {name: i for i, name in enumerate(names)}
    described = {name: tensors.get(name, Tensor()) for name in names}
    made = {name for op in ops for name in op.outputs.split()}
    used = {name for op in ops for name in op.inputs.split()}

    def indices(found: list[str]) -> Any:
        return np.array([numbers[name] for name in found], np.int32)

    graph = Table(
        "SubGraph",
        tensors=[tensor.table(name, numbers[name] + 1) for name, tensor in described.items()],
        inputs=indices([n for n in names if n not in made and described[n].values is None]),
        outputs=indices([n for n in names if n in made and n not in used]),
        operators=[
            Table(
                "Operator",
                opcode_index=i,
                inputs=indices(op.inputs.split()),
                outputs=indices(op.outputs.split()),
                builtin_options=op.options,
            )
            for i, op in enumerate(ops)
        ],
    )
    buffers = [Table("Buffer", data=_bytes(tensor.values)) for tensor in described.values()]
    model = Table(
        "Model",
        version=3,
        operator_codes=[_code(op) for op in ops],
        subgraphs=[graph],
        buffers=[Table("Buffer"), *buffers],
    )
    return Graph(pack(model))


def _bytes(values: Any) -> Any:
    return None if values is None else np.frombuffer(np.asarray(values).tobytes(), "u1")


def _code(op: Op) -> Table:
    known = enum_values("BuiltinOperator")
    code = known.get(op.op, known["CUSTOM"])
    return Table(
        "OperatorCode",
        builtin_code=code,
        deprecated_builtin_code=min(code, 127),
        custom_code=None if op.op in known else op.op,
        version=op.version,
    )
