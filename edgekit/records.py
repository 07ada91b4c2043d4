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


def to_json(value: Any) -> Any:  # noqa: ANN401 (any JSON)
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
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value


def from_json(cls: type[Record], values: Any, where: str) -> Record:  # noqa: ANN401
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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = f"{path} is not valid TOML: {error}."
        raise RecordError(msg) from error


def read_json(path: Path) -> Any:  # noqa: ANN401 (any JSON)
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


def _value(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401, PLR0911 (one return a type)
    """Check one value against its type; ints serve as floats, lists as tuples."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in {typing.Union, types.UnionType}:
        if value is None and type(None) in args:
            return None
        inner = [each for each in args if each is not type(None)]
        return _value(inner[0], value, where)
    if origin is typing.Literal:
        return _one_of(args, value, where)
    if dataclasses.is_dataclass(hint):
        return from_json(typing.cast("type[Any]", hint), value, where)
    if origin is tuple and isinstance(value, list | tuple):
        return _items(args, value, where)
    if origin is dict and isinstance(value, dict):
        return {key: _value(args[1], each, f"{where}.{key}") for key, each in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = origin or hint
    if isinstance(value, plain) and (plain is bool or not isinstance(value, bool)):
        return value
    msg = f"{where} must be {getattr(hint, '__name__', hint)}; found {_kind(value)}."
    raise RecordError(msg)


def _one_of(choices: tuple[Any, ...], value: Any, where: str) -> Any:  # noqa: ANN401
    if value in choices:
        return value
    msg = f"{where} must be one of {', '.join(map(str, choices))}; found {_kind(value)}."
    raise RecordError(msg)


def _items(args: tuple[Any, ...], value: list[Any] | tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if len(args) == 2 and args[1] is Ellipsis:  # noqa: PLR2004 (tuple[X, ...])
        return tuple(_value(args[0], each, f"{where}[{i}]") for i, each in enumerate(value))
    if len(args) != len(value):
        msg = f"{where} must have {len(args)} values; found {len(value)}."
        raise RecordError(msg)
    return tuple(_value(hint, each, where) for hint, each in zip(args, value, strict=True))
