"""The tables of the .tflite format, learned from the generated code of the `tflite` package.

That package has readers and builder functions but no objects. What a table holds is
found by calling its builder functions on a recorder (slot, kind, default) and its
readers on a pretended table (element types, strings, tables, unions), once a table.
"""

import functools
import importlib
import re
from dataclasses import dataclass, replace
from typing import Any

import flatbuffers.number_types as numbers
import numpy as np

from edgekit.flatbuffer import written

# Union field -> the enum whose members name the tables it may hold.
UNIONS = {
    "array_indices": "SparseIndexVector",
    "array_segments": "SparseIndexVector",
    "builtin_options": "BuiltinOptions",
    "builtin_options2": "BuiltinOptions2",
    "details": "QuantizationDetails",
}
_NUMBERS = {
    "byte": numbers.Int8Flags,
    "ubyte": numbers.Uint8Flags,
    "int": numbers.Int32Flags,
    "uint": numbers.Uint32Flags,
    "ulong": numbers.Uint64Flags,
    "float": numbers.Float32Flags,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a table.

    Attributes:
        name: As in the schema, e.g. `stride_w`.
        slot: Its place in the vtable.
        kind: `scalar`, `string`, `table`, `union`, `scalars`, `strings` or `tables`.
        flags: flatbuffers' number type of a scalar or of the elements; None elsewhere.
        default: Value where the field is absent.
        table: Name of the table that it holds, or of the enum of a union.
    """

    name: str
    slot: int
    kind: str
    flags: Any = None
    default: Any = None
    table: str = ""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements of `scalars`."""
        form: str = self.flags.packer_type.format
        return np.dtype(form)


@dataclass(frozen=True, slots=True)
class Schema:
    """What one table holds.

    Attributes:
        name: Name of the table, e.g. `Conv2DOptions`.
        fields: Its fields in the order of their slots.
        defaults: Value of every field where it is absent; the tag of a union is no field.
        slots: Number of slots.
    """

    name: str
    fields: tuple[Field, ...]
    defaults: dict[str, Any]
    slots: int


@functools.cache
def schema(table: str) -> Schema:
    """What one table holds, e.g. `Tensor`, or `TensorMetadata` of the standard metadata."""
    if table in _written():
        return _spell_out(table, _written()[table])
    module = importlib.import_module(f"tflite.{table}")
    prefix = f"{table}Add"
    names = [name.removeprefix(prefix) for name in vars(module) if name.startswith(prefix)]
    fields = [_learn(module, table, name) for name in names]
    taken = {field.slot for field in fields}
    fields += [
        replace(_spell_field(name, slot, kind), default=default)
        for name, slot, kind, default in written.LATER_FIELDS.get(table, [])
        if slot not in taken
    ]
    tags = {f"{field.name}_type" for field in fields if field.kind == "union"}
    kept = tuple(sorted((f for f in fields if f.name not in tags), key=lambda f: f.slot))
    return Schema(
        table,
        kept,
        {f.name: f.default for f in kept},
        max((f.slot for f in fields), default=-1) + 1,
    )


@functools.cache
def enum_names(enum: str) -> dict[int, str]:
    """Names of the values of an enum, e.g. `Padding` -> {0: 'SAME', 1: 'VALID'}."""
    if enum in written.UNIONS:
        return written.UNIONS[enum]
    values = vars(getattr(importlib.import_module(f"tflite.{enum}"), enum))
    known = {value: name for name, value in values.items() if isinstance(value, int)}
    return written.LATER_VALUES.get(enum, {}) | known


@functools.cache
def enum_values(enum: str) -> dict[str, int]:
    """Values of an enum by name."""
    return {name: value for value, name in enum_names(enum).items()}


def snake(camel: str) -> str:
    """Turn the generated name into the schema's: `DilationWFactor` -> `dilation_w_factor`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", camel).lower()


class _Recorder:
    """A builder that only notes the last call."""

    def __init__(self) -> None:
        self.method = ""
        self.arguments: tuple[Any, ...] = ()

    def __getattr__(self, method: str) -> Any:
        def note(*arguments: Any) -> None:
            self.method, self.arguments = method, arguments

        return note


class _Pretended:
    """A table where every field is present; it notes how its reader goes on."""

    Pos = 0
    Bytes = bytearray(16)

    def __init__(self) -> None:
        self.found = ""
        self.flags: Any = None

    def __getattr__(self, method: str) -> Any:
        def note(*arguments: Any) -> int:
            if method == "Get":
                self.flags = arguments[0]
            if method in {"Get", "Indirect", "String", "Union"}:
                self.found = method
            return 4

        return note


def _learn(module: Any, table: str, camel: str) -> Field:
    """Learn one field from its builder function and its reader."""
    recorder = _Recorder()
    getattr(module, f"{table}Add{camel}")(recorder, 1)
    slot, _, default = recorder.arguments
    name = snake(camel)
    number = recorder.method.removeprefix("Prepend").removesuffix("Slot")
    if number != "UOffsetTRelative":
        return Field(name, slot, "scalar", getattr(numbers, f"{number}Flags"), default)
    reader_class = getattr(module, table)
    reader = reader_class()
    reader._tab = pretended = _Pretended()  # noqa: SLF001 (the one attribute of generated readers)
    many = hasattr(reader_class, f"{camel}Length")
    value = getattr(reader, camel)(*([0] if many else []))
    plural = "s" if many else ""
    if pretended.found == "Get":
        return Field(name, slot, "scalars", pretended.flags)
    if pretended.found == "String":
        return Field(name, slot, "string" + plural)
    if pretended.found == "Union":
        return Field(name, slot, "union", table=UNIONS[name])
    return Field(name, slot, "table" + plural, table=type(value).__name__)


@functools.cache
def _written() -> dict[str, str]:
    """Fields of each table of the standard metadata, as they are written down."""
    lines = (line.partition(":") for line in written.TABLES.split("\n") if line)
    return {table: fields for table, _, fields in lines}


def _spell_out(table: str, line: str) -> Schema:
    """Turn a written line into a schema."""
    fields: list[Field] = []
    slot = 0
    for entry in line.split():
        name, _, kind = entry.partition(":")
        slot += kind in written.UNIONS
        fields.append(_spell_field(name, slot, kind))
        slot += 1
    return Schema(table, tuple(fields), {f.name: f.default for f in fields}, slot)


def _spell_field(name: str, slot: int, kind: str) -> Field:
    element = kind.strip("[]")
    plural = "s" if kind.startswith("[") else ""
    if element in _NUMBERS:
        default = None if plural else 0
        return Field(name, slot, "scalar" + plural, _NUMBERS[element], default)
    if element == "string":
        return Field(name, slot, "string" + plural)
    return Field(
        name, slot, "union" if kind in written.UNIONS else "table" + plural, table=element
    )
