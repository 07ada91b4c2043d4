"""How each number was obtained, and how to obtain it again."""

import shlex

from edgekit.report.documents import Document, Gathered, part, text, texts
from edgekit.report.markup import Markup, join, section, tag
from edgekit.report.words import NOTHING, model_name, place


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
    entries += [
        (f"Latency of {model_name(each)}, {place(each)}", _method(each))
        for each in found.latencies
    ]
    said = [join(tag("dt", name), tag("dd", how)) for name, how in entries]
    return section("How each number was obtained", tag("dl", *said)) if said else NOTHING


def repeat(found: Gathered) -> Markup:
    """Print the commands that repeat the runs."""
    commands = [_command(run) for run in found.runs] + [
        f"edgekit profile {shlex.quote(text(each, 'model'))}"
        for each in found.latencies
        if each.get("kind") == "measured" and each.get("model")
    ]
    said = [tag("pre", each) for each in dict.fromkeys(commands) if each]
    return section("To repeat it", *said) if said else NOTHING


def _command(run: Document) -> str:
    """Return the command that repeats a conversion from its run.json."""
    if not part(run, "recipe"):
        return ""
    return f"edgekit convert --recipe {shlex.quote(text(run, 'file'))} -o again/"


def _method(document: Document) -> str:
    if document.get("kind") != "measured":
        return _guessed(document)
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


def _guessed(document: Document) -> str:
    """Say where a number comes from that nobody measured."""
    how, sources = text(document, "method"), ", ".join(texts(document, "sources"))
    said = [
        f"{text(document, 'kind').capitalize()}: it did not run on the device.",
        f"From {how}." if how else "",
        f"Sources: {sources}." if sources else "",
    ]
    return " ".join(filter(None, said))


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
