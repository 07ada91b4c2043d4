"""What `edgekit profile` shows of operators, settings and a long run."""

from edgekit.cli import tables
from edgekit.cli.common import Document

_MOST_ROWS = 20
_MOST_MOMENTS = 12


def show(found: Document) -> None:
    """Show all that was measured of a model beside its latency."""
    if found.get("sweep"):
        _show_sweep(found["sweep"])
    if found.get("per_op"):
        _show_operators(found)
    if found.get("sustained"):
        _show_sustained(found["sustained"])


def _show_sweep(sweep: Document) -> None:
    tables.line()
    heads = ["threads", "delegate", "p5", "median", "p95", "first run", ""]
    best = sweep["recommended"]
    rows = [
        (
            each["threads"],
            each["delegate"],
            *(_ms(each["latency_ms"][key]) for key in ("p5", "median", "p95")),
            _ms(each["first_ms"]),
            "recommended" if each == best else "",
        )
        for each in sweep["settings"]
    ]
    tables.table(heads, rows, numbers=("p5", "median", "p95", "first run"), title="Settings")
    tables.warned(sweep["skipped"])


def _show_operators(found: Document) -> None:
    about = found["per_op"]
    order = sorted(found["ops"], key=lambda each: -each["ms"])
    shown = [each for each in order[:_MOST_ROWS] if each["ms"] > 0]
    tables.line()
    heads = ["#", "operator", "kernel", "ms", "share", "GMAC/s", "of roof"]
    tables.table(
        heads,
        map(_row, shown),
        numbers=("#", "ms", "share", "GMAC/s", "of roof"),
        title="Time of each operator, the longest first",
    )
    rest = sum(each["share"] for each in order) - sum(each["share"] for each in shown)
    left = len(order) - len(shown)
    if left:
        tables.line(f"and {left} more, {tables.percent(max(0.0, rest))}; --json has all.")
    how = {"profiler": "told by the runtime", "cut": "each operator alone"}[about["method"]]
    tables.line()
    tables.facts(
        [
            ("measured by", f"{about['method']}: {how}, {about['runs']} runs"),
            ("operators, overhead", f"{_ms(about['ops_ms'])} + {_ms(about['overhead_ms'])} ms"),
            ("whole model", f"{_ms(about['whole_ms'])} ms, {_signed(about['difference'])}"),
            ("parts of XNNPACK", about["partitions"]),
        ]
    )
    tables.warned(about["notes"])
    if about["hints"]:
        tables.line()
        tables.line("What to change:")
    for hint in about["hints"]:
        tables.line(f"- {hint['text']}")


def _row(each: Document) -> tuple[object, ...]:
    rate, roof = each["gmacs_per_s"], each["of_roof"]
    is_op = each["index"] >= 0
    return (
        each["index"] if is_op else None,
        each["op"] or None,
        each["kernel"] or None,
        _ms(each["ms"]),
        tables.percent(each["share"]),
        None if rate is None else f"{rate:.3g}",
        None if roof is None else f"{roof:.0%}",
    )


def _show_sustained(found: Document) -> None:
    curve = found["curve"]
    step = -(-len(curve) // _MOST_MOMENTS)
    kept = curve[step - 1 :: step]
    tables.line()
    heads = ["after", "median", "p95", "temperature", "clock"]
    rows = [
        (
            f"{each['t_s']:.0f} s",
            _ms(each["median_ms"]),
            _ms(each["p95_ms"]),
            _with_unit(each["temperature_c"], "°C"),
            _with_unit(each["clock_mhz"], "MHz"),
        )
        for each in kept
    ]
    change = f"{_signed(found['slowdown'])} from the first to the last fifth"
    title = f"Without pause: {found['runs']} runs, {change}"
    tables.table(heads, rows, numbers=heads, title=title)


def _with_unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.0f} {unit}"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f} %"


def _ms(value: float) -> str:
    return tables.milliseconds(value).removesuffix(" ms")
