"""The profiler inside libLiteRt.so of the ai-edge-litert package, read through ctypes.

No Python interface leads there, and nothing of it is documented: names of options, layout
of events. So it is only touched in a guarded child, and `probe` runs a model of a known
operator first; what does not answer as expected is refused, and the caller has another way.
"""

import ctypes
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError, MissingExtra

XNNPACK, BUILTIN, RUNTIME = 8, 2, 1  # types of events: who tells
INVOKE = "Invoke"
_FIRST = "LiteRT::Run[buffer registration]"  # the event that every run begins with
_CPU = 1
_WRITE = 1
_MOST_EVENTS = 10_000  # kept at a time
_LONGEST_TAG = 200
_LIBRARIES = {"darwin": "libLiteRt.dylib", "win32": "libLiteRt.dll"}


@dataclass(frozen=True, slots=True)
class Event:
    """What the profiler tells of one stretch of time.

    Attributes:
        tag: Kernel or operator.
        kind: Who tells: `XNNPACK`, `BUILTIN` or `RUNTIME`.
        us: Whole microseconds; XNNPACK cuts off the rest.
        number: Of a `BUILTIN` the operator of the model; of an `XNNPACK` its place in the
            partition.
    """

    tag: str
    kind: int
    us: int
    number: int


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int32),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory_before", ctypes.c_int64 * 3),
        ("memory_after", ctypes.c_int64 * 3),
        ("number", ctypes.c_uint64),
        ("number_2", ctypes.c_uint64),
        ("source", ctypes.c_int32),
    )


