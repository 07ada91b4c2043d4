"""Small line plots as inline SVG; colours come from the page, so that dark pages work too."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from edgekit.report.markup import Markup, tag

Point = tuple[float, float]

_WIDTH, _HEIGHT = 340, 190
_LEFT, _TOP, _RIGHT, _BOTTOM = 58, 10, 14, 40  # margins
_LOOKS = 4  # colours and dashes in page.css
_TICKS = 4  # about so many
_CLOSE = 1e-6  # of a step; floats are not exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve.

    Attributes:
        name: What it shows, for the legend; empty where the axis says it all.
        points: Its corners, from left to right.
        marked: Points with a ring around them.
    """

    name: str
    points: Sequence[Point]
    marked: Sequence[Point] = ()


def _short(value: float) -> str:
    return f"{value:,.10g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """How numbers become places.

    Attributes:
        title: What the numbers are, with their unit.
        label: Writes one of them.
        from_zero: Whether it begins at 0, so that lengths can be compared.
        at: Where to write numbers; empty for round ones.
    """

    title: str
    label: Callable[[float], str] = field(default=_short)
    from_zero: bool = True
    at: tuple[float, ...] = ()


def plot(lines: Sequence[Line], x: Axis, y: Axis) -> Markup:
    """Return a figure; nothing where no line has two points.

    Args:
        lines: The curves.
        x: The axis below; its title stands there.
        y: The axis on the left; its title stands above the figure.
    """
    drawn = [line for line in lines if len(line.points) > 1]
    if not drawn:
        return Markup("")
    points = [point for line in drawn for point in line.points]
    across = _Scale([p[0] for p in points], x, _LEFT, _WIDTH - _RIGHT, rounded=False)
    up = _Scale([p[1] for p in points], y, _HEIGHT - _BOTTOM, _TOP, rounded=True)
    picture = tag(
        "svg",
        *_grid(across, up),
        *(part for place, line in enumerate(drawn) for part in _curve(place, line, across, up)),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        cls="plot",
        role="img",
        aria_label=f"{y.title} by {x.title}",
    )
    return tag("figure", tag("figcaption", y.title), picture, _legend(drawn))


class _Scale:
    """Where the numbers of one axis lie in the picture."""

    def __init__(
        self, values: Sequence[float], axis: Axis, begin: float, end: float, *, rounded: bool
    ) -> None:
        low, high = min(values), max(values)
        if axis.from_zero:
            low, high = min(low, 0.0), max(high, 0.0)
        least = 1e-9 + 1e-6 * max(abs(low), abs(high))
        if high - low < least:
            low, high = low - least, high + least
        step = round_step(high - low)
        if rounded:
            low, high = math.floor(low / step) * step, math.ceil(high / step) * step
        self.axis, self.low, self.high, self.step = axis, low, high, step
        self.begin, self.end = begin, end

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield places and what is written there."""
        first = math.ceil(self.low / self.step - _CLOSE)
        last = math.floor(self.high / self.step + _CLOSE)
        for value in self.axis.at or [n * self.step for n in range(first, last + 1)]:
            yield self(value), self.axis.label(round(value, 12))


def round_step(span: float) -> float:
    """Return a round distance between numbers on an axis.

    Args:
        span: From its begin to its end, > 0.

    >>> [round_step(each) for each in (1.0, 7.3, 130.0)]
    [0.2, 2.0, 50.0]
    """
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    fitting = (step for step in (1, 2, 5) if step * power * (_TICKS + 1) >= span)
    return next(fitting, 10) * power


def _grid(across: _Scale, up: _Scale) -> Iterator[Markup]:
    bottom = _HEIGHT - _BOTTOM
    for place, label in up.ticks():
        y = f"{place:.1f}"
        yield tag("line", x1=str(_LEFT), x2=str(_WIDTH - _RIGHT), y1=y, y2=y, cls="grid")
        yield tag("text", label, x=str(_LEFT - 6), y=y, dy="4", text_anchor="end")
    for place, label in across.ticks():
        yield tag("text", label, x=f"{place:.1f}", y=str(bottom + 16), text_anchor="middle")
    middle = str((_LEFT + _WIDTH - _RIGHT) / 2)
    yield tag("text", across.axis.title, x=middle, y=str(_HEIGHT - 6), text_anchor="middle")


def _curve(place: int, line: Line, across: _Scale, up: _Scale) -> Iterator[Markup]:
    corners = [(f"{across(x):.1f}", f"{up(y):.1f}") for x, y in line.points]
    look = _look(place)
    yield tag("polyline", points=" ".join(f"{x},{y}" for x, y in corners), cls=f"line {look}")
    if len(corners) <= _WIDTH / 20:
        for cx, cy in corners:
            yield tag("circle", cx=cx, cy=cy, r="2.5", cls=f"dot {look}")
    for x, y in line.marked:
        ring = {"cx": f"{across(x):.1f}", "cy": f"{up(y):.1f}", "r": "6"}
        yield tag("circle", **ring, cls=f"line ring {look}")


def _legend(lines: Sequence[Line]) -> Markup:
    """Return what each line is, where they have names."""
    keys = []
    for place, line in enumerate(lines):
        stroke = tag("line", x2="26", y1="6", y2="6", cls=f"line {_look(place)}")
        picture = tag("svg", stroke, width="26", height="12", aria_hidden="true")
        keys += [tag("span", picture, " ", line.name)] if line.name else []
    return tag("p", *keys, cls="legend") if keys else Markup("")


def _look(place: int) -> str:
    return f"look-{place % _LOOKS}"
