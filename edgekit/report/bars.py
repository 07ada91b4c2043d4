"""Bars as inline SVG: as wide as there is room, so that no text in them must shrink."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.report.markup import Markup, tag

_HEIGHT = 14
_THIN = 0.004  # what is narrower cannot be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a bar.

    Attributes:
        begin: Where it begins, 0 to 1.
        end: Where it ends.
        look: Class that colours it.
    """

    begin: float
    end: float
    look: str


def bar(share: float, look: str = "fill") -> Markup:
    """Return a bar that is filled up to a share.

    Args:
        share: Of the whole width, 0 to 1; what is beyond is cut off.
        look: Class that colours it.
    """
    return spans([Span(begin=0.0, end=share, look=look)])


def measured(typical: float, reach: tuple[float, float] | None) -> Markup:
    """Return a filled bar with a line over its reach; all are shares of the width."""
    line = [_line(*reach)] if reach else []
    return _svg(_rect(0.0, typical, "fill"), *line)


def guessed(typical: float, reach: tuple[float, float] | None, kind: str) -> Markup:
    """Return a range without a filled bar: nothing ran as long as that.

    Args:
        typical: Where the tick is; a share of the width, as the rest.
        reach: Begin and end of the range; None where the document has none.
        kind: `calibrated` or `estimated`, which look different.
    """
    at = _percent(typical)
    tick = tag("line", x1=at, x2=at, y1="0", y2=str(_HEIGHT), cls="tick")
    frame = [_rect(*reach, f"range range-{kind}")] if reach else []
    return _svg(*frame, tick)


def spans(parts: Sequence[Span]) -> Markup:
    """Return a bar of coloured parts."""
    return _svg(*(_rect(each.begin, each.end, each.look) for each in parts))


def swatch(look: str) -> Markup:
    """Return a small square of a colour, for legends."""
    return tag(
        "svg",
        tag("rect", width="12", height="12", rx="2", cls=look),
        width="12",
        height="12",
        aria_hidden="true",
    )


def _svg(*parts: Markup) -> Markup:
    track = tag("rect", width="100%", height=str(_HEIGHT), rx="3", cls="track")
    return tag(
        "svg", track, *parts, cls="bar", width="100%", height=str(_HEIGHT), aria_hidden="true"
    )


def _rect(begin: float, end: float, look: str) -> Markup:
    first, last = _clipped(begin), _clipped(end)
    width = _percent(max(last - first, _THIN)) if end > begin else "0"
    return tag("rect", x=_percent(first), width=width, height=str(_HEIGHT), rx="3", cls=look)


def _line(low: float, high: float) -> Markup:
    middle = str(_HEIGHT / 2)
    return tag("line", x1=_percent(low), x2=_percent(high), y1=middle, y2=middle, cls="reach")


def _percent(share: float) -> str:
    return f"{100 * _clipped(share):.2f}%"


def _clipped(share: float) -> float:
    return min(max(share, 0.0), 1.0)
