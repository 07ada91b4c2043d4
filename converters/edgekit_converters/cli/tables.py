"""How results of the heavy half look on a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edgekit.cli import tables
from edgekit.cli.common import Document

_HEADS = ("target", "scheme / io", "size", "gzip", "float", "here", "agree")
_NUMBERS = ("size", "gzip", "float", "here", "agree")

_MOST_LAYERS = 12
_MOST_NAMES = 3
_LONGEST_NAME = 26


def show_conversion(document: Document) -> None:
    """Show one row for each artifact, and how the numbers came about."""
    source = document["source"]
    tables.line(f"{source['file']}, loaded by {source['loaded_by']}")
    _show_pruning(document["pruning"])
    tables.line()
    show_steps(document["artifacts"])
    show_layers(document["artifacts"])
    show_artifacts(document["artifacts"])
    tables.line()
    calibration = document["calibration"]
    if calibration:
        tables.line(
            f"Calibrated on {calibration['samples']} samples of {calibration['data']} "
            f"(seed {calibration['seed']}); agree = share of them with the float model's class."
        )
    _show_where(document["artifacts"])


def show_artifact(artifact: Document) -> None:
    """Show one artifact."""
    show_steps([artifact])
    show_layers([artifact])
    show_artifacts([artifact])
    _show_where([artifact])


def show_artifacts(artifacts: Sequence[Document]) -> None:
    """Show one row for each artifact."""
    tables.table(_HEADS, [_row(each) for each in artifacts], numbers=_NUMBERS)
    for each in artifacts:
        if each["scheme"] == "int8" and not each["fully_integer"]:
            tables.line(f"{each['target']}: not fully integer, see the warnings.")
        for rewritten in each["rewritten"]:
            tables.line(_rewritten(each["target"], rewritten))
        if each["placement"]:
            tables.line(_placed(each["target"], each["placement"]))
        if each["compiled"]:
            tables.line(_compiled(each["target"], each["compiled"]))
    for scheme, names in {each["scheme"]: each["kept_float"] for each in artifacts}.items():
        if names:
            tables.line(f"{scheme}: in float stayed {', '.join(names)}.")


def _rewritten(target: str, rewritten: Document) -> str:
    """Say on one line what was written anew for a target, and what that changed."""
    off = rewritten["difference"]
    changed = f"outputs within {off:.1%} of their largest" if off else "bit for bit the same"
    count = f" ({rewritten['ops']} x)" if rewritten["ops"] > 1 else ""
    return (
        f"{target}: {rewritten['name']}{count}; {changed} on {rewritten['samples']} random "
        "inputs."
    )


def _placed(target: str, placement: Document) -> str:
    """Say where the operators of an artifact run on an Edge TPU, as predicted."""
    counts = placement["summary"]
    share = f"{counts['edgetpu']} of {sum(counts.values())} operators on the Edge TPU"
    rest = "".join(f"\n  {each}" for each in placement["elsewhere"])
    fate = {
        "fits": "stay on the chip",
        "streams": "are too many for the chip and will stream with each run",
        "uncertain": "may be too many for the chip",
    }
    size = tables.size(placement["parameter_bytes"])
    memory = f"; {size} of parameters {fate[placement['memory']]}" if counts["edgetpu"] else ""
    return f"{target}: {share}, as predicted{memory}.{rest}"


def _compiled(target: str, compiled: Document) -> str:
    """Say on one line what the compiler of an accelerator made of an artifact."""
    where = ", ".join(f"{count} {name}" for name, count in compiled["summary"].items())
    said = (
        f"{target}: {Path(compiled['path']).name}, compiled by {compiled['compiler']}: {where}"
    )
    estimate = compiled["estimate"]
    if not estimate:
        return f"{said}."
    return f"{said}; {tables.milliseconds(estimate['latency_ms'])} estimated."


def show_steps(artifacts: Sequence[Document]) -> None:
    """Show what the chain did, once for each scheme."""
    left_alone = {each["scheme"]: each["left_alone"] for each in artifacts}
    for scheme, steps in {each["scheme"]: each["steps"] for each in artifacts}.items():
        if len(steps) < 2:
            continue
        rows = [
            (
                each["name"],
                tables.percent(each["agreement"]),
                None if each["divergence"] is None else f"{each['divergence']:.3f}",
                tables.metric("sqnr_db", each["sqnr_db"]),
                "kept" if each["kept"] else "undone",
                f"{each['seconds']:.1f} s",
            )
            for each in steps
        ]
        heads = (f"{scheme}, step by step", "agree", "divergence", "noise", "", "took")
        tables.table(heads, rows, numbers=("agree", "divergence", "noise", "took"))
        for line in _left_alone(left_alone[scheme]):
            tables.line(line)
        tables.line()


def _left_alone(layers: Mapping[str, str]) -> Iterator[str]:
    """Name the layers that the chain did not treat, a line for each reason."""
    for reason in dict.fromkeys(layers.values()):
        names = [_short(name) for name, why in layers.items() if why == reason]
        rest = len(names) - _MOST_NAMES
        more = f" and {rest} more" if rest > 0 else ""
        yield f"left alone: {', '.join(names[:_MOST_NAMES])}{more} ({reason})"


def show_layers(artifacts: Sequence[Document]) -> None:
    """Show how the worst layers fare in integers, once for each scheme."""
    for scheme, layers in {each["scheme"]: each["layers"] for each in artifacts}.items():
        if not layers:
            continue
        heads = (f"{scheme}, worst layers", "noise", "share", "cause; remedy")
        rows = [
            (
                _short(each["name"]),
                tables.metric("sqnr_db", each["sqnr_db"]),
                tables.percent(each["sensitivity"]),
                f"{each['cause']}; {each['remedy']}",
            )
            for each in layers[:_MOST_LAYERS]
        ]
        tables.table(heads, rows, numbers=("noise", "share"))
        rest = len(layers) - len(rows)
        more = f" {rest} more layers are in --json." if rest else ""
        tables.line(
            f"noise: against float, with all layers in integers; share: of the noise at the "
            f"outputs, each layer alone, over {layers[0]['samples']} samples.{more}"
        )
        tables.line()


def _short(name: str) -> str:
    """Return the last parts of a long name."""
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]


def _row(artifact: Document) -> tuple[object, ...]:
    before, after = artifact["float"], artifact["quantized"]
    return (
        artifact["target"] + (" (refused)" if artifact["rejected"] else ""),
        f"{artifact['scheme']} / {artifact['io']}",
        tables.size(artifact["bytes"]),
        tables.size(artifact["gzip_bytes"]),
        tables.metric(before["metric"], before["value"]) if before else None,
        tables.metric(after["metric"], after["value"]) if after else None,
        _closeness(artifact),
    )


def _closeness(artifact: Document) -> str:
    """Agreement where there are classes, else the worst output's noise."""
    if artifact["agreement"] is not None:
        return tables.percent(artifact["agreement"])
    return tables.metric("sqnr_db", min(artifact["sqnr_db"].values(), default=None))


def _show_pruning(pruning: Document | None) -> None:
    if pruning is None:
        return
    before, after = pruning["before"], pruning["after"]
    if pruning["proof_difference"] is None:
        tables.line(
            f"Pruned by {pruning['amount']}: {after['nonzero'] / after['parameters']:.0%} of "
            "the parameters are not zero. That makes a smaller download, not a faster model; "
            "channels:SHARE does both."
        )
        return
    changes = (f"{after[key] / before[key]:.0%} of the {key}" for key in ("macs", "parameters"))
    tables.line(
        f"Pruned to {' and '.join(changes)}; equal to the masked original within "
        f"{pruning['proof_difference']:.1g} before fine-tuning."
    )


def _show_where(artifacts: Sequence[Document]) -> None:
    folders = sorted({Path(each["path"]).parent for each in artifacts} - {Path()})
    names = ", ".join(Path(each["path"]).name for each in artifacts)
    where = f" into {', '.join(map(str, folders))}" if folders else ""
    tables.line(f"Wrote {names}{where}.")