class _TensorType(ctypes.Structure):
    _fields_ = (
        ("element", ctypes.c_int32),
        ("rank", ctypes.c_uint32),
        ("sizes", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
        ("reserve", ctypes.c_uint8 * 128),
    )


def library() -> Path:
    """Where the library of the installed package is.

    Raises:
        MissingExtra: ai-edge-litert is not installed, or brings no such library.
    """
    found = importlib.util.find_spec("ai_edge_litert")
    name = _LIBRARIES.get(sys.platform, "libLiteRt.so")
    places = found.submodule_search_locations if found else None
    path = Path(next(iter(places or ()), ""), name)
    if found is None or not path.is_file():
        msg = "ai-edge-litert with its profiler is not installed."
        raise MissingExtra(msg)
    return path


class Profiler:
    """A compiled model whose runs tell what they spend their time on.

    Args:
        path: A `.tflite` file.
        threads: Threads of the CPU kernels.
        values: What goes in, in the order of the model's inputs.

    Raises:
        MissingExtra: There is no profiler.
        InputError: It does not take this model.
    """

    def __init__(self, path: Path, *, threads: int, values: Sequence[NDArray[Any]]) -> None:
        # Nothing is given back: the process ends after one model.
        self._call = _Library(library())
        self._kept: list[Any] = []
        self._environment = self._made("CreateEnvironment", ctypes.c_int(0), None)
        self._model = self._made("CreateModelFromFile", self._environment, str(path).encode())
        self._compiled = self._made(
            "CreateCompiledModel", self._environment, self._model, self._options(threads)
        )
        self._graph = self._made("GetModelSubgraph", self._model, ctypes.c_size_t(0))
        self._inputs = self._buffers("Input")
        self._outputs = self._buffers("Output")
        if len(values) != len(self._inputs):
            msg = f"{path} has {len(self._inputs)} inputs; found values for {len(values)}."
            raise InputError(msg)
        for buffer, value in zip(self._inputs, values, strict=True):
            self._fill(buffer, value)
        self.run()
        self._profiler = self._made("CompiledModelGetProfiler", self._compiled)
        if self._profiler.value is None:
            msg = "This build of libLiteRt has no profiler."
            raise MissingExtra(msg)

    def run(self) -> None:
        """Run the model once."""
        self._call(
            "RunCompiledModel",
            self._compiled,
            ctypes.c_size_t(0),
            ctypes.c_size_t(len(self._inputs)),
            self._inputs,
            ctypes.c_size_t(len(self._outputs)),
            self._outputs,
        )

    def profiled(self, runs: int) -> list[list[Event]]:
        """Run several times and return the events of each run."""
        found: list[list[Event]] = []
        while len(found) < runs:
            size = len(found[0]) if found else _MOST_EVENTS
            found += self._burst(min(runs - len(found), max(1, _MOST_EVENTS // size)))
        return found

    def _burst(self, runs: int) -> list[list[Event]]:
        self._call("ResetProfiler", self._profiler)
        self._call("StartProfiler", self._profiler)
        for _ in range(runs):
            self.run()
        self._call("StopProfiler", self._profiler)
        found = list(by_run(self._events()))
        if len(found) != runs:
            msg = f"The profiler tells of {len(found)} runs instead of {runs}."
            raise InputError(msg)
        return found

    def _events(self) -> Iterator[Event]:
        count = ctypes.c_int()
        self._call("GetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (_Event * max(count.value, 1))()
        self._call("GetProfilerEvents", self._profiler, count, events)
        for each in events[: count.value]:
            yield Event(
                (each.tag or b"")[:_LONGEST_TAG].decode(errors="replace"),
                each.kind,
                each.elapsed_us,
                each.number,
            )

    def _options(self, threads: int) -> ctypes.c_void_p:
        options = self._made("CreateOptions")
        self._call("SetOptionsHardwareAccelerators", options, ctypes.c_int(_CPU))
        for name, text in (
            ("runtime_options_string", "enable_profiling = true\n"),
            ("xnnpack", f"num_threads = {threads}\n"),
        ):
            content = ctypes.create_string_buffer(text.encode())
            nothing = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
            self._kept += [content, nothing]
            made = self._made(
                "CreateOpaqueOptions",
                name.encode(),
                ctypes.cast(content, ctypes.c_void_p),
                nothing,
            )
            self._call("AddOpaqueOptions", options, made)
        return options

    def _buffers(self, side: str) -> Any:
        """Make the buffers of all inputs, or of all outputs."""
        count = ctypes.c_size_t()
        self._call(f"GetNumSubgraph{side}s", self._graph, ctypes.byref(count))
        return (ctypes.c_void_p * count.value)(
            *(self._buffer(side, ctypes.c_size_t(place)) for place in range(count.value))
        )

    def _buffer(self, side: str, place: ctypes.c_size_t) -> int | None:
        tensor = self._made(f"GetSubgraph{side}", self._graph, place)
        kind = _TensorType()
        self._call("GetRankedTensorType", tensor, ctypes.byref(kind))
        for axis, size in enumerate(kind.sizes):
            kind.sizes[axis] = 1 if size < 0 else size
        asked = self._made(
            f"GetCompiledModel{side}BufferRequirements",
            self._compiled,
            ctypes.c_size_t(0),
            place,
        )
        return self._made(
            "CreateManagedTensorBufferFromRequirements",
            self._environment,
            ctypes.byref(kind),
            asked,
        ).value

    def _fill(self, buffer: int, value: NDArray[Any]) -> None:
        handle, room = ctypes.c_void_p(buffer), ctypes.c_size_t()
        self._call("GetTensorBufferPackedSize", handle, ctypes.byref(room))
        if value.nbytes > room.value:
            msg = f"An input has room for {room.value} bytes; found {value.nbytes}."
            raise InputError(msg)
        place = ctypes.c_void_p()
        self._call("LockTensorBuffer", handle, ctypes.byref(place), ctypes.c_int(_WRITE))
        ctypes.memmove(place, np.ascontiguousarray(value).tobytes(), value.nbytes)
        self._call("UnlockTensorBuffer", handle)

    def _made(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Call a function whose last argument is where its result goes."""
        made = ctypes.c_void_p()
        self._call(name, *arguments, ctypes.byref(made))
        return made


class _Library:
    """The functions of the library: each returns 0, or the number of an error."""

    def __init__(self, path: Path) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            msg = f"{path.name} does not load: {error}."
            raise MissingExtra(msg) from error

    def __call__(self, name: str, *arguments: Any) -> None:
        try:
            function = getattr(self._library, f"LiteRt{name}")
        except AttributeError as error:
            msg = f"This build of libLiteRt has no LiteRt{name}."
            raise MissingExtra(msg) from error
        status = function(*arguments)
        if status:
            msg = f"LiteRt{name} failed with status {status}."
            raise InputError(msg)


def by_run(events: Iterator[Event]) -> Iterator[list[Event]]:
    """Divide events into those of each run.

    Raises:
        InputError: Something was told before the first run began.
    """
    run: list[Event] = []
    for each in events:
        if each.tag == _FIRST and each.kind == RUNTIME:
            if run:
                yield run
            run = [each]
        elif run:
            run.append(each)
        else:
            msg = f"The profiler begins with {each.tag!r} instead of {_FIRST!r}."
            raise InputError(msg)
    if run:
        yield run
