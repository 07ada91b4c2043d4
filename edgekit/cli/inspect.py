"""`edgekit inspect`: what is in a .tflite file, and where it runs."""

from itertools import groupby
from pathlib import Path

import click

from edgekit.cli import options, tables
from edgekit.cli.common import Document, command

_MANY = 40  # operators that are listed one by one
_FEW = 8  # names that are listed on one line
MIB = 2**20


def show(found: Document) -> None:
    """Show what is in the file, and where it runs."""
    integer = "yes" if found["fully_integer"] else f"no, {len(found['float_islands'])} in float"
    where = ", ".join(f"{count} {name}" for name, count in found["summary"].items() if count)
    if "edgetpu" in where and not (found["compiler"] or found["compiled"]):
        where += ", as predicted"
    manifest = found["manifest"] or {}
    tables.facts(
        [
            ("model", Path(found["model"]).name),
            ("name", manifest.get("name")),
            ("size", f"{tables.size(found['bytes'])} ({found['bytes']:,} bytes)"),
            ("task", manifest.get("task")),
            ("made for", manifest.get("target")),
            ("labels", _labels(manifest.get("labels") or [])),
            ("operators", len(found["ops"])),
            ("multiply-adds", tables.count(found["macs"])),
            ("constants", tables.size(found["weight_bytes"])),
            ("fully integer", integer),
            (f"on {found['target']}", where),
            ("estimated", _estimate(found["npu"]) if found["npu"] else None),
            ("parameters", _memory(found["memory"]) if found["memory"] else None),
            *_compiled(found["compiled"] or {}),
            *_compiler(found["compiler"] or {}),
        ]
    )
    _show_ports(found)
    _show_ops(found)
    _show_mismatches(found["compiler"] or {})
    tables.warned(found["warnings"])


def _labels(labels: list[str]) -> str:
    rest = f", ... ({len(labels)})" if len(labels) > 4 else ""
    return ", ".join(labels[:4]) + rest


def _estimate(npu: Document) -> str:
    """Put what the NPU's compiler estimates on one line."""
    return (
        f"{tables.milliseconds(npu['latency_ms'])}, {tables.count(npu['cycles'])} cycles at "
        f"{npu['clock_mhz']:g} MHz, {tables.size(npu['sram_bytes'])} SRAM "
        f"({npu['compiler']}, {npu['system_config']}, {npu['memory_mode']})"
    )


def _memory(memory: Document) -> str:
    """Put what becomes of the parameters on an Edge TPU on one line."""
    packed = tables.size(memory["parameter_bytes"])
    free = (
        f"{memory['least_free_bytes'] / MIB:.3g} to {memory['most_free_bytes'] / MIB:.3g} MiB"
    )
    by_fate = {
        fate: [str(layer["index"]) for layer in memory["layers"] if layer["memory"] == fate]
        for fate in ("streamed", "uncertain")
    }
    words = {
        "fits": "fits on the chip",
        "streams": f"will stream with each run: operators {_some(by_fate['streamed'])}",
        "uncertain": f"may stream: operators {_some(by_fate['uncertain'])}",
    }
    need = f"{memory['on_chip_bytes'] / MIB:.2f} MiB on the chip, where {free} are free"
    return f"{packed} packed, {words[memory['verdict']]} ({need})"


def _some(numbers: list[str]) -> str:
    rest = f", ... ({len(numbers)})" if len(numbers) > _FEW else ""
    return ", ".join(numbers[:_FEW]) + rest


def _compiled(compiled: Document) -> list[tuple[str, object]]:
    """What the Edge TPU compiler put into a file."""
    if not compiled:
        return []
    left = [f"{index} {op}" for index, op in compiled["cpu_ops"]]
    programs = [each for package in compiled["packages"] for each in package["executables"]]
    ports = {
        kind: dict.fromkeys(
            f"{layer['name']} {tables.shape(layer['shape'])}"
            for program in programs
            for layer in program[kind]
        )
        for kind in ("inputs", "outputs")
    }
    return [
        ("compiled for", f"Edge TPU runtime {compiled['min_runtime']} or later"),
        ("on the chip", _share(compiled["cached_bytes"])),
        ("streamed", _share(compiled["streamed_bytes"])),
        ("instructions", tables.size(compiled["instruction_bytes"])),
        ("from", _some(list(ports["inputs"]))),
        ("to", _some(list(ports["outputs"]))),
        ("left on the CPU", _some(left) or "nothing"),
    ]


