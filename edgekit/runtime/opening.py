"""Open a `.tflite` file: find the interpreter, try the file in a child process, load it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import guard
from edgekit.errors import InputError, UsageError
from edgekit.flatbuffer import read_model
from edgekit.flatbuffer.tables import IDENTIFIER
from edgekit.runtime import delegates, problems
from edgekit.runtime.backends import AUTO, Backend, open_backend
from edgekit.runtime.model import Model, Port, TensorSpec

_MOST_THREADS = 4  # more rarely help models of this size
_PROBE_TIMEOUT_S = 120.0


def load(
    path: str | os.PathLike[str],
    *,
    backend: str = AUTO,
    threads: int | None = None,
    delegate: str | None = None,
    probe: bool = True,
    keep_state: bool = False,
) -> Model:
    """Open a `.tflite` file and make it ready to run.

    Args:
        path: The file.
        backend: `ai-edge-litert`, `tflite-runtime`, `tf.lite`, or `auto` for the first of
            them that is installed.
        threads: Threads of the CPU kernels; None for as many as there are cores, at most 4.
        delegate: `cpu`, `builtin`, `reference` or `edgetpu`, with `:usb:0` or `:pci:0` to
            choose a device; None for `cpu`.
        probe: First open the file and run it once in a child process, so that a file or a
            delegate that crashes native code becomes an error message.
        keep_state: Let what a recurrent model remembers survive from call to call, as
            streaming needs it.

    Raises:
        UnknownName: There is no such backend or delegate.
        UsageError: Fewer than one thread, or a delegate that does not exist here.
        InputError: The file is missing, damaged or no TensorFlow Lite model.
        TargetError: It needs operators that this runtime does not know.
        MissingExtra: No interpreter, or no library of the delegate, is installed.
        DeviceError: The delegate's device is not attached.
    """
    path = Path(path)
    threads = _threads(threads)
    check_file(path)
    delegates.parse(delegate)
    if probe:
        read_model(path)  # says what is damaged, where native code may only crash
        guard.call(
            "edgekit.runtime.probe:run_once",
            doing=f"trying {path.name}",
            timeout_s=_PROBE_TIMEOUT_S,
            memory_mb=_memory_mb(),
            path=str(path.resolve()),
            backend=backend,
            delegate=delegate,
            threads=threads,
        )
    package = open_backend(backend)
    with delegates.if_it_dies_here(delegate, package):
        return _open(path, package, delegate or "cpu", threads, keep_state=keep_state)


def check_file(path: Path) -> None:
    """See by its first bytes whether a file can be a TensorFlow Lite model.

    Raises:
        InputError: It is missing, unreadable or something else; the message says what.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except (OSError, ValueError):
        head = b""
    if head[4:] != IDENTIFIER:
        read_model(path)


def _threads(asked: int | None) -> int:
    if asked is None:
        return min(_MOST_THREADS, os.cpu_count() or 1)
    if asked < 1:
        msg = f"A model needs at least one thread; found {asked}."
        raise UsageError(msg)
    return asked


def _memory_mb() -> int | None:
    """Address space for a trial run: the machine's memory, or None where it is not known."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
    return max(2048, memory // 2**20)


def _open(
    path: Path, backend: Backend, delegate: str, threads: int, *, keep_state: bool
) -> Model:
    options = delegates.interpreter_options(delegate, backend)
    try:
        interpreter = backend.interpreter(model_path=str(path), num_threads=threads, **options)
        _fix_batch(interpreter, path)
        interpreter.allocate_tensors()
        interpreter.reset_all_variables()
        ports = _ports(interpreter, path)
    except problems.NATIVE as error:
        raise problems.of_model(error, path, backend) from error
    return Model(
        interpreter,
        ports,
        path=path,
        backend=backend,
        delegate=delegate,
        threads=threads,
        keep_state=keep_state,
    )


def _fix_batch(interpreter: Any, path: Path) -> None:
    """Give inputs with an open batch dimension a batch of 1.

    Raises:
        InputError: Another dimension is open.
    """
    for detail in interpreter.get_input_details():
        signature = [int(size) for size in detail["shape_signature"]]
        if -1 not in signature:
            continue
        if -1 in signature[1:] or len(signature) == 1:
            sizes = ", ".join("?" if size == -1 else str(size) for size in signature)
            msg = (
                f"{path}: input '{detail['name']}' has open sizes ({sizes}).\n"
                "Convert the model again with fixed ones: edgekit convert --input-shape"
            )
            raise InputError(msg)
        interpreter.resize_tensor_input(detail["index"], [1, *signature[1:]])


def _ports(interpreter: Any, path: Path) -> tuple[list[Port], list[Port]]:
    """Read what goes in and out, under the names of the model's signature."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    names = _signature_names(interpreter, inputs, outputs)
    return (
        _named(inputs, names[0], path),
        _named(outputs, names[1], path),
    )


def _named(details: Sequence[Any], names: Mapping[int, str], path: Path) -> list[Port]:
    ports: list[Port] = []
    seen: set[str] = set()
    for detail in details:
        name = names.get(detail["index"], detail["name"])
        while name in seen:
            name += "_"
        seen.add(name)
        ports.append(Port(detail["index"], _spec(detail, name, path)))
    return ports


def _spec(detail: Mapping[str, Any], name: str, path: Path) -> TensorSpec:
    scales = detail["quantization_parameters"]["scales"]
    zero_points = detail["quantization_parameters"]["zero_points"]
    if len(scales) > 1:
        msg = f"{path}: '{name}' has a scale for each channel; inputs and outputs need one."
        raise InputError(msg)
    return TensorSpec(
        name=name,
        shape=tuple(int(size) for size in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scales[0]) if len(scales) else 0.0,
        zero_point=int(zero_points[0]) if len(zero_points) else 0,
    )


def _signature_names(
    interpreter: Any, inputs: Sequence[Any], outputs: Sequence[Any]
) -> tuple[dict[int, str], dict[int, str]]:
    """Names by tensor index, of the first signature that covers the whole main graph."""
    for key in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(key)
        found_in, found_out = runner.get_input_details(), runner.get_output_details()
        if _covers(found_in, inputs) and _covers(found_out, outputs):
            return (
                {detail["index"]: name for name, detail in reversed(found_in.items())},
                {detail["index"]: name for name, detail in reversed(found_out.items())},
            )
    return {}, {}


def _covers(signature: Mapping[str, Any], details: Sequence[Any]) -> bool:
    """Whether a signature's tensors are those of the main graph, and no others."""
    mine = {(detail["index"], detail["name"]) for detail in signature.values()}
    return mine == {(detail["index"], detail["name"]) for detail in details}
