"""Which rewritings a model gets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import guard
from edgekit.errors import EdgekitError
from edgekit.files import atomic_write
from edgekit.flatbuffer.graph import Graph
from edgekit.placement import place
from edgekit.records import from_json
from edgekit.targets import Target
from edgekit_converters.export.fitting import activations, averages, groups, upsampling
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
    Rewriting("averages of large pictures in two steps", averages.matches, exact=False),
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
    wanted = _useful(content, target)
    done = []
    for rewriting in wanted:
        candidate, count = _written(content, rewriting)
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
                ops=count,
                difference=difference.relative,
                samples=difference.samples,
            )
        )
    return content, tuple(done)


def _useful(content: bytes, target: Target) -> list[Rewriting]:
    """Return the rewritings that a target takes more of the model with.

    One alone may change nothing, where another operator keeps the rest off the target. So
    all are tried together, and then left out one by one.
    """
    chosen = [each for each in REWRITINGS if next(each.find(Graph(content)), None)]
    left = _left(content, target, chosen)
    for rewriting in reversed(chosen.copy()):
        fewer = [each for each in chosen if each is not rewriting]
        left_then = _left(content, target, fewer)
        if left_then <= left:
            chosen, left = fewer, left_then
    return chosen


def _written(content: bytes, rewriting: Rewriting) -> tuple[bytes, int]:
    """Apply a rewriting; return the file, and how often it applied."""
    graph = Graph(content)
    found = list(rewriting.find(graph))
    edit = Edit(graph)
    edit.replace([(each.ops, each.make(edit)) for each in found])
    return edit.packed(), len(found)


def _left(content: bytes, target: Target, rewritings: Sequence[Rewriting]) -> tuple[int, int]:
    """Count the operators that a target leaves to the CPU, and all operators."""
    for rewriting in rewritings:
        content, _ = _written(content, rewriting)
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
