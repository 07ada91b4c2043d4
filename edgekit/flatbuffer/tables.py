"""Objects for every table of a .tflite file: read, change, pack.

`read` turns a file into a tree of `Table`s whose attributes are the fields of the
schema; vectors of numbers are numpy views into the file, so a constant costs nothing.
`pack` writes a tree: only what it reaches, constants aligned to 16 bytes. Every offset
is checked, and what shares its parts costs as if it did not, up to a limit: a damaged or
hostile file ends in an InputError.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import flatbuffers
import numpy as np

from edgekit.errors import InputError
from edgekit.flatbuffer.schema import Field, enum_names, enum_values, schema

IDENTIFIER = b"TFL3"
ALIGNMENT = 16  # of constants; the schema demands it, kernels rely on it
MAX_BYTES = 2**31 - 1  # a flatbuffer's offsets reach no further

# First bytes -> what the file is, and what to do with it.
_MAGIC = (
    (b"version https://git-lfs", "a git-lfs pointer, not the file itself; run `git lfs pull`"),
    (b"PK\x03\x04", "a zip archive, such as a .keras file; convert it with `edgekit convert`"),
    (
        b"\x89HDF\r\n\x1a\n",
        "an HDF5 file, such as Keras' .h5; convert it with `edgekit convert`",
    ),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ", "an xz archive; unpack it first"),
    (b"\x7fELF", "a program or library"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"RIFF", "a sound or video"),
)
_WEB_PAGE = (b"<!doctype", b"<html", b"<?xml")


class Table:
    """One table of a file.

    Its attributes are the fields of the schema, e.g. `tensor.shape`; every field exists.
    Numbers and enums are numbers, strings str (undecodable bytes as surrogates), vectors
    of numbers arrays, vectors of tables lists, unions a Table; what is absent is None.
    The tag of a union is no attribute: it follows from the table.

    Args:
        kind: Name of the table in the schema, e.g. `Tensor`.
        fields: Values of fields; the others get their default.
    """

    def __init__(self, kind: str, **fields: Any) -> None:
        defaults = schema(kind).defaults
        if unknown := fields.keys() - defaults.keys():
            msg = f"{kind} has no {', '.join(sorted(unknown))}."
            raise TypeError(msg)
        self.__dict__.update(defaults)
        self.__dict__.update(fields)
        self.__dict__["table_kind"] = kind
        self.__dict__["table_later"] = False

    if TYPE_CHECKING:
        table_kind: str
        table_later: bool  # it has fields of a later schema, which are not read

        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__:
            msg = f"{self.table_kind} has no {name}."
            raise AttributeError(msg)
        self.__dict__[name] = value

    def __repr__(self) -> str:
        return f"<Table {self.table_kind}>"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A member of a union that this schema does not know; it can be seen but not packed.

    Attributes:
        enum: The union's enum, e.g. `BuiltinOptions`.
        tag: Number of the member.
    """

    enum: str
    tag: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A .tflite file, read.

    Attributes:
        name: What messages call it: its path, or `the model`.
        data: Its bytes.
        model: The root of the tree, a `Model` table.
        end: Where the flatbuffer ends; an archive of associated files may follow.
        far: Numbers of the buffers whose data stand behind the flatbuffer.
    """

    name: str
    data: bytes
    model: Table
    end: int
    far: frozenset[int] = frozenset()


def read_model(source: str | Path | bytes, name: str = "the model") -> ModelFile:
    """Read a .tflite file.

    Args:
        source: A path, or the bytes.
        name: What messages call it if `source` is bytes.

    Raises:
        InputError: It cannot be read, is no .tflite file, or is damaged.
    """
    if isinstance(source, bytes):
        data = source
    else:
        data, name = _read_bytes(Path(source)), str(source)
    return read(data, name)


def read(data: bytes, name: str = "the model") -> ModelFile:
    """Read the bytes of a .tflite file; see `read_model`."""
    if data[4:8] != IDENTIFIER:
        msg = f"{name} is not a .tflite file: it is {_recognise(data)}."
        raise InputError(msg)
    reader = _Reader(data, name)
    model = reader.root("Model")
    far = _fetch_far_data(model, reader)
    return ModelFile(name=name, data=data, model=model, end=reader.end, far=far)


def read_tables(data: bytes, kind: str, identifier: bytes, name: str) -> Table:
    """Read a flatbuffer of another format than .tflite.

    Args:
        data: Its bytes.
        kind: Name of its root table, e.g. `ModelMetadata`.
        identifier: Its bytes 4 to 8.
        name: What messages call it.

    Raises:
        InputError: It is something else, or damaged.
    """
    if data[4:8] != identifier:
        msg = f"{name} has the identifier {data[4:8]!r}; {identifier!r} was expected."
        raise InputError(msg)
    return _Reader(data, name).root(kind)


def pack(root: Table, identifier: bytes = IDENTIFIER) -> bytes:
    """Write a tree of tables as a file.

    Raises:
        InputError: The file would exceed 2 GB, or holds something that this schema does not
            know and could not be written back.
    """
    buffers = getattr(root, "buffers", None) or ()
    size = sum(len(buffer.data) for buffer in buffers if buffer.data is not None)
    if size > MAX_BYTES - 2**20:
        msg = f"The model's constants take {size:,} bytes; a .tflite file can hold 2 GB."
        raise InputError(msg)
    builder = _Builder(size + size // 8 + 2**16)
    builder.Finish(_pack_table(builder, root), file_identifier=identifier)
    return bytes(builder.Output())


def text(value: str | None) -> str:
    """A string of a file as it can be printed: undecodable bytes replaced, '' for None."""
    return (value or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _read_bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            msg = f"{path} is not a file. Give the path of a .tflite file."
            raise InputError(msg)
        if path.stat().st_size > 2 * MAX_BYTES:
            msg = f"{path} has {path.stat().st_size:,} bytes; a .tflite file can hold 2 GB."
            raise InputError(msg)
        return path.read_bytes()
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}."
        raise InputError(msg) from error
    except ValueError as error:  # a path with a zero byte
        msg = f"Cannot read {str(path)!r}: {error}."
        raise InputError(msg) from error


def _recognise(data: bytes) -> str:
    """Say what a file is that is no .tflite file."""
    head = data[:256]
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    kinds = (
        (not data, "empty"),
        (head.lstrip().lower().startswith(_WEB_PAGE), "a web page, not what its link promised"),
        (len(data) < 8, f"cut off after {len(data)} bytes"),
        (
            head[:1] == b"\x08" and head[2:3] in {b"\x12", b"\x3a"},
            "a protobuf file, such as ONNX or a SavedModel's graph; convert its source",
        ),
        (not any(head), "zeros at its start; an unfinished download or copy"),
        (all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head), "a text file"),
    )
    other = f"of another kind (its bytes 4 to 8 are {head[4:8]!r}, not {IDENTIFIER!r})"
    return next((what for found, what in kinds if found), other)


class _Reader:
    """Reads tables of a flatbuffer and trusts nothing in it.

    Args:
        data: The file.
        name: What messages call it.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        self.size = len(data)
        self.end = 8
        # Sharing is legal, but a few bytes that are shared over and over are a bomb.
        self.budget = 4 * self.size + 2**20
        self.vtables: dict[int, tuple[int, tuple[int, ...]]] = {}

    def root(self, kind: str) -> Table:
        """Read the whole file."""
        self.need(0, 8)
        return self.table(self.number("<I", 0), kind)

    def fail(self, detail: str) -> NoReturn:
        msg = f"{self.name} is truncated or damaged: {detail}. Get or make the file again."
        raise InputError(msg)

    def need(self, start: int, count: int) -> None:
        """Check that bytes lie inside the file, and note that they are read."""
        stop = start + count
        if start < 0 or stop > self.size:
            detail = f"it has {self.size:,} bytes and refers to byte {max(stop, -start):,}"
            self.fail(detail)
        self.budget -= count
        if self.budget < 0:
            self.fail("its parts refer to each other over and over")
        self.end = max(self.end, stop)

    def number(self, form: str, position: int) -> Any:
        self.need(position, struct.calcsize(form))
        return struct.unpack_from(form, self.data, position)[0]

    def follow(self, position: int) -> int:
        """Where the offset at a position leads."""
        offset: int = self.number("<I", position)
        if offset == 0:
            self.fail(f"byte {position:,} refers to itself")
        return position + offset

    def vtable(self, position: int) -> tuple[int, tuple[int, ...]]:
        """Size of a table and the offsets of its fields."""
        start = position - self.number("<i", position)
        if start in self.vtables:
            return self.vtables[start]
        length = self.number("<H", start)
        self.need(start, length)
        if length < 4 or length % 2:
            self.fail(f"the table at byte {position:,} has no valid list of fields")
        size, *offsets = struct.unpack_from(f"<{length // 2 - 1}H", self.data, start + 2)
        if size < 4 or max(offsets, default=0) >= size:
            self.fail(f"the fields of the table at byte {position:,} lie outside it")
        self.vtables[start] = size, tuple(offsets)
        return self.vtables[start]

    def table(self, position: int, kind: str) -> Table:
        size, offsets = self.vtable(position)
        self.need(position, size)
        what = schema(kind)
        table = Table(kind)
        values = table.__dict__
        for field in what.fields:
            if field.slot < len(offsets) and offsets[field.slot]:
                values[field.name] = self.value(field, position, offsets)
        values["table_later"] = any(offsets[what.slots :])
        return table

    def value(self, field: Field, table: int, offsets: tuple[int, ...]) -> Any:
        position = table + offsets[field.slot]
        if field.kind == "scalar":
            return self.number("<" + field.flags.packer_type.format[-1], position)
        if field.kind == "union":
            return self.union(field, table, offsets)
        place = self.follow(position)
        if field.kind == "table":
            return self.table(place, field.table)
        return self.string(place) if field.kind == "string" else self.vector(field, place)

    def union(
        self, field: Field, table: int, offsets: tuple[int, ...]
    ) -> Table | Unknown | None:
        """Read the table of a union: its tag stands in the slot before."""
        tag_offset = offsets[field.slot - 1]
        tag = self.number("<B", table + tag_offset) if tag_offset else 0
        if tag == 0:
            return None
        kind = enum_names(field.table).get(tag)
        if kind is None:
            return Unknown(field.table, tag)
        return self.table(self.follow(table + offsets[field.slot]), kind)

    def string(self, position: int) -> str:
        length = self.number("<I", position)
        self.need(position + 4, length)
        raw = self.data[position + 4 : position + 4 + length]
        return raw.decode("utf-8", "surrogateescape")

    def vector(self, field: Field, position: int) -> Any:
        length = self.number("<I", position)
        start = position + 4
        if field.kind == "scalars":
            dtype = field.dtype
            self.need(start, length * dtype.itemsize)
            return np.frombuffer(self.data, dtype, length, start)
        self.need(start, 4 * length)
        places = (self.follow(start + 4 * i) for i in range(length))
        if field.kind == "strings":
            return [self.string(place) for place in places]
        return [self.table(place, field.table) for place in places]

    def far(self, offset: int, size: int) -> Any:
        """Data that stand behind the flatbuffer: how files above 2 GB hold their constants."""
        self.need(offset, size)
        return np.frombuffer(self.data, np.uint8, size, offset)


