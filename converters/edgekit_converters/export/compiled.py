"""What the compiler of a target's accelerator makes of an artifact."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifact import write_manifest
from edgekit.manifest import Manifest
from edgekit.placement import ethos
from edgekit.records import to_json
from edgekit.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A compiled artifact: what goes onto the device, beside the one that runs anywhere.

    Attributes:
        path: Where it stands.
        bytes: Size of the file.
        compiler: Name and version of the compiler.
        summary: How many operators of the artifact run where.
        estimate: What the compiler estimates; None if it does not.
    """

    path: str
    bytes: int
    compiler: str
    summary: dict[str, int]
    estimate: dict[str, Any] | None


def need_compiler(target: Target) -> None:
    """See that the compiler that a target cannot do without is there.

    Raises:
        MissingExtra: It is not installed.
    """
    if target.npu is not None:
        ethos.need_vela(target)


def compile_artifact(
    content: bytes, path: Path, target: Target, manifest: Manifest
) -> Compiled | None:
    """Compile an artifact, if its target has a compiler, and write the result beside it.

    Args:
        content: The artifact.
        path: Where it stands; `_vela` is put behind its name.
        target: The device.
        manifest: What the compiled one carries, too.

    Raises:
        TargetError: The compiler refuses it.
    """
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
