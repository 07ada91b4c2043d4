"""Damage files: bytes, texts, archives and tables; from a seed, so that a case comes again."""

import io
import random
import signal
import struct
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from edgekit.errors import EdgekitError, InputError
from edgekit.flatbuffer import Table, pack, read_model

WORDS = (0, 1, 2, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 4)
NUMBERS = (0, 1, -1, 2, 7, 127, -128, 1000, 2**31 - 1, -(2**31))
TEXTS = ("", "x", "[/red]", "[bold", "\x00", "\x1b[31m", "é" * 300, "../..", "%s{0}", "a\nb")


class TooSlow(BaseException):
    """A case ran past its time; no `except Exception` may hide that."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """End what runs inside when its time is over."""

    def late(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 (as signal wants)
        raise TooSlow

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def complaint(function: Callable[[], object], limit_s: float = 20) -> str:
    """Say what is wrong with how a function ends; empty if it is fine.

    Fine is to succeed, or to raise an EdgekitError with an exit code from 2 to 7.
    """
    try:
        with within(limit_s):
            function()
    except EdgekitError as error:
        told = 2 <= error.exit_code <= 7 and str(error)
        return "" if told else f"exit code {error.exit_code}: {error}"
    except TooSlow:
        return f"did not end within {limit_s:g} s"
    except Exception as error:  # noqa: BLE001 (this is what must not come)
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {where.filename}:{where.lineno}: {error}"
    return ""


def damage(content: bytes, rng: random.Random) -> bytes:
    """Change some bytes, most of them near the ends, where the structure is."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        if data:
            rng.choice(_DAMAGES)(data, _place(len(data), rng), rng)
    return bytes(data)


def _place(size: int, rng: random.Random) -> int:
    share = rng.choice((rng.random(), rng.random() ** 4, 1 - rng.random() ** 4))
    return min(int(size * share), size - 1)


def _flip(data: bytearray, place: int, rng: random.Random) -> None:
    data[place] ^= 1 << rng.randrange(8)


def _word(data: bytearray, place: int, rng: random.Random) -> None:
    place -= place % 4
    data[place : place + 4] = struct.pack("<I", rng.choice(WORDS))


def _noise(data: bytearray, place: int, rng: random.Random) -> None:
    data[place : place + 8] = rng.randbytes(rng.randrange(1, 9))


def _cut(data: bytearray, place: int, rng: random.Random) -> None:
    del data[place : place + rng.choice((1, 4, 100, len(data)))]


def _repeat(data: bytearray, place: int, rng: random.Random) -> None:
    data[place:place] = data[place : place + rng.choice((1, 4, 64))]


def _clear(data: bytearray, place: int, rng: random.Random) -> None:
    count = min(rng.choice((4, 32, 256)), len(data) - place)
    data[place : place + count] = bytes(count)


_DAMAGES = (_flip, _flip, _word, _word, _noise, _cut, _repeat, _clear)


def damage_text(content: bytes, rng: random.Random) -> bytes:
    """Change a text: values of other types, lost or doubled lines, single characters."""
    lines = content.decode().splitlines()
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        key, equals, value = lines[at].partition("=")
        others = ("-1", "0", "1e999", "nan", "true", '""', "[]", "{}", "9" * 5000, "1979-05-27")
        change = rng.randrange(6)
        if change == 0 and equals:
            lines[at] = f"{key}= {rng.choice(others)}"
        elif change == 1:
            del lines[at]
        elif change == 2:
            lines.insert(at, rng.choice(lines))
        elif change == 3 and equals:
            lines[at] = f"{key}x ={value}"
        else:
            lines[at] = damage(lines[at].encode(), rng).decode("latin-1")
        lines = lines or [""]
    encoding = rng.choice(("utf-8", "utf-8", "utf-8", "latin-1", "utf-16"))
    return "\n".join(lines).encode(encoding, errors="replace")


def damage_zip(content: bytes, rng: random.Random) -> bytes:
    """Change one member of an archive, or the archive itself."""
    if rng.random() < 0.3:
        return damage(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    if rng.random() < 0.1:
        del members[name]
    elif name.endswith(".json"):
        members[name] = damage_json(members[name], rng)
    else:
        members[name] = damage(members[name], rng)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    return packed.getvalue()


def damage_h5(content: bytes, rng: random.Random) -> bytes:
    """Change the description of the model in an HDF5 file, or the file itself."""
    import h5py

    if rng.random() < 0.5:
        return damage(content, rng)
    changed = io.BytesIO(content)
    with h5py.File(changed, "r+") as file:
        config = file.attrs["model_config"]
        text = config if isinstance(config, bytes) else config.encode()
        file.attrs["model_config"] = np.bytes_(damage_json(text, rng))
    return changed.getvalue()


def damage_json(content: bytes, rng: random.Random) -> bytes:
    """Change a number, a name or a constant of a JSON document, or its bytes."""
    text = content.decode()
    swaps = [("true", "false"), ("null", "[]"), ('"float32"', '"int4"'), ("Conv2D", "Conv9D")]
    swaps += [(str(digit), rng.choice(("-1", "0", "9999", "1.5"))) for digit in range(1, 9)]
    swaps += [('"name"', '"nome"'), ("[", "{"), ('"class_name"', '"module"'), ("keras", "os")]
    found = [pair for pair in swaps if pair[0] in text]
    if not found or rng.random() < 0.2:
        return damage(content, rng)
    wanted, instead = rng.choice(found)
    places = [at for at in range(len(text)) if text.startswith(wanted, at)]
    at = rng.choice(places)
    return (text[:at] + instead + text[at + len(wanted) :]).encode()


def damage_tables(content: bytes, rng: random.Random) -> bytes:
    """Give one field of a .tflite file's tables a value that it should not have."""
    model = read_model(content).model
    for _ in range(rng.choice((1, 1, 2, 3))):
        table = rng.choice(list(_tables(model)))
        fields = [name for name in vars(table) if not name.startswith("table_")]
        if fields:
            name = rng.choice(fields)
            table.__dict__[name] = _other(vars(table)[name], rng)
    try:
        return pack(model)
    except (InputError, ValueError, TypeError, OverflowError, struct.error):
        return damage(content, rng)  # such a file cannot be written


def _tables(table: Table) -> Iterator[Table]:
    yield table
    for value in vars(table).values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Table):
                yield from _tables(each)


def _other(value: Any, rng: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice(NUMBERS)
    if isinstance(value, float):
        return rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e-45))
    if isinstance(value, str):
        return rng.choice(TEXTS)
    if isinstance(value, list):
        return rng.choice(([], value + value, value[:-1], value[::-1]))
    return _other_numbers(value, rng) if isinstance(value, np.ndarray) else None


def _other_numbers(value: Any, rng: random.Random) -> Any:
    if not value.size or rng.random() < 0.3:
        return rng.choice((None, value[:0], value[:-1], np.concatenate([value, value])))
    changed = value.copy()
    limits = np.iinfo(value.dtype) if value.dtype.kind in "iu" else None
    number = rng.choice(NUMBERS) if limits else rng.choice((0.0, -1.0, float("nan"), 1e30))
    changed[rng.randrange(value.size)] = (
        min(max(number, limits.min), limits.max) if limits else number
    )
    return changed