def _fetch_far_data(model: Table, reader: _Reader) -> frozenset[int]:
    """Take constants and options that stand behind the flatbuffer into the tree.

    Returns:
        Numbers of the buffers that stood there.
    """
    far = set()
    for number, buffer in enumerate(model.buffers or ()):
        if buffer.offset > 1:
            buffer.data = reader.far(buffer.offset, buffer.size)
            far.add(number)
        buffer.offset = buffer.size = 0
    for subgraph in model.subgraphs or ():
        for op in subgraph.operators or ():
            if op.large_custom_options_offset > 1:
                op.custom_options = reader.far(
                    op.large_custom_options_offset, op.large_custom_options_size
                )
            op.large_custom_options_offset = op.large_custom_options_size = 0
    return frozenset(far)


class _Builder(flatbuffers.Builder):  # type: ignore[misc] # flatbuffers has no types
    """A builder that knows where each vector of numbers stands.

    Equal ones are written once: the zero points of all layers of as many channels, above
    all, which are a fifth of a small quantized model.

    Attributes:
        places: Place of a vector by its type and bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.places: dict[tuple[str, bytes], int] = {}


def _pack_table(builder: Any, table: Table) -> int:
    """Write a table after everything that it refers to."""
    what = schema(table.table_kind)
    values = table.__dict__
    if table.table_later:
        _refuse_later(f"a {table.table_kind} with fields")
    places = {
        field.slot: _pack_part(builder, field, values[field.name])
        for field in what.fields
        if field.kind != "scalar" and values[field.name] is not None
    }
    builder.StartObject(what.slots)
    for field in what.fields:
        if field.kind == "scalar":
            builder.PrependSlot(field.flags, field.slot, values[field.name], field.default)
        elif field.slot in places:
            builder.PrependUOffsetTRelativeSlot(field.slot, places[field.slot], 0)
            if field.kind == "union":
                tag = enum_values(field.table)[values[field.name].table_kind]
                builder.PrependUint8Slot(field.slot - 1, tag, 0)
    place: int = builder.EndObject()
    return place


def _refuse_later(what: str) -> NoReturn:
    """Say that a part of the model cannot be written back."""
    msg = (
        f"The model holds {what} which this version of the schema does not know, so it "
        "cannot be rewritten. Update: pip install -U tflite edgekit"
    )
    raise InputError(msg)


def _pack_part(builder: Any, field: Field, value: Any) -> int:
    """Write what an offset refers to and return its place."""
    if isinstance(value, Unknown):
        _refuse_later(f"{value.enum} number {value.tag},")
    if field.kind in {"table", "union"}:
        return _pack_table(builder, value)
    if field.kind == "string":
        return _pack_string(builder, value)
    if field.kind == "scalars":
        return _pack_numbers(builder, np.ascontiguousarray(value, field.dtype))
    each = _pack_string if field.kind == "strings" else _pack_table
    places = [each(builder, item) for item in value]
    builder.StartVector(4, len(places), 4)
    for place in reversed(places):
        builder.PrependUOffsetTRelative(place)
    end: int = builder.EndVector()
    return end


def _pack_string(builder: Any, value: str) -> int:
    place: int = builder.CreateString(value.encode("utf-8", "surrogateescape"))
    return place


def _pack_numbers(builder: Any, values: Any) -> int:
    """Write a vector of numbers once; bytes are constants or options and stand alone."""
    if values.itemsize == 1:
        return _pack_vector(builder, values, ALIGNMENT)
    key = (values.dtype.str, values.tobytes())
    if key not in builder.places:
        builder.places[key] = _pack_vector(builder, values, values.itemsize)
    known: int = builder.places[key]
    return known


def _pack_vector(builder: Any, values: Any, alignment: int) -> int:
    builder.StartVector(values.itemsize, values.size, alignment)
    builder.head -= values.nbytes
    builder.Bytes[builder.head : builder.head + values.nbytes] = values.tobytes()
    place: int = builder.EndVector()
    return place
