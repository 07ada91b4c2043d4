"""What a compiled file holds, read without any of Google's tools.

The custom operator of a `*_edgetpu.tflite` carries a flatbuffer, the package: which runtime
it needs at least, and one or two executables with their instructions and parameters. With
two, the parameters of the first are cached on the chip and those of the second are streamed
with each run. Numbers of fields follow executable/executable.fbs of
github.com/google-coral/libedgetpu.
"""

import struct
from dataclasses import dataclass
from typing import Literal, NoReturn

from edgekit.errors import InputError
from edgekit.flatbuffer import Graph, OpView
from edgekit.placement.edgetpu.prediction import COMPILED

_MAGIC = b"DWN1"  # stands 4 bytes after the package begins
_MOST = 4096  # executables, layers or bitstreams; no package comes near
_KINDS = ("stand-alone", "caching", "execution")

Kind = Literal["stand-alone", "caching", "execution"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An input or output of what was compiled.

    Attributes:
        name: Name of its tensor.
        shape: Height, width and depth.
        bytes: Its size with padding.
    """

    name: str
    shape: tuple[int, int, int]
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """One program for the Edge TPU.

    Attributes:
        kind: `caching` loads parameters once, `execution` runs with them, `stand-alone`
            does without that.
        parameter_bytes: Parameters that it carries.
        instruction_bytes: Its instructions.
        scratch_bytes: Memory of the host that it needs.
        chip: What it was compiled for.
        inputs: What goes in.
        outputs: What comes out.
    """

    kind: Kind
    parameter_bytes: int
    instruction_bytes: int
    scratch_bytes: int
    chip: str
    inputs: tuple[Layer, ...]
    outputs: tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What one custom operator carries.

    Attributes:
        op: Number of the operator.
        min_runtime: Lowest version of the Edge TPU runtime that runs it.
        compiler: The compiler's name for its version; '' where it left none.
        executables: Its programs.
    """

    op: int
    min_runtime: int
    compiler: str
    executables: tuple[Executable, ...]

    @property
    def cached_bytes(self) -> int:
        """Parameters that are loaded once and stay on the chip."""
        return sum(e.parameter_bytes for e in self.executables if e.kind == "caching")

    @property
    def streamed_bytes(self) -> int:
        """Parameters that are sent to the chip with each run."""
        return sum(e.parameter_bytes for e in self.executables if e.kind != "caching")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What a compiled file holds.

    Attributes:
        min_runtime: Lowest version of the Edge TPU runtime that runs it.
        compiler: The compiler's name for its version; '' where it left none.
        chip: What it was compiled for.
        cached_bytes: Parameters that stay on the chip.
        streamed_bytes: Parameters that are sent to it with each run.
        instruction_bytes: Instructions of all programs.
        packages: What each custom operator carries.
        cpu_ops: Operators left on the CPU: number and kind.
    """

    min_runtime: int
    compiler: str
    chip: str
    cached_bytes: int
    streamed_bytes: int
    instruction_bytes: int
    packages: tuple[Package, ...]
    cpu_ops: tuple[tuple[int, str], ...]


def read_compiled(graph: Graph) -> Compiled | None:
    """Read what the compiler put into a file; None if it is no compiled file.

    Raises:
        InputError: What a custom operator carries is damaged.
    """
    packages = tuple(
        read_package(graph.custom_options(op), op, graph.file.name)
        for op in graph.ops
        if op.custom_code == COMPILED
    )
    if not packages:
        return None
    executables = [each for package in packages for each in package.executables]
    return Compiled(
        min_runtime=max(package.min_runtime for package in packages),
        compiler=next((package.compiler for package in packages if package.compiler), ""),
        chip=next((each.chip for each in executables if each.chip), ""),
        cached_bytes=sum(package.cached_bytes for package in packages),
        streamed_bytes=sum(package.streamed_bytes for package in packages),
        instruction_bytes=sum(each.instruction_bytes for each in executables),
        packages=packages,
        cpu_ops=tuple(
            (op.index, op.custom_code or op.op)
            for op in graph.ops
            if op.custom_code != COMPILED
        ),
    )


def read_package(content: bytes, op: OpView, name: str) -> Package:
    """Read what one custom operator carries.

    Args:
        content: Its custom options.
        op: The operator.
        name: The file, for messages.

    Raises:
        InputError: It is damaged.
    """
    where = f"{name}, operator {op.index}"
    start = content.find(_MAGIC) - 4
    if start < 0:
        _fail(where, "its custom operator carries no package of the Edge TPU compiler")
    try:
        return _package(content[start:], op.index, where)
    except (struct.error, IndexError) as error:
        _fail(where, "its package for the Edge TPU ends too early", error)


def _fail(where: str, what: str, cause: Exception | None = None) -> NoReturn:
    msg = f"{where}: {what}. Get the file again, or compile the original again."
    raise InputError(msg) from cause


def _package(data: bytes, op: int, where: str) -> Package:
    table = _root(data)
    inner = _root(table.blob(1))
    programs = inner.byte_vectors(0)
    if not programs:
        _fail(where, "its package for the Edge TPU holds no program")
    return Package(
        op=op,
        min_runtime=table.integer(0),
        compiler=table.text(4),
        executables=tuple(_executable(_root(each), where) for each in programs),
    )


def _executable(table: "_Table", where: str) -> Executable:
    kind = table.integer(13, "<h")
    if not 0 <= kind < len(_KINDS):
        _fail(where, f"its package has a program of the unknown kind {kind}")
    return Executable(
        kind=_KINDS[kind],  # type: ignore[arg-type] # a tuple of its values
        parameter_bytes=len(table.blob(6)),
        instruction_bytes=sum(len(each.blob(0)) for each in table.tables(5)),
        scratch_bytes=table.integer(4),
        chip=table.text(10),
        inputs=tuple(_layer(each) for each in table.tables(8)),
        outputs=tuple(_layer(each) for each in table.tables(9)),
    )


def _layer(table: "_Table") -> Layer:
    return Layer(
        name=table.text(0),
        shape=(table.integer(2), table.integer(3), table.integer(4)),
        bytes=table.integer(1),
    )


class _Table:
    """A table of a flatbuffer; whatever points outside its bytes raises IndexError.

    Args:
        data: The whole flatbuffer.
        position: Where the table stands in it.
    """

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position
        self._fields = position - self._read("<i", position)
        self._size = self._read("<H", self._fields)

    def integer(self, field: int, form: str = "<i") -> int:
        """A number; 0 where it is absent."""
        place = self._place(field)
        return self._read(form, place) if place else 0

    def blob(self, field: int) -> bytes:
        """A vector of bytes; empty where it is absent."""
        place = self._place(field)
        return self._vector(place) if place else b""

    def text(self, field: int) -> str:
        """A string; empty where it is absent."""
        return self.blob(field).decode(errors="replace")

    def tables(self, field: int) -> "list[_Table]":
        """A vector of tables."""
        return [
            _Table(self._data, place + self._read("<I", place)) for place in self._all(field)
        ]

    def byte_vectors(self, field: int) -> "list[bytes]":
        """A vector of vectors of bytes."""
        return [self._vector(place) for place in self._all(field)]

    def _place(self, field: int) -> int:
        slot = 4 + 2 * field
        offset = self._read("<H", self._fields + slot) if slot < self._size else 0
        return self._position + offset if offset else 0

    def _all(self, field: int) -> range:
        """Places of the elements of a vector of offsets."""
        place = self._place(field)
        if not place:
            return range(0)
        start = place + self._read("<I", place)
        count = self._read("<I", start)
        if count > _MOST:
            raise IndexError(count)
        return range(start + 4, start + 4 + 4 * count, 4)

    def _vector(self, place: int) -> bytes:
        start = place + self._read("<I", place)
        length = self._read("<I", start)
        if start + 4 + length > len(self._data):
            raise IndexError(length)
        return self._data[start + 4 : start + 4 + length]

    def _read(self, form: str, place: int) -> int:
        if place < 0:
            raise IndexError(place)
        number: int = struct.unpack_from(form, self._data, place)[0]
        return number


def _root(data: bytes) -> _Table:
    return _Table(data, struct.unpack_from("<I", data, 0)[0])
