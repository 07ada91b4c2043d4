"""How long models take: measured, calibrated or estimated, and whether that changed."""

from collections.abc import Sequence

from edgekit.report.bars import guessed, measured
from edgekit.report.documents import Document, Gathered, documents, number, part, text
from edgekit.report.markup import Markup, join, section, table, tag
from edgekit.report.words import NONE, NOTHING, badge, counted, model_name, ms, percent, place

_LOOKS = {"faster": "good", "same": "good", "slower": "bad"}  # of verdicts


def latency(found: Gathered) -> Markup:
    """Show every latency with the way it was obtained."""
    if not found.latencies:
        return NOTHING
    note = (
        "Filled bars were measured: up to the median, with a line from p5 to p95. Framed ones "
        "did not run there: dots frame the range of a device that was calibrated, dashes one "
        "from published times; the tick is the likely time."
    )
    names = dict.fromkeys(model_name(each) for each in found.latencies)
    shown = [
        _model(name, [each for each in found.latencies if model_name(each) == name])
        for name in names
    ]
    return section("Latency by target", *shown, note=note)


def changes(found: Gathered) -> Markup:
    """Show what `profile-diff` says of two measurements."""
    rows = [
        [
            model_name(each),
            ms(number(part(each, "old_ms"), "median")),
            ms(number(part(each, "new_ms"), "median")),
            _signed(number(each, "change_pct")),
            _signed(number(each, "noise_pct")).lstrip("+"),
            badge(text(each, "verdict"), _LOOKS.get(text(each, "verdict"), "warn")),
        ]
        for difference in found.differences
        for each in documents(difference, "models")
    ]
    if not rows:
        return NOTHING
    heads = ["model", "before", "after", "change", "noise", "verdict"]
    note = "Medians. A change within the noise of the two measurements is no news."
    return section("Two measurements compared", table(heads, rows, {1, 2, 3, 4}), note=note)


def calibrations(found: Gathered) -> Markup:
    """Show how far the laws of devices can be trusted."""
    if not found.calibrations:
        return NOTHING
    rows = [
        [
            text(each, "device") or NONE,
            text(each, "runtime") or NONE,
            text(each, "ops_timed"),
            text(each, "nets_timed") or NONE,
            percent(number(each, "error_within_10pct")),
            percent(number(each, "median_error")),
        ]
        for each in found.calibrations
    ]
    heads = ["device", "runtime", "operators", "nets", "within 10 %", "median error"]
    note = "Errors are of nets that were left out of the fit, each once."
    return section("Calibrated devices", table(heads, rows, {2, 3, 4, 5}), note=note)


def _model(name: str, latencies: Sequence[Document]) -> Markup:
    """Show where a model runs, all bars to one scale."""
    largest = max(map(_reach, latencies)) or 1.0
    heads = ["on", "kind", "typical", "range", "", "runtime"]
    rows = [_row(each, largest) for each in latencies]
    return join(tag("h3", name), table(heads, rows, {2, 3}))


def _row(document: Document, largest: float) -> list[str]:
    kind, likely = text(document, "kind"), _typical(document)
    low, high = _bounds(document)
    reach = None if low is None or high is None else (low / largest, high / largest)
    at = (likely or 0.0) / largest
    ran = kind == "measured"
    return [
        place(document),
        badge(kind, f"{'good' if ran else 'warn'} kind-{kind}"),
        ms(likely) if ran or likely is None else f"about {ms(likely)}",
        NONE if reach is None else f"{ms(low)} to {ms(high)}",
        measured(at, reach) if ran else guessed(at, reach, kind),
        _runtime(document),
    ]


def _runtime(document: Document) -> str:
    threads, delegate = text(document, "threads"), text(document, "delegate")
    facts = [
        text(document, "runtime"),
        counted(threads, "thread") if threads else "",
        delegate if delegate != "cpu" else "",
    ]
    return ", ".join(filter(None, facts)) or NONE


def _typical(document: Document) -> float | None:
    """Return the median of a measurement, or the likely time of an estimate."""
    return number(part(document, "latency_ms"), "median") or number(document, "latency_ms")


def _bounds(document: Document) -> tuple[float | None, float | None]:
    """Return the range of a latency: the estimate's own, or p5 to p95."""
    if "low_ms" in document:
        return number(document, "low_ms"), number(document, "high_ms")
    summary = part(document, "latency_ms")
    return number(summary, "p5"), number(summary, "p95")


def _reach(document: Document) -> float:
    """Return how far its bar goes."""
    return max(_bounds(document)[1] or 0.0, _typical(document) or 0.0)


def _signed(percents: float | None) -> str:
    return NONE if percents is None else f"{percents:+.1f} %"
