"""Which setting is the fastest, and whether it stays so in a long run."""

from collections.abc import Callable, Iterable

from edgekit.report.documents import Document, Gathered, documents, number, part, text, texts
from edgekit.report.markup import Markup, join, section, tag
from edgekit.report.plots import Axis, Line, Point, plot
from edgekit.report.words import NOTHING, counted, model_name, ms, place


def sweeps(found: Gathered) -> Markup:
    """Show latency by threads, one line for each delegate."""
    return _section(found, "sweep", "Threads and delegates", _sweep)


def sustained(found: Gathered) -> Markup:
    """Show latency, temperature and clock over a run without pause."""
    return _section(found, "sustained", "Without pause", _sustained)


def _section(
    found: Gathered, key: str, title: str, draw: Callable[[Document], Markup]
) -> Markup:
    shown = [
        join(tag("h3", f"{model_name(each)}, {place(each)}"), draw(part(each, key)))
        for each in found.latencies
        if part(each, key)
    ]
    return section(title, *shown) if shown else NOTHING


def _sweep(sweep: Document) -> Markup:
    best = part(sweep, "recommended")
    tried = documents(sweep, "settings")
    names = dict.fromkeys(text(each, "delegate") for each in tried)
    lines = [
        Line(
            name=name,
            points=_medians(each for each in tried if text(each, "delegate") == name),
            marked=_medians([best] if text(best, "delegate") == name else []),
        )
        for name in names
    ]
    threads = tuple(sorted({x for line in lines for x, _ in line.points}))
    across = Axis(title="threads", from_zero=False, at=threads)
    left_out = [tag("li", each) for each in texts(sweep, "skipped")]
    return join(
        tag("p", _recommended(best), cls="note"),
        plot(lines, across, Axis(title="median, ms")),
        tag("ul", *left_out) if left_out else NOTHING,
    )


def _medians(settings: Iterable[Document]) -> list[Point]:
    pairs = [
        (number(each, "threads"), number(part(each, "latency_ms"), "median"))
        for each in settings
    ]
    return sorted((x, y) for x, y in pairs if x is not None and y is not None)


def _recommended(best: Document) -> str:
    threads = counted(text(best, "threads"), "thread")
    median = ms(number(part(best, "latency_ms"), "median"))
    return f"Recommended, with a ring: {text(best, 'delegate')}, {threads}, {median}."


def _sustained(run: Document) -> Markup:
    slowdown = number(run, "slowdown")
    said = [
        f"{text(run, 'runs')} runs in {number(run, 'seconds') or 0.0:.0f} s",
        ""
        if slowdown is None
        else f"the last fifth differs from the first by {100 * slowdown:+.1f} %",
    ]
    notes = [tag("li", each) for each in texts(run, "notes")]
    speed = [_over_time(run, "median_ms", "median"), _over_time(run, "p95_ms", "p95")]
    charts = [
        _plot(speed, Axis(title="latency, ms")),
        _plot([_over_time(run, "temperature_c", "")], Axis(title="°C", from_zero=False)),
        _plot([_over_time(run, "clock_mhz", "")], Axis(title="clock, MHz")),
    ]
    return join(
        tag("p", f"{'; '.join(filter(None, said))}.", cls="note"),
        tag("div", *charts, cls="plots"),
        tag("ul", *notes) if notes else NOTHING,
    )


def _plot(lines: list[Line], up: Axis) -> Markup:
    return plot(lines, Axis(title="seconds"), up)


def _over_time(run: Document, key: str, name: str) -> Line:
    pairs = [(number(each, "t_s"), number(each, key)) for each in documents(run, "curve")]
    return Line(name=name, points=[(x, y) for x, y in pairs if x is not None and y is not None])
