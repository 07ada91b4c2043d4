"""How long a model takes on a device that is not attached: calibrated or estimated, a range.

`calibrated`: from the law that `calibrate_device` fitted to that device. `estimated`: from
what others published about it. Neither is a measurement, and neither is a bare number.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from edgekit.errors import MissingExtra, TargetError, UsageError
from edgekit.flatbuffer import Graph
from edgekit.placement.edgetpu.prediction import is_compiled
from edgekit.placement.edgetpu.report import report as edgetpu_report
from edgekit.profiling.anchors import Guess, guess
from edgekit.profiling.calibration.cost import Cost
from edgekit.profiling.calibration.law import Law, Model, Setting, Sums, sums, time_us
from edgekit.profiling.calibration.record import Calibration, default_path
from edgekit.runtime import open_backend
from edgekit.targets import Target, load_target

MIB = 2**20
_ROUGH = 3.0  # an operator that is not covered takes a third to three times what is thought
_SLOW_STREAM = 3.0  # what streaming its parameters may add to a model on the Edge TPU
_MATRIX = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """An operator that stands out.

    Attributes:
        index: Its number in the model.
        op: Its name.
        reason: Why.
    """

    index: int
    op: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long a model takes where it did not run.

    Attributes:
        kind: `calibrated`: from operators timed on the device; `estimated`: from what was
            published.
        model: Its file.
        target: Name of the target.
        latency_ms: Typical time of one run on a device that does nothing else.
        low_ms: The range begins here.
        high_ms: And ends here.
        coverage: How often such ranges hold the truth; None where nobody can tell.
        runtime: Package and version that it is about.
        threads: CPU threads; None where nobody says.
        uncovered: Operators that were not timed on the device, or that stay with the host
            of an accelerator: the range is that much wider, or does not hold them.
        undelegated: Operators that the runtime's own kernels run though a delegate takes
            others: slow ones, often.
        uncovered_share: Part of the time that is thought to be theirs, 0 to 1.
        method: Where the number comes from, in words.
        sources: Files and addresses of pages.
        notes: What to know about it.
    """

    kind: Literal["calibrated", "estimated"]
    model: str
    target: str
    latency_ms: float
    low_ms: float
    high_ms: float
    coverage: float | None
    runtime: str
    threads: int | None
    uncovered: tuple[Doubt, ...]
    undelegated: tuple[Doubt, ...]
    uncovered_share: float
    method: str
    sources: tuple[str, ...]
    notes: tuple[str, ...]


def estimate(
    path: str | Path,
    *,
    target: str,
    calibration: str | Path | None = None,
    threads: int | None = None,
) -> Estimate:
    """Tell how long a model takes on a device that is not attached; nothing is run.

    Args:
        path: A .tflite file.
        target: Name of a target, or a TOML file.
        calibration: What `calibrate_device` saved; None looks in its default place, and
            takes published numbers if there is none.
        threads: CPU threads; None for those of the target, or of the calibration.

    Raises:
        InputError: The model cannot be read.
        UnknownName: There is no such target.
        RecordError: The calibration is wrong, or of another machine or runtime.
        UsageError: It is for other numbers of threads.
        TargetError: Nothing is known about this target.
    """
    device = load_target(target)
    graph = Graph(Path(path))
    place = Path(calibration) if calibration is not None else default_path(device.name)
    if device.delegate == "cpu" and (calibration is not None or place.is_file()):
        law = Calibration.read(place)
        law.check(device, place, _runtime_here(device))
        return calibrated(
            graph, device, law, name=str(path), threads=threads, source=str(place)
        )
    if calibration is not None:
        msg = (
            f"{device.name} runs operators on {device.delegate}; a calibration is about a "
            "CPU.\nLeave --calibration out."
        )
        raise UsageError(msg)
    return _estimated(graph, Path(path), device, threads)


def _runtime_here(device: Target) -> str | None:
    """Name the runtime of this machine, where the target stands for it."""
    if device.name != "host":
        return None
    try:
        backend = open_backend()
    except MissingExtra:
        return None
    return f"{backend.name} {backend.version}"


