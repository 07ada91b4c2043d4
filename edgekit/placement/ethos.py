"""What runs on an Arm Ethos-U, as Arm's own compiler Vela says.

Vela runs on any machine, so nothing is predicted here: the file is compiled in a process
of its own, and what it left to the CPU, why, and what it estimates are read from what it
writes. It is looked for as `EDGEKIT_VELA`, beside this Python, and on PATH.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import CrashError, MissingExtra, RecordError, TargetError, UsageError
from edgekit.files import told
from edgekit.flatbuffer import Graph, OpView, read_model
from edgekit.flatbuffer.metadata import associated_files, pack_file
from edgekit.flatbuffer.tables import text
from edgekit.measure import tool
from edgekit.targets import Npu, Target

VARIABLE = "EDGEKIT_VELA"
NPU_OP = "ethos-u"
_CONFIGURATION = "Arm/vela.ini"  # comes with Vela
_TIMEOUT_S = 600.0
_LAST_WORDS = 8  # lines of what Vela printed that a message shows
_COMPILED_IN = "compiled for the NPU by Vela"

Verdict = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpEstimate:
    """What Vela made of one operator of the model.

    Attributes:
        placement: `npu` or `cpu`.
        reason: Why, in Vela's words where it gives any.
        cycles: Estimated cycles of the NPU; None for what runs on the CPU.
    """

    placement: str
    reason: str
    cycles: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What Vela estimates for the whole model; what is left to the CPU is not in it.

    Attributes:
        compiler: `ethos-u-vela` and its version.
        accelerator: The NPU that it compiled for.
        system_config: Clock and memories that the estimate is for.
        memory_mode: What lies in which memory.
        kind: `estimated`: nothing was run.
        cycles: Of one run.
        npu_cycles: Of these, those in which the NPU computes.
        clock_mhz: Clock of the NPU.
        latency_ms: `cycles` at that clock.
        sram_bytes: Fast memory that it needs.
        weight_bytes: Weights as the NPU reads them, compressed.
    """

    compiler: str
    accelerator: str
    system_config: str
    memory_mode: str
    kind: str
    cycles: int
    npu_cycles: int
    clock_mhz: float
    latency_ms: float
    sram_bytes: int
    weight_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """A model as Vela compiled it.

    Attributes:
        content: The compiled file.
        ops: One for each operator of the original's main subgraph, in its order.
        estimate: What Vela says of the whole.
    """

    content: bytes
    ops: tuple[OpEstimate, ...]
    estimate: Estimate


def predict(graph: Graph, target: Target) -> list[Verdict]:
    """Say what is certain without the compiler: the NPU has no floats, and not more."""
    said = f"only Vela can tell for {target.title}"
    return [_without_vela(graph, op, said) for op in graph.ops]


def _without_vela(graph: Graph, op: OpView, said: str) -> Verdict:
    tensors = graph.subgraphs[op.subgraph].tensors
    first = next((tensors[index] for index in op.outputs if index >= 0), None)
    if op.op == "CUSTOM":
        return (
            ("npu", _COMPILED_IN) if op.custom_code == NPU_OP else ("cpu", "a custom operator")
        )
    if first is not None and first.is_float:
        return "cpu", f"computes {first.dtype}; the NPU has integers only"
    return "uncertain", said


def is_compiled(graph: Graph) -> bool:
    """Whether a file has been through Vela already."""
    return any(op.custom_code == NPU_OP for op in graph.ops)


