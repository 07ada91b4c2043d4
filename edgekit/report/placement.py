"""Which operator runs where: a map of each model on its target."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from edgekit.report.bars import Span, spans, swatch
from edgekit.report.documents import Document, Gathered, basename, documents, part, text, texts
from edgekit.report.markup import Markup, join, section, table, tag
from edgekit.report.words import NOTHING, badge, counted, model_name

_PLACES = ("edgetpu", "npu", "gpu", "cpu", "uncertain")
_MOST_ROWS = 30


def placement(found: Gathered) -> Markup:
    """Show the map of each inspected model, and the counts of each artifact without one."""
    maps = [_inspected(each) for each in found.inspections if _placed(each)]
    mapped = {(model_name(each), text(each, "target")) for each in found.inspections}
    counts = [
        _predicted(each)
        for each in found.artifacts
        if part(part(each, "placement"), "summary")
        and (basename(text(each, "path")), text(each, "target")) not in mapped
    ]
    note = "Operators from the first to the last, as they are predicted to be placed."
    shown = [*maps, *counts]
    return section("Placement", *shown, note=note) if shown else NOTHING


def _placed(document: Document) -> list[Document]:
    return [each for each in documents(document, "ops") if text(each, "placement")]


def _inspected(document: Document) -> Markup:
    """Draw one model: a strip in the order of execution, and why each part is there."""
    ops = _placed(document)
    where = [text(each, "placement") for each in ops]
    rows = list(_rows(ops))
    left = len(rows) - _MOST_ROWS
    return join(
        tag("h3", f"{model_name(document)} on {text(document, 'target')}"),
        spans(list(_strip(where))),
        _legend(Counter(where)),
        table(["#", "operator", "runs on", "why"], rows[:_MOST_ROWS]),
        tag("p", f"And {left} more parts.", cls="note") if left > 0 else NOTHING,
    )


def _predicted(artifact: Document) -> Markup:
    """Draw an artifact of which only the counts are known."""
    about = part(artifact, "placement")
    found = part(about, "summary")
    counts = {key: found[key] for key in found if isinstance(found[key], int)}
    where = [key for key in _order(counts) for _ in range(min(max(counts[key], 0), 10_000))]
    reasons = [tag("li", each) for each in texts(about, "elsewhere")]
    return join(
        tag("h3", f"{basename(text(artifact, 'path'))} on {text(artifact, 'target')}"),
        spans(list(_strip(where))),
        _legend(counts),
        tag("ul", *reasons) if reasons else NOTHING,
    )


def _strip(where: Sequence[str]) -> Iterator[Span]:
    """Yield the parts of a strip: neighbours in the same place are one."""
    begin = 0
    for place, group in groupby(where):
        end = begin + sum(1 for _ in group)
        yield Span(begin=begin / len(where), end=end / len(where), look=_look(place))
        begin = end


def _rows(ops: Sequence[Document]) -> Iterator[list[str]]:
    """Yield a row for each run of neighbours that are in one place for one reason."""
    for (place, why), group in groupby(ops, key=_alike):
        alike = list(group)
        first, last = text(alike[0], "index"), text(alike[-1], "index")
        kinds = Counter(text(each, "op") for each in alike)
        names = [f"{count} {name}" if count > 1 else name for name, count in kinds.items()]
        yield [
            first if len(alike) == 1 else f"{first} to {last}",
            ", ".join(names),
            badge(place, _look(place)),
            why,
        ]


def _alike(op: Document) -> tuple[str, str]:
    return text(op, "placement"), text(op, "reason")


def _legend(counts: Mapping[str, int]) -> Markup:
    keys = [
        tag("span", swatch(_look(place)), " ", f"{place}: {counted(counts[place], 'operator')}")
        for place in _order(counts)
    ]
    return tag("p", *keys, cls="legend")


def _order(counts: Mapping[str, int]) -> list[str]:
    """Return the places that occur, the known ones first."""
    known = [place for place in _PLACES if counts.get(place)]
    return known + [place for place in counts if place not in _PLACES and counts[place]]


def _look(place: str) -> str:
    return f"on-{place}" if place in _PLACES else "on-uncertain"