def calibrated(
    graph: Graph,
    device: Target,
    law: Calibration,
    *,
    name: str = "",
    threads: int | None = None,
    source: str = "",
) -> Estimate:
    """Tell a model's time by the law of a device.

    Args:
        graph: The model.
        device: The target.
        law: Of the device.
        name: Of the model's file.
        threads: CPU threads; None for those of the target, or the most that there are.
        source: Where the law was read from.

    Raises:
        UsageError: The law is for other numbers of threads.
    """
    setting = _setting(law, device, threads)
    model = Model.of(graph)
    by_key = setting.by_key()
    found = sums(model, by_key)
    ops = {cost.index: cost for cost in model.costs}
    known = time_us(found, setting.between) / 1000
    rough = sum(_rough_us(ops[i], by_key) for i in found.uncovered) / 1000
    accuracy = setting.accuracy
    return Estimate(
        kind="calibrated",
        model=name,
        target=device.name,
        latency_ms=known + rough,
        low_ms=known * accuracy.low + rough / _ROUGH,
        high_ms=known * accuracy.high + rough * _ROUGH,
        coverage=None if found.uncovered else accuracy.coverage,
        runtime=law.runtime,
        threads=setting.threads,
        uncovered=tuple(
            Doubt(index=i, op=ops[i].op, reason=w) for i, w in found.uncovered.items()
        ),
        undelegated=_undelegated(found, ops),
        uncovered_share=rough / (known + rough) if known + rough else 0.0,
        method=_method(law, setting),
        sources=(source,) if source else (),
        notes=(*law.notes, *_calibrated_notes(graph, found)),
    )


def model_ms(model: Model, device: Target, law: Calibration) -> float:
    """Return the typical time of a model by the law of a device, with the target's threads.

    Args:
        model: What its operators cost.
        device: The target.
        law: Of the device.
    """
    setting = _setting(law, device, None)
    by_key = setting.by_key()
    found = sums(model, by_key)
    rough = sum(_rough_us(c, by_key) for c in model.costs if c.index in found.uncovered)
    return (time_us(found, setting.between) + rough) / 1000


def _setting(law: Calibration, device: Target, threads: int | None) -> Setting:
    by_threads = {each.threads: each for each in law.settings}
    if threads is not None and threads not in by_threads:
        msg = (
            f"The calibration of {law.device} is for {_listed(by_threads)} threads; "
            f"{threads} were asked for.\nCalibrate again with --threads {threads}."
        )
        raise UsageError(msg)
    wanted = threads or device.threads
    return by_threads.get(wanted or 0, by_threads[max(by_threads)])


def _listed(threads: Mapping[int, object]) -> str:
    return ", ".join(str(each) for each in sorted(threads))


def _rough_us(cost: Cost, laws: Mapping[str, Law]) -> float:
    """Guess the time of an operator that was not timed.

    One that is only too large takes what its law says. Of others it is the middle, on a
    scale of powers, between the fastest and the slowest of those timed, by MACs or bytes.
    """
    law = laws.get(cost.key)
    if law is not None:
        return law.time_us(cost)
    matrix = cost.op in _MATRIX
    rates = [
        each.rate_us
        for each in laws.values()
        if (each.key.partition(" ")[0] in _MATRIX) == matrix and each.rate_us > 0
    ]
    middle = math.sqrt(min(rates) * max(rates)) if rates else 0.0
    return middle * cost.size


def _undelegated(found: Sums, ops: Mapping[int, Cost]) -> tuple[Doubt, ...]:
    reason = "the delegate does not take it; the runtime's own kernel runs it"
    return tuple(Doubt(index=i, op=ops[i].op, reason=reason) for i in found.undelegated)


def _method(law: Calibration, setting: Setting) -> str:
    accuracy = setting.accuracy
    return (
        f"{law.ops_timed} operators and {law.nets_timed} nets timed on {law.device} on "
        f"{law.date}; of nets left out of the fit {accuracy.within_10pct:.0%} were told "
        f"within 10 %"
    )