def find_vela() -> str | None:
    """The program, or None if it is not installed.

    Raises:
        UsageError: `EDGEKIT_VELA` names something that is no program.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if shutil.which(named) is None:
            msg = (
                f"{VARIABLE} names {named}, which is no program that can be started.\n"
                "Give the path of vela, or unset the variable."
            )
            raise UsageError(msg)
        return named
    beside = shutil.which("vela", path=str(Path(sys.executable).parent))
    return beside or shutil.which("vela")


def need_vela(target: Target) -> str:
    """The program, or how to get it.

    Raises:
        MissingExtra: It is not installed.
    """
    found = find_vela()
    if found is None:
        msg = (
            f"{target.name}: what runs on an Ethos-U is decided by Arm's compiler Vela, which "
            "is not installed.\n"
            "Install it with: pip install 'edgekit[ethos]', or name an installed one with "
            f"{VARIABLE}=/path/to/vela"
        )
        raise MissingExtra(msg)
    return found


def compile_for(content: bytes, name: str, target: Target) -> Compilation:
    """Compile a model with Vela, in a process of its own.

    Args:
        content: A .tflite file.
        name: What it is called, for messages.
        target: The device; it has an `npu`.

    Raises:
        MissingExtra: Vela is not installed.
        TargetError: Vela refuses the model; the message is its own.
        CrashError: It ended otherwise, or did not end.
    """
    npu = target.npu
    if npu is None:
        msg = f"{target.name} has no Ethos-U: its file lacks the table [npu]."
        raise UsageError(msg)
    vela = need_vela(target)
    content = _named_apart(content)
    with tempfile.TemporaryDirectory(prefix="edgekit-vela-") as place:
        folder = Path(place)
        with told(f"write into {folder}"):
            (folder / "model.tflite").write_bytes(content)
        printed = _run(vela, npu, folder, name)
        compiled = _one(folder, "*_vela.tflite", name).read_bytes()
        graph, after = Graph(content), Graph(compiled)
        rows = _rows(_one(folder, "*_per-layer.csv", name))
        return Compilation(
            content=compiled,
            ops=tuple(_ops(graph, after, rows, refusals(printed))),
            estimate=_estimate(_rows(_one(folder, "*_summary_*.csv", name)), npu, vela),
        )


def _named_apart(content: bytes) -> bytes:
    """Give tensors without a name of their own one, so that Vela's words can be told apart."""
    file = read_model(content)
    tensors = file.model.subgraphs[0].tensors or []
    often = Counter(text(tensor.name) for tensor in tensors)
    if all(name and count == 1 for name, count in often.items()):
        return content
    for index, tensor in enumerate(tensors):
        if often[text(tensor.name)] > 1 or not tensor.name:
            tensor.name = f"{text(tensor.name)}#{index}"
    return pack_file(file.model, associated_files(file))


def _run(vela: str, npu: Npu, folder: Path, name: str) -> str:
    """Run Vela and return what it printed."""
    command = [
        *(vela, str(folder / "model.tflite"), "--output-dir", str(folder)),
        *("--accelerator-config", npu.accelerator, "--config", _CONFIGURATION),
        *("--system-config", npu.system_config, "--memory-mode", npu.memory_mode),
        *("--show-cpu-operations", "--verbose-performance"),
    ]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"Vela did not compile {name} within {_TIMEOUT_S:g} s and was stopped."
        raise CrashError(msg) from error
    except OSError as error:
        msg = f"Vela does not start: {vela}: {error.strerror}."
        raise MissingExtra(msg) from error
    printed = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise _failure(printed, done.returncode, npu, name)
    return printed


def _failure(printed: str, code: int, npu: Npu, name: str) -> TargetError | CrashError:
    """Put a failed compilation into words: Vela's own if it gave any."""
    if found := re.search(r"Compilation failed:(?: Error:)?(.*)", printed, re.DOTALL):
        words = [line.strip() for line in found[1].strip().splitlines() if line.strip()]
        return TargetError(
            f"{npu.accelerator}: Vela cannot compile {name}: {' '.join(words)}\n"
            "Replace the layer that this comes from, or cut the model before it."
        )
    lines = [line for line in printed.splitlines() if line.strip()][-_LAST_WORDS:]
    if wrong := re.search(r"(?:Error|error): (.*(?:[Cc]onfig|argument).*)", printed):
        return TargetError(
            f"Vela does not take the [npu] of the target ({npu.accelerator}, "
            f"{npu.system_config}, {npu.memory_mode}): {wrong[1]}"
        )
    tail = "".join(f"\n  | {line}" for line in lines)
    return CrashError(
        f"Vela ended with code {code} while it compiled {name}.\n"
        f"The file may be damaged, or holds something that Vela cannot handle.{tail}"
    )


def _one(folder: Path, pattern: str, name: str) -> Path:
    found = list(folder.glob(pattern))
    if not found:
        msg = f"Vela said nothing of an error for {name}, but wrote no {pattern}."
        raise CrashError(msg)
    return found[0]


Row = dict[str, str]


