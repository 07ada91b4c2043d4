"""What was made and what it is worth: sizes, accuracy, targets, warnings."""

from edgekit.report.bars import bar
from edgekit.report.documents import (
    Document,
    Gathered,
    basename,
    documents,
    number,
    part,
    text,
    texts,
)
from edgekit.report.markup import Markup, section, table, tag
from edgekit.report.words import (
    NONE,
    NOTHING,
    badge,
    model_name,
    percent,
    place,
    points,
    score,
    size,
    yes_no,
)


def title(found: Gathered) -> str:
    """Name the page after its models."""
    names = {_source_name(run) for run in found.runs} - {""}
    others = (*found.latencies, *found.inspections)
    models = names or {model_name(each) for each in others} - {""}
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
            size(number(each, "bytes")),
            size(number(each, "gzip_bytes")),
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
            score(part(each, "float")),
            score(part(each, "quantized")),
            points(number(each, "drop")),
            percent(number(each, "agreement")),
        ]
        for each in found.artifacts
        if any(each.get(key) is not None for key in ("float", "quantized", "agreement"))
    ]
    rows += [
        [model_name(each), text(each, "metric"), NONE, score(each), NONE, NONE]
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
            yes_no(each.get("fully_integer")),
            _gate(each),
        ]
        for each in found.artifacts
    ]
    if not rows:
        return NOTHING
    return section("Targets", table(["target", "file", "fully integer", "gate"], rows))


def warnings(found: Gathered) -> Markup:
    """List what the commands warned of."""
    said = [
        tag("li", f"{text(each, 'target') or basename(text(each, 'path'))}: {warning}")
        for each in found.artifacts
        for warning in texts(each, "warnings")
    ]
    said += [tag("li", each) for run in found.runs for each in texts(run, "warnings")]
    said += [
        tag("li", f"{model_name(each)}, {place(each)}: {note}")
        for each in found.latencies
        for note in texts(each, "notes")
    ]
    said += [
        tag("li", f"{model_name(each)}: {warning}")
        for each in found.inspections
        for warning in texts(each, "warnings")
    ]
    said += [
        tag("li", f"{model_name(each)} on {text(each, 'target')}: {why}: {_named(each, key)}.")
        for each in found.latencies
        for key, why in _DOUBTS.items()
        if documents(each, key)
    ]
    said += [tag("li", each) for each in found.failures]
    return section("Warnings", tag("ul", *said)) if said else NOTHING


_DOUBTS = {
    "uncovered": "not timed there, or left to the host",
    "undelegated": "left to the runtime's own kernels, which are slow ones, often",
}


def _named(document: Document, key: str) -> str:
    """Name the operators that stand out, each kind once."""
    return ", ".join(dict.fromkeys(text(each, "op") for each in documents(document, key)))


def _source_name(run: Document) -> str:
    source = run.get("source")
    if isinstance(source, dict):
        return basename(text(source, "file") or text(source, "path"))
    return basename(source) if isinstance(source, str) else ""


def _original(run: Document) -> str:
    name, source = _source_name(run), part(run, "source")
    count, loaded_by = number(source, "bytes"), text(source, "loaded_by")
    facts = [
        "" if count is None else size(count),
        f"loaded by {loaded_by}" if loaded_by else "",
    ]
    said = ", ".join(filter(None, facts))
    return f"Made from {name}{f' ({said})' if said else ''}." if name else ""


def _gate(artifact: Document) -> Markup:
    """Say what came of the gate; artifacts of runs without one say nothing."""
    if artifact.get("rejected"):
        return badge("rejected", "bad")
    limit = number(artifact, "max_drop")
    return tag("span", NONE) if limit is None else badge(f"within {limit:g} points", "good")
