"""Which rewritings a model gets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit import guard
from edgekit.errors import EdgekitError
from edgekit.files import atomic_write
from edgekit.flatbuffer.graph import Graph
from edgekit.placement import place
from edgekit.records import from_json
from edgekit.targets import Target
from edgekit_converters.export.fitting import activations, groups, upsampling
from edgekit_converters.export.fitting.edit import Edit, Match
from edgekit_converters.export.fitting.proof import Difference


@dataclass(frozen=True, slots=True)
class Rewriting:
    """One way to write operators that a target refuses.

    Attributes:
        name: What it does, as a clause.
        find: Yields the operators that it can replace.
        exact: Whether every output stays the same, bit for bit; else the difference is
            measured.
    """

    name: str
    find: Callable[[Graph], Iterator[Match]]
    exact: bool


REWRITINGS = (
    Rewriting("nearest upsampling as one resize", upsampling.matches, exact=True),
    Rewriting("grouped convolutions in parts", groups.matches, exact=True),
    Rewriting("LEAKY_RELU as PRELU", activations.leaky_matches, exact=False),
    Rewriting("HARD_SWISH as ADD and MUL", activations.hard_swish_matches, exact=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """One rewriting that a model got.

    Attributes:
        name: What was done.
        ops: How many operators, or runs of operators, were replaced.
        difference: Largest difference of an output from the model before, as a share of its
            largest value; 0 means bit for bit the same.
        samples: Random inputs that this is over.
    """

    name: str
    ops: int
    difference: float
    samples: int


def fit(
    content: bytes, target: Target, probe: Path, folder: Path
) -> tuple[bytes, tuple[Rewritten, ...]]:
    """Write operators anew that the target does not take as they are.

    Args:
        content: A .tflite file in the form that the target wants.
        target: The device.
        probe: Random inputs for the model, an .npz.
        folder: Working folder.

    Returns:
        The file, and what was done; the same file where nothing makes the target take more.

    Raises:
        EdgekitError: A rewriting that is exact by construction is not.
    """
    done = []
    for rewriting in REWRITINGS:
        graph = Graph(content)
        found = list(rewriting.find(graph))
        if not found:
            continue
        edit = Edit(graph)
        edit.replace([(each.ops, each.make(edit)) for each in found])
        candidate = edit.packed()
        if _left(candidate, target) >= _left(content, target):
            continue
        difference = _difference(content, candidate, probe, folder)
        if rewriting.exact and difference.relative > 0:
            msg = (
                f"{rewriting.name}: the model then differs by {difference.relative:.1e}, and "
                "must not differ at all. This is a defect of edgekit; please report it."
            )
            raise EdgekitError(msg)
        content = candidate
        done.append(
            Rewritten(
                name=rewriting.name,
                ops=len(found),
                difference=difference.relative,
                samples=difference.samples,
            )
        )
    return content, tuple(done)


def _left(content: bytes, target: Target) -> tuple[int, int]:
    """Count the operators that a target leaves to the CPU, and all operators."""
    placements = place(Graph(content), target)
    taken = {"edgetpu", "gpu", "npu"}
    return sum(each.placement not in taken for each in placements), len(placements)


def _difference(before: bytes, after: bytes, probe: Path, folder: Path) -> Difference:
    paths = [folder / "before.tflite", folder / "after.tflite"]
    for path, content in zip(paths, (before, after), strict=True):
        atomic_write(path, content)
    answer = guard.call(
        "edgekit_converters.export.fitting.proof:compare",
        doing="comparing a rewritten model with the one before",
        before=paths[0].resolve(),
        after=paths[1].resolve(),
        probe=probe.resolve(),
    )
    return from_json(Difference, answer, "the comparison")