def _rows(path: Path) -> list[Row]:
    """Read one of Vela's tables; its last column is a name that may hold commas."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    heads = lines[0].split(",") if lines else []
    cells = [line.split(",", len(heads) - 1) for line in lines[1:]]
    return [dict(zip(heads, each, strict=True)) for each in cells if len(each) == len(heads)]


def refusals(printed: str) -> dict[str, str]:
    """Read from what Vela printed why operators stay on the CPU, by the name of their output.

    >>> refusals("Warning (supported operators) operator: CAST, ofm: 'y'\\nReason: No cast\\n")
    {'y': 'No cast'}
    """
    pairs = re.findall(r"operator: \w+, ofm: '(.*)'\n *Reason: (.+)", printed)
    return {name: reason.strip() for name, reason in reversed(pairs)}


def _ops(
    graph: Graph, after: Graph, rows: Sequence[Row], reasons: Mapping[str, str]
) -> Iterator[OpEstimate]:
    """Say for each operator of the original where the compiled file runs it."""
    left = {
        after.main.tensors[index].name
        for op in after.ops
        if op.custom_code != NPU_OP
        for index in op.outputs
    }
    names = [_output(graph, op) for op in graph.ops]
    cycles = cycles_by_output(rows, set(names))
    for name in names:
        if name in left:
            yield OpEstimate(placement="cpu", reason=_reason(name, reasons), cycles=None)
        elif name in cycles:
            yield OpEstimate(placement="npu", reason=_COMPILED_IN, cycles=cycles[name])
        else:
            said = "Vela merges it into another operator or leaves it out"
            yield OpEstimate(placement="npu", reason=said, cycles=0)


def _output(graph: Graph, op: OpView) -> str:
    tensors = graph.subgraphs[op.subgraph].tensors
    return next((tensors[index].name for index in op.outputs if index >= 0), "")


def _reason(name: str, reasons: Mapping[str, str]) -> str:
    """Why Vela leaves an operator to the CPU; `_act` is what it splits activations from."""
    silent = "left to the CPU by Vela, which says no more"
    return reasons.get(name) or reasons.get(f"{name}_act") or silent


def cycles_by_output(rows: Sequence[Row], known: set[str]) -> dict[str, int]:
    """Add up the cycles of what Vela made of each operator, by the name of its output.

    Vela splits operators; the pieces come before the one that has the original's output,
    and all of them say what kind of operator they come from.

    Args:
        rows: Vela's table of layers.
        known: Names of the outputs of the original's operators.
    """
    found: dict[str, int] = defaultdict(int)
    waiting: dict[str, int] = defaultdict(int)  # kind of operator -> cycles of its pieces
    last: dict[str, str] = {}
    for row in rows:
        kind, name = row.get("Original Operator", ""), row.get("Name", "")
        cycles = _whole(row.get("Op Cycles", "0"))
        if name in known:
            found[name] += cycles + waiting.pop(kind, 0)
            last[kind] = name
        else:
            waiting[kind] += cycles
    for kind, cycles in waiting.items():  # pieces behind the last output of their kind
        if kind in last:
            found[last[kind]] += cycles
    return dict(found)


def _whole(text: str) -> int:
    return round(float(text))


def _estimate(rows: Sequence[Row], npu: Npu, vela: str) -> Estimate:
    """Read the one row of Vela's summary.

    Raises:
        RecordError: It lacks what is read here: another Vela than edgekit knows.
    """
    row = rows[-1] if rows else {}
    try:
        clock = float(row["core_clock"])
        return Estimate(
            compiler=f"ethos-u-vela {_version(vela)}".strip(),
            accelerator=npu.accelerator,
            system_config=row["system_config"],
            memory_mode=row["memory_mode"],
            kind="estimated",
            cycles=_whole(row["cycles_total"]),
            npu_cycles=_whole(row["cycles_npu"]),
            clock_mhz=clock / 1e6,
            latency_ms=float(row["inference_time"]) * 1e3,
            sram_bytes=round(float(row["sram_memory_used"]) * 1024),
            weight_bytes=_whole(row["total_npu_encoded_weights"]),
        )
    except (KeyError, ValueError) as error:
        msg = (
            f"Vela's summary cannot be read: {error}. edgekit knows version 5; found "
            f"{_version(vela) or 'another one'}."
        )
        raise RecordError(msg) from error


def _version(vela: str) -> str:
    found = re.search(r"\d+(\.\d+)+", tool(vela, "--version") or "")
    return found[0] if found else ""