def _share(count: int) -> str:
    return f"{tables.size(count)} of parameters" if count else "no parameters"


def _compiler(compiler: Document) -> list[tuple[str, object]]:
    """What the real compiler said, and how the prediction compares."""
    if not compiler:
        return []
    compared = compiler["comparison"]
    agree = f"{compared['right']} of {compared['ops']} operators predicted"
    wrong = len(compared["mismatches"])
    return [
        ("compiler", f"{compiler['version']}: {compiler['failure'] or 'compiled'}"),
        ("prediction", f"{agree}, {compared['uncertain']} left open, {wrong} wrong"),
    ]


def _show_mismatches(compiler: Document) -> None:
    """Show operators that are elsewhere than was predicted."""
    wrong = compiler["comparison"]["mismatches"] if compiler else []
    rows = [(m["index"], m["op"], m["predicted"], m["found"], m["status"]) for m in wrong]
    if rows:
        tables.line()
        heads = ["#", "operator", "predicted", "found", "the compiler says"]
        tables.table(heads, rows, title="Predicted otherwise than the compiler did it:")


def _show_ports(found: Document) -> None:
    rows = [
        (
            kind,
            port["name"],
            tables.shape(port["shape"]),
            port["dtype"],
            None if port["scale"] is None else f"{port['scale']:.6g}",
            port["zero_point"],
        )
        for kind in ("input", "output")
        for port in found[f"{kind}s"]
    ]
    heads = ["", "name", "shape", "type", "scale", "zero"]
    tables.line()
    tables.table(heads, rows, numbers=["scale", "zero"])


def _show_ops(found: Document) -> None:
    tables.line()
    if found["target"] is None:
        _show_kinds(found["ops"])
    else:
        _show_placements(found["ops"])


def _show_kinds(ops: list[Document]) -> None:
    """Show how often each kind of operator occurs."""
    by_kind: dict[tuple[str, int, str], list[Document]] = {}
    for op in ops:
        by_kind.setdefault((op["op"], op["version"], op["dtype"]), []).append(op)
    rows = [
        (
            *kind,
            len(same),
            tables.count(sum(op["macs"] for op in same)),
            tables.size(sum(op["weight_bytes"] for op in same)),
        )
        for kind, same in by_kind.items()
    ]
    heads = ["operator", "version", "type", "count", "multiply-adds", "constants"]
    tables.table(heads, rows, numbers=["version", "count", "multiply-adds", "constants"])


def _show_placements(ops: list[Document]) -> None:
    """Show where each operator runs; runs of alike ones share a row in a long model."""
    same_row = len(ops) > _MANY
    costed = any(op["cycles"] is not None for op in ops)
    rows = []
    for _, group in groupby(ops, key=lambda op: _alike(op) if same_row else op["index"]):
        alike = list(group)
        first, last = alike[0], alike[-1]
        index = f"{first['index']}-{last['index']}" if len(alike) > 1 else first["index"]
        kinds = ", ".join(dict.fromkeys(op["op"] for op in alike))
        cycles = [_cycles(alike)] if costed else []
        rows.append((index, kinds, first["placement"], *cycles, first["reason"]))
    heads = ["#", "operator", "runs on", *(["cycles"] if costed else []), "why"]
    tables.table(heads, rows, numbers=["cycles"] if costed else [])


def _cycles(ops: list[Document]) -> str:
    """Add up what the NPU's compiler estimates; it says nothing of operators on the CPU."""
    found = [op["cycles"] for op in ops if op["cycles"] is not None]
    return tables.count(sum(found) if found else None)


def _alike(op: Document) -> tuple[str, str]:
    return op["placement"], op["reason"]


@command(show)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--target", help="Say where each operator runs on this target.")
@options.edgetpu_compiler
def inspect(model: Path, *, target: str | None, edgetpu_compiler: str | None) -> object:
    """Show inputs, outputs and operators of a .tflite file without running it.

    \b
    Examples:
      edgekit inspect model.tflite
      edgekit inspect model.tflite --target coral-usb
      edgekit inspect model.tflite --target ethos-u55-128
      edgekit inspect model_edgetpu.tflite
      edgekit inspect model.tflite --json | jq '.float_islands'
    """
    from edgekit.inspection import inspect as work

    return work(model, target=target, edgetpu_compiler=edgetpu_compiler)
