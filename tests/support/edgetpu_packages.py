"""Packages as the compiler makes them, made on the spot."""

import struct


def table(*fields: bytes | int | None) -> bytes:
    """Return a flatbuffer whose root is a table of 32-bit numbers and vectors of bytes."""
    slots = b""
    body = struct.pack("<i", 0)
    later: list[tuple[int, bytes]] = []
    for field in fields:
        if field is None:
            slots += struct.pack("<H", 0)
            continue
        slots += struct.pack("<H", len(body))
        if isinstance(field, int):
            body += struct.pack("<i", field)
        else:
            later.append((len(body), field))
            body += struct.pack("<I", 0)
    vtable = struct.pack("<HH", 4 + len(slots), len(body)) + slots
    vtable += bytes(-len(vtable) % 4)
    place = 8 + len(vtable)
    made = bytearray(struct.pack("<I", place) + b"DWN1" + vtable + body)
    struct.pack_into("<i", made, place, place - 8)
    for offset, content in later:
        struct.pack_into("<I", made, place + offset, len(made) - place - offset)
        made += content + bytes(-len(content) % 4)
    return bytes(made)


def blob(content: bytes) -> bytes:
    """Return a vector of bytes."""
    return struct.pack("<I", len(content)) + content


def blobs(*contents: bytes) -> bytes:
    """Return a vector of vectors of bytes."""
    made = bytearray(struct.pack("<I", len(contents)) + bytes(4 * len(contents)))
    for i, content in enumerate(contents):
        place = 4 + 4 * i
        struct.pack_into("<I", made, place, len(made) - place)
        made += blob(content) + bytes(-len(content) % 4)
    return bytes(made)


def executable(parameters: int, kind: int) -> bytes:
    """Return a program with so many bytes of parameters; 1 caches, 2 executes."""
    chip = blob(b"beagle")
    nothing = [None] * 3
    return table(
        None,
        None,
        None,
        None,
        64,
        None,
        blob(bytes(parameters)),
        *nothing,
        chip,
        *nothing[:2],
        kind,
    )


def package(*executables: bytes, runtime: int = 14) -> bytes:
    """Return custom options with a package."""
    inner = table(blobs(*executables))
    return b"\x01\x02options" + table(runtime, blob(inner), None, None, blob(b"cl/1"))
