"""Records: frozen dataclasses that are read from and written to JSON and TOML.

The types of the fields are the schema. A record says of a wrong value which field it
is, what was found there and what belongs there.
"""

import dataclasses
import json
import math
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from edgekit.errors import RecordError

Record = TypeVar("Record")


def to_json(value: Any) -> Any:
    """Turn a record, with all that it holds, into plain JSON values.

    Paths become strings, tuples lists; a float that is not finite becomes None,
    because JSON has no such number.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def from_json(cls: type[Record], values: Any, where: str) -> Record:
    """Build a record from plain values and check every field.

    Args:
        cls: The dataclass.
        values: What JSON or TOML gave.
        where: What is read, for messages, e.g. the path of the file.

    Raises:
        RecordError: A field is missing, unknown or of the wrong type.
    """
    if not isinstance(values, dict):
        msg = f"{where} must be a table of fields; found {_kind(values)}."
        raise RecordError(msg)
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type] # a dataclass by contract
    if unknown := sorted(values.keys() - known.keys()):
        msg = f"{where} has unknown {', '.join(unknown)}. Known: {', '.join(known)}."
        raise RecordError(msg)
    missing = [f.name for f in known.values() if f.name not in values and _required(f)]
    if missing:
        msg = f"{where} lacks {', '.join(missing)}."
        raise RecordError(msg)
    return cls(**{k: _value(hints[k], v, f"{where}: {k}") for k, v in values.items()})


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        RecordError: There is no such file, or it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}."
        raise RecordError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not valid TOML: {error}."
        raise RecordError(msg) from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        RecordError: There is no such file, or it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}."
        raise RecordError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not valid JSON: {error}."
        raise RecordError(msg) from error


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _kind(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"


def _value(hint: Any, value: Any, where: str) -> Any:
    """Check one value against its type; ints serve as floats, lists as tuples."""
    if hint is Any:
        return value
    origin = typing.get_origin(hint)
    if origin is not None:
        return _CHECKS[origin](typing.get_args(hint), value, where)
    if dataclasses.is_dataclass(hint):
        return from_json(typing.cast("type[Any]", hint), value, where)
    if isinstance(value, bool) and hint is not bool:
        raise _wrong(where, value, hint.__name__)
    if hint is float and isinstance(value, int | float):
        return _finite(value, where)
    if not isinstance(value, hint):
        raise _wrong(where, value, hint.__name__)
    return value


def _finite(value: float, where: str) -> float:
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if not math.isfinite(real):
        raise _wrong(where, value, "a finite number")
    return real


def _wrong(where: str, value: object, wanted: str) -> RecordError:
    return RecordError(f"{where} must be {wanted}; found {_kind(value)}.")


def _optional(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in args:
        return None
    return _value(args[0], value, where)


def _one_of(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in args:
        raise _wrong(where, value, f"one of {', '.join(map(str, args))}")
    return value


def _mapping(args: tuple[Any, ...], value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, value, "a table")
    return {key: _value(args[1], each, f"{where}.{key}") for key, each in value.items()}


def _items(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(where, value, "a list")
    hints = args[:1] * len(value) if args[-1] is Ellipsis else args
    if len(hints) != len(value):
        raise _wrong(where, value, f"a list of {len(hints)} values")
    return tuple(
        _value(hint, each, f"{where}[{i}]")
        for i, (hint, each) in enumerate(zip(hints, value, strict=True))
    )


_CHECKS = {
    dict: _mapping,
    tuple: _items,
    types.UnionType: _optional,
    typing.Literal: _one_of,
    typing.Union: _optional,
}
