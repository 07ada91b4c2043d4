"""What pruning takes away, and what that buys: a table and curves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.report.documents import (
    Document,
    Gathered,
    basename,
    number,
    part,
    positive,
    text,
)
from edgekit.report.markup import Markup, join, section, table, tag
from edgekit.report.plots import Axis, Line, plot
from edgekit.report.words import NONE, NOTHING, ms, percent, score, size

_SIZES = {"bytes": "float", "gzip_bytes": "float, compressed", "int8_bytes": "int8"}
_SIZES |= {"int8_gzip_bytes": "int8, compressed"}
_LATENCIES = {"latency_ms": "float", "int8_latency_ms": "int8"}
_NAMES = {
    "nonzero": "not zero",
    "macs": "multiply-adds",
    "value": "metric",
    **{key: f"{name} file" for key, name in _SIZES.items()},
    **{key: f"{name} latency" for key, name in _LATENCIES.items()},
}


def pruning(found: Gathered) -> Markup:
    """Show each model before pruning and after each amount."""
    families = _families(_all(found))
    note = (
        "Removed are weights that are gone or zero. Sizes and latencies are of the files of "
        "each model, on the machine that pruned it."
    )
    shown = [_family(each) for each in families if part(each.first, "before")]
    return section("Pruning", *shown, note=note) if shown else NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Prunings of one model by one method.

    Attributes:
        first: The one whose `before` is the model as it was.
        members: All of them, by how much they took.
    """

    first: Document
    members: Sequence[Document]


def _all(found: Gathered) -> list[Document]:
    """Return what `prune` printed, and what conversions pruned on their way."""
    within = [
        {"source": text(part(run, "source"), "file"), **part(run, "pruning")}
        for run in found.runs
        if part(part(run, "pruning"), "before")
    ]
    return [*found.prunings, *within]


def _families(prunings: Sequence[Document]) -> Iterator[_Family]:
    """Put prunings of one model together; one that goes on from another belongs to it."""
    made = {text(each, "path"): each for each in prunings if text(each, "path")}
    groups: dict[tuple[str, str], list[Document]] = {}
    for each in prunings:
        first = _origin(each, made)
        key = text(first, "source"), text(each, "method")
        groups.setdefault(key, []).append(each)
    for members in groups.values():
        first = _origin(members[0], made)
        order = sorted(members, key=lambda each: removed(part(first, "before"), each) or 0.0)
        yield _Family(first=first, members=order)


def _origin(document: Document, made: dict[str, Document]) -> Document:
    """Follow a pruning back to the model that none of the others made."""
    for _ in made:
        earlier = made.get(text(document, "source"))
        if earlier is None or earlier is document:
            break
        document = earlier
    return document


def removed(before: Document, document: Document) -> float | None:
    """Return the share of weights that is gone or zero; of multiply-adds where not known.

    Args:
        before: The model as it was.
        document: The pruning.
    """
    after = part(document, "after")
    for key in ("nonzero", "parameters", "macs"):
        had, left = positive(before, key), number(after, key)
        if had is not None and left is not None:
            return 1 - left / had
    return None


def _family(family: _Family) -> Markup:
    before = part(family.first, "before")
    afters = [part(each, "after") for each in family.members]
    heads = ["", "before", *(_amount(before, each) for each in family.members)]
    rows = [
        [_name(key, before), *(_cell(key, side) for side in (before, *afters))]
        for key in before
        if key != "metric" and any(side.get(key) is not None for side in (before, *afters))
    ]
    name = basename(text(family.first, "source"))
    title = ", ".join(filter(None, [name, text(family.members[0], "method")]))
    return join(
        tag("h3", title) if title else NOTHING,
        table(heads, rows, set(range(1, len(heads)))),
        _curves(before, family.members),
    )


def _amount(before: Document, document: Document) -> str:
    """Name a column by what was asked and what came of it."""
    share = removed(before, document)
    asked = text(document, "amount") or "after"
    return asked if share is None else f"{asked}: {100 * share:.0f} % removed"


def _curves(before: Document, members: Sequence[Document]) -> Markup:
    """Draw what a share removed does to metric, size and latency."""
    metric = text(before, "metric") or "metric"
    charts = [
        _curve({"value": ""}, f"{metric}, float file", before, members),
        _curve(_SIZES, "size, kB", before, members),
        _curve(_LATENCIES, "latency, ms", before, members),
    ]
    return tag("div", *charts, cls="plots")


def _curve(
    keys: dict[str, str], title: str, before: Document, members: Sequence[Document]
) -> Markup:
    unit = 1000.0 if keys is _SIZES else 1.0
    sides = [(0.0, before), *_removed_sides(before, members)]
    lines = [
        Line(
            name=name,
            points=[
                (share, value / unit)
                for share, side in sides
                if (value := _number(key, side)) is not None
            ],
        )
        for key, name in keys.items()
    ]
    across = Axis(title="weights removed", label=lambda share: f"{100 * share:.0f} %")
    return plot(lines, across, Axis(title=title, from_zero="value" not in keys))


def _removed_sides(
    before: Document, members: Sequence[Document]
) -> Iterator[tuple[float, Document]]:
    for each in members:
        share = removed(before, each)
        if share is not None:
            yield share, part(each, "after")


def _number(key: str, side: Document) -> float | None:
    """Return a number of one side; of a summary of latencies the median."""
    return number(part(side, key), "median") if part(side, key) else number(side, key)


def _name(key: str, before: Document) -> str:
    if key == "value" and text(before, "metric"):
        return text(before, "metric")
    return _NAMES.get(key, key.replace("_", " "))


def _cell(key: str, side: Document) -> str:
    value = _number(key, side)
    if value is None:
        return NONE
    if key == "value":
        return score(side) if text(side, "metric") else percent(value)
    if key.endswith("latency_ms"):
        return ms(value)
    return size(value) if key.endswith("bytes") else f"{value:,.0f}"
