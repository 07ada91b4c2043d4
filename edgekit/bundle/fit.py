"""Whether models can run on the device that a bundle is for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.artifact import graph_manifest
from edgekit.errors import UsageError
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Manifest
from edgekit.placement.op_versions import op_version_problems
from edgekit.targets import Target, load_target, target_names

_COMPILED = "edgetpu-custom-op"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is to go into the bundle.

    Attributes:
        path: Where it is.
        graph: What is in it.
        manifest: What it carries about itself, if anything.
    """

    path: Path
    graph: Graph
    manifest: Manifest | None

    @property
    def made_for(self) -> str | None:
        """Name of the target it was made for, if it says so."""
        return self.manifest.target if self.manifest else None


def open_candidates(paths: Sequence[Path]) -> list[Candidate]:
    """Read the models.

    Raises:
        InputError: One cannot be read, is no .tflite, or is damaged.
        UsageError: Two have the same name.
    """
    names = Counter(path.name for path in paths)
    if twice := sorted(name for name, count in names.items() if count > 1):
        msg = (
            f"{', '.join(twice)} is given twice; all models share one folder on the device.\n"
            "Rename one, or make a bundle for each."
        )
        raise UsageError(msg)
    graphs = [Graph(path) for path in paths]
    return [
        Candidate(path, graph, graph_manifest(graph))
        for path, graph in zip(paths, graphs, strict=True)
    ]


def common_target(candidates: Sequence[Candidate]) -> str:
    """The target that all models were made for.

    Raises:
        UsageError: They do not say, or they differ.
    """
    found = {each.made_for for each in candidates}
    if len(found) == 1 and (name := found.pop()):
        return name
    said = ", ".join(
        f"{each.path.name}: {each.made_for or 'says nothing'}" for each in candidates
    )
    msg = (
        f"Which device is the bundle for? The models were made for different ones ({said}).\n"
        "Name it, e.g. with --target raspberry-pi-4."
    )
    raise UsageError(msg)


def reasons_against(candidate: Candidate, target: Target) -> list[str]:
    """Say why a model cannot run on a target; empty if it can."""
    found = [
        f"{candidate.path.name}: {problem}"
        for problem in op_version_problems(candidate.graph, target.op_versions)
        if _COMPILED not in problem
    ]
    size_mb = candidate.path.stat().st_size / 2**20
    if target.memory_mb is not None and size_mb > target.memory_mb:
        found.append(
            f"{candidate.path.name}: the file alone has {size_mb:.0f} MiB; models may take "
            f"{target.memory_mb:g} MiB there."
        )
    return found


def doubts(candidate: Candidate, target: Target) -> list[str]:
    """Say what a person should know about a model on a target that it can run on."""
    name, made_for = candidate.path.name, candidate.made_for
    found = []
    if any(op.custom_code == _COMPILED for op in candidate.graph.ops):
        found.append(
            f"{name} was compiled for the Edge TPU: the device needs one, and libedgetpu, "
            "which no bundle carries. Run it with --delegate edgetpu."
        )
    elif made_for is not None and not _alike(made_for, target):
        found.append(
            f"{name} was made for {made_for}. It runs on {target.name}, too; the file made "
            f"for it comes from: edgekit convert --target {target.name}"
        )
    return found


def _alike(name: str, target: Target) -> bool:
    """Whether an artifact for the named target is one for this target, too."""
    if name not in target_names():
        return False
    other = load_target(name)
    fields = ("delegate", "scheme", "io", "op_versions")
    return all(getattr(other, field) == getattr(target, field) for field in fields)
