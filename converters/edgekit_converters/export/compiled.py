"""What the compiler of a target's accelerator makes of an artifact."""

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifact import write_manifest
from edgekit.manifest import Manifest
from edgekit.placement import ethos
from edgekit.placement.edgetpu.compiler import find_compiler
from edgekit.placement.edgetpu.report import CompilerReport, compile_for
from edgekit.records import to_json
from edgekit.targets import Target

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A compiled artifact: what goes onto the device, beside the one that runs anywhere.

    Attributes:
        path: Where it stands.
        bytes: Size of the file.
        compiler: Name and version of the compiler.
        summary: How many operators of the artifact run where.
        estimate: What the compiler estimates; None if it does not.
        report: What the Edge TPU compiler did, and how the prediction compares; None for
            other accelerators.
    """

    path: str
    bytes: int
    compiler: str
    summary: dict[str, int]
    estimate: dict[str, Any] | None
    report: CompilerReport | None = None


def need_compiler(target: Target, edgetpu_compiler: str | None = None) -> None:
    """See that the compiler that a target cannot do without, or that was named, is there.

    Raises:
        MissingExtra: It is not installed.
        UsageError: There is no such program.
    """
    if target.delegate == "edgetpu":
        find_compiler(edgetpu_compiler)
    if target.npu is not None:
        ethos.need_vela(target)


def compile_artifact(
    content: bytes,
    path: Path,
    target: Target,
    manifest: Manifest,
    edgetpu_compiler: str | None = None,
) -> Compiled | None:
    """Compile an artifact, if its target has a compiler, and write the result beside it.

    Args:
        content: The artifact.
        path: Where it stands; `_vela` or `_edgetpu` is put behind its name.
        target: The device.
        manifest: What the compiled one carries, too.
        edgetpu_compiler: Path of the Edge TPU compiler, `none` to do without, or None to
            run it where it is on the PATH.

    Raises:
        TargetError: The compiler refuses it.
        CrashError: The Edge TPU compiler does not end in time.
    """
    if target.delegate == "edgetpu":
        return _for_edgetpu(content, path, target, manifest, edgetpu_compiler)
    if target.npu is None:
        return None
    found = ethos.compile_for(content, path.name, target)
    compiled = write_manifest(found.content, manifest)
    place = path.with_name(f"{path.stem}_vela.tflite")
    place.write_bytes(compiled)
    return Compiled(
        path=str(place),
        bytes=len(compiled),
        compiler=found.estimate.compiler,
        summary=dict(Counter(op.placement for op in found.ops)),
        estimate=to_json(found.estimate),
    )


def _for_edgetpu(
    content: bytes, path: Path, target: Target, manifest: Manifest, wish: str | None
) -> Compiled | None:
    """Compile an artifact for the Edge TPU where the compiler is installed."""
    program = find_compiler(wish)
    if program is None:
        return None
    made, report, verdicts = compile_for(content, path.name, target.op_versions, program)
    for wrong in report.comparison.mismatches:
        _log.warning(
            "%s: operator %d, %s, was predicted on %s and is on %s: %s",
            target.name,
            wrong.index,
            wrong.op,
            wrong.predicted,
            wrong.found,
            wrong.status,
        )
    compiled = write_manifest(made, manifest)
    place = path.with_name(f"{path.stem}_edgetpu.tflite")
    place.write_bytes(compiled)
    return Compiled(
        path=str(place),
        bytes=len(compiled),
        compiler=f"edgetpu_compiler {report.version}",
        summary=dict(Counter(where for where, _ in verdicts)),
        estimate=None,
        report=report,
    )
