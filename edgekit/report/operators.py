"""What each operator of a model takes, and what to change."""

from edgekit.report.bars import bar
from edgekit.report.documents import Document, Gathered, documents, number, part, text, texts
from edgekit.report.markup import Markup, join, section, tag
from edgekit.report.words import NOTHING, model_name, ms, percent, place

_MOST = 15  # bars of one model
_METHODS = {
    "profiler": "As the runtime tells it",
    "cut": "Each operator was cut out and run alone",
}


def operators(found: Gathered) -> Markup:
    """Show the longest operators of every model that was measured so."""
    shown = [_model(each) for each in found.latencies if documents(each, "ops")]
    note = (
        "Shares are of the whole run; bars are relative to the longest operator. Hatched ones "
        "are those that the delegate does not take."
    )
    return section("Time of each operator", *shown, note=note) if shown else NOTHING


def _model(document: Document) -> Markup:
    order = sorted(documents(document, "ops"), key=lambda each: -(number(each, "ms") or 0.0))
    top = [each for each in order[:_MOST] if number(each, "ms")]
    largest = max((number(each, "share") or 0.0 for each in top), default=0.0) or 1.0
    rows = [_operator(each, largest) for each in top]
    hints = [tag("li", each) for each in texts(part(document, "per_op"), "hints")]
    return join(
        tag("h3", f"{model_name(document)}, {place(document)}"),
        tag("p", _whole(document), cls="note"),
        tag("ol", *rows, cls="bars"),
        tag("p", _rest(order[len(top) :]), cls="note"),
        join(tag("h4", "What to change"), tag("ul", *hints)) if hints else NOTHING,
    )


def _operator(op: Document, largest: float) -> Markup:
    """Draw one operator: what it is, what computes it, its time."""
    share, index = number(op, "share"), number(op, "index")
    name = text(op, "op") or text(op, "kernel")
    kernel = text(op, "kernel")
    return tag(
        "li",
        tag(
            "span",
            tag("strong", name),
            f" {index:.0f}" if index is not None and index >= 0 else "",
            tag("small", kernel) if kernel != name else NOTHING,
        ),
        tag("span", f"{ms(number(op, 'ms'))}, {percent(share)}", cls="number"),
        bar((share or 0.0) / largest, "hatch" if op.get("delegated") is False else "fill"),
    )


def _whole(document: Document) -> str:
    """Say how it was measured, and how far the sum is from the whole."""
    about = part(document, "per_op")
    if not about:
        return ""
    missing = number(about, "difference")
    parts = [
        _METHODS.get(text(about, "method"), ""),
        f"operators {ms(number(about, 'ops_ms'))}",
        f"overhead {ms(number(about, 'overhead_ms'))}",
        f"whole model {ms(number(about, 'whole_ms'))}",
        "" if missing is None else f"their sum differs by {100 * missing:+.1f} %",
    ]
    return "; ".join(filter(None, parts)) + "."


def _rest(left: list[Document]) -> str:
    """Sum up what has no bar."""
    share = sum(number(each, "share") or 0.0 for each in left)
    return f"And {len(left)} more, {percent(max(0.0, share))}." if left else ""
