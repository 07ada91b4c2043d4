"""The sections of the page; each is empty where the documents have nothing for it."""

import shlex
from collections.abc import Callable

from edgekit.report.documents import (
    Document,
    Gathered,
    basename,
    number,
    part,
    text,
    texts,
)
from edgekit.report.markup import Markup, bar, join, section, table, tag

NONE = "–"  # noqa: RUF001 (a dash in a table)
NOTHING = Markup("")


def title(found: Gathered) -> str:
    """Name the page after its models."""
    names = {_source_name(run) for run in found.runs} - {""}
    models = names or {_model_name(each) for each in found.latencies} - {""}
    return f"edgekit report: {', '.join(sorted(models))}" if models else "edgekit report"


def sizes(found: Gathered) -> Markup:
    """Show every artifact and its size."""
    if not found.artifacts:
        return NOTHING
    largest = max((number(each, "bytes") or 0.0) for each in found.artifacts) or 1.0
    rows = [
        [
            basename(text(each, "path")),
            text(each, "target") or NONE,
            text(each, "scheme") or NONE,
            _bytes(number(each, "bytes")),
            _bytes(number(each, "gzip_bytes")),
            bar((number(each, "bytes") or 0.0) / largest),
        ]
        for each in found.artifacts
    ]
    heads = ["file", "target", "scheme", "size", "compressed", ""]
    originals = [_original(run) for run in found.runs]
    note = " ".join(filter(None, originals))
    return section("Models and sizes", table(heads, rows, {3, 4}), note=note)


def accuracy(found: Gathered) -> Markup:
    """Show what the float model and each artifact reach on the same data."""
    rows = [
        [
            text(each, "target") or basename(text(each, "path")),
            text(part(each, "float"), "metric")
            or text(part(each, "quantized"), "metric")
            or NONE,
            _value(part(each, "float")),
            _value(part(each, "quantized")),
            _points(number(each, "drop")),
            _percent(number(each, "agreement")),
        ]
        for each in found.artifacts
        if any(each.get(key) is not None for key in ("float", "quantized", "agreement"))
    ]
    rows += [
        [_model_name(each), text(each, "metric"), NONE, _value(each), NONE, NONE]
        for each in found.evaluations
    ]
    if not rows:
        return NOTHING
    heads = ["model", "metric", "float", "quantized", "drop", "agreement"]
    note = (
        "Drop is float minus quantized, in percentage points. Agreement is the share of "
        "samples where both choose the same class."
    )
    return section("Accuracy", table(heads, rows, {2, 3, 4, 5}), note=note)


def targets(found: Gathered) -> Markup:
    """Show whether each artifact suits its target."""
    rows = [
        [
            text(each, "target") or NONE,
            basename(text(each, "path")),
            _yes_no(each.get("fully_integer")),
            _gate(each),
        ]
        for each in found.artifacts
    ]
    if not rows:
        return NOTHING
    return section("Targets", table(["target", "file", "fully integer", "gate"], rows))


def latency(found: Gathered) -> Markup:
    """Show every latency with the way it was obtained."""
    if not found.latencies:
        return NOTHING
    tops = [_bounds(each)[1] or 0.0 for each in found.latencies]
    largest = max(tops) or 1.0
    rows = [_latency_row(each, largest) for each in found.latencies]
    heads = ["model", "kind", "typical", "range", "", "on", "runtime"]
    note = (
        "Typical is the median. The range is p5 to p95 of a measurement, and the printed "
        "range of an estimate; the line in the bar shows it."
    )
    return section("Latency", table(heads, rows, {2, 3}), note=note)


def pruning(found: Gathered) -> Markup:
    """Show each model before and after pruning."""
    rows = [
        [key.replace("_", " "), _plain(each, "before", key), _plain(each, "after", key)]
        for each in found.prunings
        for key in part(each, "before")
    ]
    if not rows:
        return NOTHING
    return section("Pruning", table(["", "before", "after"], rows, {1, 2}))


def warnings(found: Gathered) -> Markup:
    """List what the commands warned of."""
    said = [
        tag("li", f"{text(each, 'target') or basename(text(each, 'path'))}: {warning}")
        for each in found.artifacts
        for warning in texts(each, "warnings")
    ]
    said += [tag("li", each) for run in found.runs for each in texts(run, "warnings")]
    said += [
        tag("li", f"{_model_name(each)}: {note}")
        for each in found.latencies
        for note in texts(each, "notes")
    ]
    return section("Warnings", tag("ul", *said)) if said else NOTHING


def methods(found: Gathered) -> Markup:
    """Say how each kind of number was obtained."""
    entries: list[tuple[str, str]] = []
    if found.artifacts:
        entries.append(("Sizes", "Bytes of the files as written; compressed with gzip."))
    if any(part(each, "quantized") for each in found.artifacts) or found.evaluations:
        how = "Each model was run over the whole evaluation set. " + _samples(found)
        entries.append(("Accuracy", how.strip()))
    if any(each.get("agreement") is not None for each in found.artifacts):
        how = "Both models were run over the calibration samples in one pass."
        entries.append(("Agreement", " ".join([how, *map(_calibration, found.runs)]).strip()))
    entries += [(f"Latency of {_model_name(each)}", _method(each)) for each in found.latencies]
    said = [join(tag("dt", name), tag("dd", how)) for name, how in entries]
    return section("How each number was obtained", tag("dl", *said)) if said else NOTHING


