"""The DET curve of a keyword model: what it misses against what it imagines, as SVG."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgekit.errors import UsageError
from edgekit.evaluation.evaluate import Evaluation
from edgekit.evaluation.keywords import DetPoint, Spotting
from edgekit.files import atomic_write
from edgekit.report.markup import Markup, tag

_WIDTH, _HEIGHT = 640, 420
_LEFT, _TOP, _RIGHT, _BOTTOM = 64, 40, 150, 52  # margins
_COLORS = ("#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce", "#b45309", "#0f766e", "#be185d")
_DASHES = ("", "7 4", "2 3", "9 3 2 3")  # so that they can be told apart without colours
_TOPS = (0.1, 0.15, 0.2, 0.25, 0.5, 1.0)  # shares of misses that the picture reaches up to


def write_det(found: Evaluation, path: Path) -> None:
    """Draw the curve of every word that was said; a ring is the threshold in use.

    Args:
        found: What `evaluate` gave for recordings.
        path: Where to.

    Raises:
        UsageError: The evaluation is of something else.
        EdgekitError: The file cannot be written.
    """
    if found.spotting is None:
        msg = f"A DET curve needs recordings of a keyword model; {found.data} are none."
        raise UsageError(msg)
    atomic_write(path, draw(found.spotting, Path(found.model).name))


def need_svg(path: Path) -> None:
    """Refuse a name that says another format.

    Raises:
        UsageError: It does not end in .svg.
    """
    if path.suffix.lower() != ".svg":
        msg = f"The DET curve is written as SVG; call it {path.with_suffix('.svg')}."
        raise UsageError(msg)


def draw(spotting: Spotting, name: str) -> str:
    """Return the picture.

    Args:
        spotting: What was counted.
        name: The model's, for the title.
    """
    words = [each for each in spotting.words if each.said]
    scale = _Scale(spotting)
    curves = [
        part
        for number, each in enumerate(words)
        for part in _curve(each.word, spotting, scale, number)
    ]
    hours = (
        f"{spotting.hours:.1f} h" if spotting.hours >= 1 else f"{spotting.hours * 60:.0f} min"
    )
    title = f"{name}: words missed against false alarms, {hours}"
    picture = tag(
        "svg",
        tag("rect", width="100%", height="100%", fill="#fff"),
        tag("text", title, x=str(_LEFT), y="22", font_size="14", font_weight="bold"),
        *scale.grid(),
        *curves,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        width=str(_WIDTH),
        height=str(_HEIGHT),
        font_family="system-ui, sans-serif",
        font_size="12",
        role="img",
    )
    return f"{picture}\n"


class _Scale:
    """Where shares and rates lie in the picture.

    Rates are on a logarithmic scale that begins at one alarm in all the recordings; none at
    all stands at its left end.
    """

    def __init__(self, spotting: Spotting) -> None:
        rates = [
            point.false_alarms_per_hour or 0.0
            for points in spotting.det.values()
            for point in points
        ]
        least = 1 / spotting.hours if spotting.hours else 1.0
        self._low = math.floor(math.log10(least)) - 0.5
        self._high = max(math.ceil(math.log10(max([*rates, least]))), self._low + 1.5)
        used = [each.false_rejects or 0.0 for each in spotting.words]
        self._top = next((top for top in _TOPS if top >= 1.5 * max(used, default=0.0)), 1.0)

    def x(self, rate: float) -> float:
        place = self._low if rate <= 0 else math.log10(rate)
        share = (place - self._low) / (self._high - self._low)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, share: float) -> float:
        return _HEIGHT - _BOTTOM - min(share / self._top, 1.0) * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self) -> Iterator[Markup]:
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        ticks = [(0.0, "0")]
        decades = range(math.ceil(self._low), math.floor(self._high) + 1)
        ticks += [(10.0**each, f"{10.0**each:g}") for each in decades]
        for rate, label in ticks:
            x = f"{self.x(rate):.1f}"
            yield tag("line", x1=x, x2=x, y1=str(_TOP), y2=str(bottom), stroke="#ddd")
            yield tag("text", label, x=x, y=str(bottom + 18), text_anchor="middle")
        for part in range(6):
            share = self._top * part / 5
            y = f"{self.y(share):.1f}"
            yield tag("line", x1=str(_LEFT), x2=str(right), y1=y, y2=y, stroke="#ddd")
            label = f"{100 * share:.3g} %"
            yield tag("text", label, x=str(_LEFT - 8), y=y, dy="4", text_anchor="end")
        middle = str((_LEFT + right) / 2)
        legend = "false alarms an hour"
        yield tag("text", legend, x=middle, y=str(bottom + 38), text_anchor="middle")


def _curve(word: str, spotting: Spotting, scale: _Scale, number: int) -> Iterator[Markup]:
    """Draw one word: its curve, the ring at its threshold, its line in the legend."""
    color, dash = _COLORS[number % len(_COLORS)], _DASHES[number % len(_DASHES)]
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in _steps(spotting.det[word], scale))
    look = {"fill": "none", "stroke": color, "stroke_width": "2", "stroke_dasharray": dash}
    yield tag("polyline", points=way, **look)
    (used,) = (each for each in spotting.words if each.word == word)
    rate = used.false_alarms / spotting.hours if spotting.hours else 0.0
    x, y = scale.x(rate), scale.y(used.false_rejects or 0.0)
    yield tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="5", fill="#fff", stroke=color)
    at = _TOP + 12 + 20 * number
    left = _WIDTH - _RIGHT + 14
    yield tag("line", x1=str(left), x2=str(left + 26), y1=str(at), y2=str(at), **look)
    yield tag("text", word, x=str(left + 34), y=str(at), dy="4")


def _steps(points: Sequence[DetPoint], scale: _Scale) -> Iterator[tuple[float, float]]:
    """Yield the corners: between two thresholds that were tried nothing is promised."""
    last: float | None = None
    for point in sorted(points, key=lambda each: -each.threshold):
        x, y = scale.x(point.false_alarms_per_hour or 0.0), scale.y(point.false_rejects or 0.0)
        if last is not None:
            yield x, last
        yield x, y
        last = y
