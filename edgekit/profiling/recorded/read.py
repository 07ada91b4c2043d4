"""Read a file that another tool recorded."""

import json
from pathlib import Path

from edgekit.errors import InputError
from edgekit.profiling.profile import Profile
from edgekit.profiling.recorded.benchmark_model import (
    clean,
    is_benchmark_model,
    read_benchmark_model,
)
from edgekit.profiling.recorded.litert import is_litert, read_litert
from edgekit.profiling.recorded.operators import read_operators
from edgekit.profiling.recorded.recording import Recording, unknown_machine
from edgekit.targets import load_target

_SUFFIXES = (".txt", ".log", ".csv", ".json")
_LARGEST = 64 * 2**20
_TABLE = "benchmark_model (operators)"


def is_recorded(path: str | Path) -> bool:
    """Whether a file is meant as a recorded measurement, by the end of its name."""
    return Path(path).suffix.lower() in _SUFFIXES


def read_recorded(path: str | Path, *, target: str | None = None) -> Profile:
    """Read what benchmark_model printed, or wrote as CSV, or the JSON of litert-benchmark.

    Args:
        path: The file.
        target: Name of the profile of the device it was recorded on, or a TOML file; None
            leaves the machine unknown.

    Raises:
        InputError: It cannot be read, or is neither.
        UnknownName: There is no such profile.
    """
    place = Path(path)
    board = load_target(target).title if target else None
    return _recording(_text(place), place).profile(str(place), unknown_machine(board))


def _text(path: Path) -> str:
    """Return the text of the file; shells of Windows write UTF-16.

    Raises:
        InputError: It cannot be read, or is too large to be a record.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _LARGEST else b""
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}."
        raise InputError(msg) from error
    if size > _LARGEST:
        msg = f"{path} has {size / 2**20:.0f} MiB; recorded output is smaller than 64 MiB."
        raise InputError(msg)
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if wide else "utf-8-sig", errors="replace")


def _recording(text: str, path: Path) -> Recording:
    if text.lstrip().startswith("{"):
        return _document(text, path)
    if is_benchmark_model(text):
        return read_benchmark_model(text, str(path))
    ops = read_operators(clean(text), None)
    total = sum(op.ms for op in ops)
    if total > 0:
        return Recording(
            tool=_TABLE, model=path.stem, runs=1, mean_ms=total, ops=ops, only_operators=True
        )
    msg = (
        f"{path} is no recorded measurement: neither output of benchmark_model, nor its CSV, "
        "nor the JSON of litert-benchmark.\n"
        "Record one with: benchmark_model --graph=model.tflite > pixel.txt 2>&1"
    )
    raise InputError(msg)


def _document(text: str, path: Path) -> Recording:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not valid JSON: {error}."
        raise InputError(msg) from error
    if not is_litert(values):
        msg = (
            f"{path} is JSON without `latency`, so it is not from litert-benchmark.\n"
            "Record one with: litert-benchmark --model model.tflite --result_json result.json"
        )
        raise InputError(msg)
    return read_litert(values, str(path))