def repeat(found: Gathered) -> Markup:
    """Print the commands that repeat the runs."""
    commands = [_command(run) for run in found.runs] + [
        f"edgekit profile {shlex.quote(text(each, 'model'))}"
        for each in found.latencies
        if each.get("kind") == "measured" and each.get("model")
    ]
    said = [tag("pre", each) for each in commands if each]
    return section("To repeat it", *said) if said else NOTHING


ORDER: tuple[Callable[[Gathered], Markup], ...] = (
    sizes,
    accuracy,
    targets,
    latency,
    pruning,
    warnings,
    methods,
    repeat,
)


def _source_name(run: Document) -> str:
    source = run.get("source")
    if isinstance(source, dict):
        return basename(text(source, "file") or text(source, "path"))
    return basename(source) if isinstance(source, str) else ""


def _original(run: Document) -> str:
    name, source = _source_name(run), part(run, "source")
    size, loaded_by = _bytes(number(source, "bytes")), text(source, "loaded_by")
    facts = [size if size != NONE else "", f"loaded by {loaded_by}" if loaded_by else ""]
    said = ", ".join(filter(None, facts))
    return f"Made from {name}{f' ({said})' if said else ''}." if name else ""


def _model_name(document: Document) -> str:
    return basename(text(document, "model") or text(document, "path"))


def _command(run: Document) -> str:
    """Return the command that repeats a conversion from its run.json."""
    if not part(run, "recipe"):
        return ""
    return f"edgekit convert --recipe {shlex.quote(text(run, 'file'))} -o again/"


def _bounds(document: Document) -> tuple[float | None, float | None]:
    """Return the range of a latency: the estimate's own, or p5 to p95."""
    if "low_ms" in document:
        return number(document, "low_ms"), number(document, "high_ms")
    summary = part(document, "latency_ms")
    return number(summary, "p5"), number(summary, "p95")


def _typical(document: Document) -> float | None:
    return number(part(document, "latency_ms"), "median") or number(document, "latency_ms")


def _latency_row(document: Document, largest: float) -> list[str]:
    kind, typical, (low, high) = text(document, "kind"), _typical(document), _bounds(document)
    reach = (None, None) if low is None or high is None else (low / largest, high / largest)
    threads = text(document, "threads")
    how = f", {threads} thread{'s' if threads != '1' else ''}" if threads else ""
    return [
        _model_name(document),
        _badge(kind, f"{'good' if kind == 'measured' else 'warn'} kind-{kind}"),
        _ms(typical),
        f"{_ms(low)} to {_ms(high)}" if reach[0] is not None else NONE,
        bar((typical or 0.0) / largest, *reach),
        _place(document),
        text(document, "runtime") + how,
    ]


def _place(document: Document) -> str:
    machine = part(document, "machine")
    names = (text(document, "target"), text(machine, "board"), text(machine, "cpu"))
    return next(filter(None, names), text(machine, "arch") or NONE)


def _method(document: Document) -> str:
    if document.get("kind") != "measured":
        return f"{text(document, 'kind').capitalize()}: it did not run on the device."
    machine = part(document, "machine")
    facts = [
        text(machine, "board"),
        text(machine, "cpu"),
        f"{text(machine, 'cores')} cores" if machine.get("cores") else "",
        text(machine, "os"),
        f"kernel {text(machine, 'kernel')}" if machine.get("kernel") else "",
        f"governor {text(machine, 'governor')}" if machine.get("governor") else "",
        f"{text(machine, 'temperature_c')} °C" if machine.get("temperature_c") else "",
        f"load {text(machine, 'load')}" if machine.get("load") is not None else "",
    ]
    where = ", ".join(filter(None, facts))
    runs, warm = text(document, "runs"), text(document, "warmup_runs")
    return f"Measured: {runs} runs after {warm or 'some'} to warm up. {where}."


def _calibration(run: Document) -> str:
    data = part(run, "calibration")
    if not data:
        return ""
    seed = f", chosen with seed {text(data, 'seed')}" if "seed" in data else ""
    return f"{text(data, 'samples')} samples of {text(data, 'data')}{seed}."


def _samples(found: Gathered) -> str:
    counts = {text(each, "evaluation_samples") for each in found.artifacts} | {
        text(each, "samples") for each in found.evaluations
    }
    known = ", ".join(sorted(counts - {""}))
    return f"Samples: {known}." if known else ""


def _value(score: Document) -> str:
    value = number(score, "value")
    if value is not None and text(score, "metric").endswith("_db"):
        return f"{value:.1f} dB"
    return _percent(value)


def _gate(artifact: Document) -> Markup:
    """Say what came of the gate; artifacts of runs without one say nothing."""
    if artifact.get("rejected"):
        return _badge("rejected", "bad")
    limit = number(artifact, "max_drop")
    return tag("span", NONE) if limit is None else _badge(f"within {limit:g} points", "good")


def _plain(document: Document, side: str, key: str) -> str:
    value = part(document, side).get(key)
    if isinstance(value, dict):  # a summary of latencies
        value = value.get("median")
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value or NONE)


def _bytes(size: float | None) -> str:
    if size is None:
        return NONE
    return f"{size / 1000:,.1f} kB" if size < 1e6 else f"{size / 1e6:,.2f} MB"


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.1f} %"


def _points(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:+.2f}"


def _ms(value: float | None) -> str:
    if value is None:
        return NONE
    return (
        f"{value:.3f} ms"
        if value < 1
        else f"{value:.2f} ms"
        if value < 100
        else f"{value:.0f} ms"
    )


def _badge(word: str, look: str) -> Markup:
    return tag("span", word, cls=f"tag {look}")


def _yes_no(value: object) -> str:
    if value is None:
        return NONE
    return _badge("yes", "good") if value else _badge("no", "warn")