def _calibrated_notes(graph: Graph, found: Sums) -> tuple[str, ...]:
    notes = []
    if graph.dynamic_tensors and not found.uncovered:
        notes.append("Open dimensions count as 1.")
    if len(graph.subgraphs) > 1:
        notes.append("Loops and branches are left out: how often they run is not known.")
    return tuple(notes)


def _estimated(graph: Graph, path: Path, device: Target, threads: int | None) -> Estimate:
    """Tell a model's time by what was published about the target."""
    delegate = device.delegate if device.delegate in {"cpu", "edgetpu", "gpu"} else "cpu"
    scheme = _scheme(graph)
    macs = float(sum(graph.macs(op) for op in graph.ops))
    wanted = threads or device.threads
    found = guess(device.name, macs, scheme, delegate, wanted)
    if found is None or is_compiled(graph):
        raise TargetError(_nothing_known(device, scheme, wanted, compiled=is_compiled(graph)))
    if device.delegate == "edgetpu":
        return _on_edgetpu(graph, path, device, found)
    told = sorted({each.threads for each in found.anchors if each.threads})
    return _from_anchors(found, str(path), device, threads=told[0] if told else None)


def _nothing_known(device: Target, scheme: str, threads: int | None, *, compiled: bool) -> str:
    if compiled:
        return (
            f"{device.name}: a file that went through the Edge TPU compiler does not say what "
            "is inside.\nGive the file that it was made from."
        )
    many = f" with {threads} threads" if threads else ""
    return (
        f"{device.name}: nothing is published about {scheme} models there{many}, and it was "
        f"not calibrated.\nRun on the device: edgekit calibrate-device --target {device.name}"
    )


def _scheme(graph: Graph) -> str:
    """Return the type of values that most MACs have: `float32` or `int8`."""
    macs = {"float32": 0, "int8": 0}
    for op in graph.ops:
        flowing = [graph.main.tensors[i] for i in op.inputs if i >= 0]
        first = next((each for each in flowing if not each.is_constant), None)
        integer = first is not None and not first.is_float
        macs["int8" if integer else "float32"] += graph.macs(op)
    return max(macs, key=lambda name: macs[name])


def _from_anchors(
    found: Guess,
    model: str,
    device: Target,
    *,
    threads: int | None,
    slower: float = 1.0,
    uncovered: tuple[Doubt, ...] = (),
    notes: tuple[str, ...] = (),
) -> Estimate:
    runtimes = ", ".join(dict.fromkeys(each.runtime for each in found.anchors))
    dates = ", ".join(dict.fromkeys(each.date for each in found.anchors))
    return Estimate(
        kind="estimated",
        model=model,
        target=device.name,
        latency_ms=found.latency_ms * float(np.sqrt(slower)),
        low_ms=found.low_ms,
        high_ms=found.high_ms * slower,
        coverage=None,
        runtime=runtimes,
        threads=threads,
        uncovered=uncovered,
        undelegated=(),
        uncovered_share=0.0,
        method=f"published times of other models ({dates}), by MACs",
        sources=tuple(dict.fromkeys(each.source for each in found.anchors)),
        notes=(*found.notes, *notes),
    )


def _on_edgetpu(graph: Graph, path: Path, device: Target, found: Guess) -> Estimate:
    """Widen the range by what placement and memory say."""
    told = edgetpu_report(path, graph, device.op_versions, "none")
    left = tuple(
        Doubt(index=op.index, op=op.custom_code or op.op, reason=why)
        for op, (where, why) in zip(graph.ops, told.verdicts, strict=True)
        if where != "edgetpu"
    )
    notes: list[str] = []
    slower = 1.0
    if left:
        notes.append(f"{len(left)} of {len(graph.ops)} operators run, or may run, on the host.")
    if told.memory is not None and told.memory.verdict != "fits":
        slower = _SLOW_STREAM
        size = told.memory.parameter_bytes - told.memory.cached_bytes
        notes.append(
            f"Up to {size / MIB:.1f} MiB of parameters do not stay on the chip and are sent "
            "with every run."
        )
    return _from_anchors(
        found,
        str(path),
        device,
        threads=None,
        slower=slower,
        uncovered=left,
        notes=tuple(notes),
    )
