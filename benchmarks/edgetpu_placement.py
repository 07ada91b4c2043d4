"""Claim: where operators run on an Edge TPU is predicted, and nothing wrong is promised.

Each repository of compiled files is left out in turn: the rules are formed without it, as
`Rule.seen` and `Rule.learned` of rules.toml say, and its models are predicted. What the
published operator table and issues say stays. A second table leaves out all repositories of
one owner at once, because they share files. Files with the same operators and shapes count
once. A model whose compiler log is there but not its compiled file counts where the log says
the same of all operators of a kind.

With --unseen nets are built of which no file was ever read (`edgetpu_nets.py`), converted and
fitted to a Coral as `edgekit convert` does, and predicted: with all rules, and without what
their own log taught. What the compiler did with them is published as counts
(`edgetpu_logs.toml`).

    python benchmarks/edgetpu_placement.py [DATA] [--truth CSV] [--json FILE]
    python benchmarks/edgetpu_placement.py --unseen WORK [--nets NET ...] [--json FILE]

DATA is the folder that EDGEKIT_DATA names, with SOURCES.tsv. CSV has a row an operator:
`base_sha` (git's name of the original file), `op_index`, `op` and `mapped`. In WORK every
net is kept, so that a run that was stopped goes on.
"""

import argparse
import contextlib
import csv
import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from edgekit.flatbuffer import Graph
from edgekit.placement.edgetpu import predict
from edgekit.placement.edgetpu.compiler import was_mapped
from edgekit.placement.edgetpu.log import read_log
from edgekit.placement.edgetpu.rules import Rules, rules, rules_without
from edgekit.records import from_json, read_toml, to_json

COMPILED = "_edgetpu.tflite"
LOGS = Path(__file__).with_name("edgetpu_logs.toml")
TARGET = "coral-usb"
_ASKING = (  # modules that ask for the rules while a model is fitted
    "edgekit.placement.edgetpu.prediction",
    "edgekit_converters.export.fitting.averages",
)
_SAMPLES = 2  # of noise, to calibrate on: where operators run does not depend on them


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One model with what the real compiler did.

    Attributes:
        name: File name.
        repository: Where it comes from.
        graph: The original.
        mapped: For each operator whether it went to the Edge TPU.
    """

    name: str
    repository: str
    graph: Graph
    mapped: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How far a prediction is right.

    Attributes:
        left_out: Repository or owner whose models were predicted without it.
        graphs: Distinct models.
        exact: Of them, those with every operator answered and right.
        ops: Operators.
        answered: Of them, those not `uncertain`.
        right: Of these, those that are where the prediction says.
        false_edgetpu: Called `edgetpu`, and left on the CPU.
    """

    left_out: str
    graphs: int
    exact: int
    ops: int
    answered: int
    right: int
    false_edgetpu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicLog:
    """What the compiler did with a net, by kinds of operators; see `edgetpu_logs.toml`."""

    net: str
    title: str
    source: str
    compiler: str
    repository: str = ""
    whole: bool = False
    ops: int = 0
    mapped: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """How a net was predicted of which no file was ever read.

    Attributes:
        net: Which net.
        ops: Its operators.
        answered: Of them, those not `uncertain`.
        told: Of the answered ones, those of which the log tells something.
        right: Of these, those that the log allows.
        false_edgetpu: Called `edgetpu`, and left on the CPU, as far as counts can tell.
    """

    net: str
    ops: int
    answered: int
    told: int
    right: int
    false_edgetpu: int


def cases(data: Path) -> list[Case]:
    """All distinct models of which it is known what the compiler did."""
    sources = _repositories(data)
    found = [*_pairs(data, sources), *_logged(data, sources)]
    distinct = {(case.repository, _shape_of(case.graph)): case for case in found}
    return list(distinct.values())


def score(left_out: str, chosen: Sequence[Case], without: Collection[str]) -> Score:
    """Predict models with rules that know nothing of some repositories."""
    known = rules_without(without)
    counts: dict[str, int] = defaultdict(int)
    for case in chosen:
        places = [place for place, _ in predict(case.graph, known=known)]
        wanted = ["edgetpu" if mapped else "cpu" for mapped in case.mapped]
        counts["exact"] += places == wanted
        counts["ops"] += len(places)
        for place, truth in zip(places, wanted, strict=True):
            counts["answered"] += place != "uncertain"
            counts["right"] += place == truth
            counts["false"] += place == "edgetpu" != truth
    return Score(
        left_out=left_out,
        graphs=len(chosen),
        exact=counts["exact"],
        ops=counts["ops"],
        answered=counts["answered"],
        right=counts["right"],
        false_edgetpu=counts["false"],
    )


def left_out_in_turn(found: Sequence[Case], *, owners: bool = False) -> list[Score]:
    """Leave each repository, or each owner with all of his, out in turn; the sum at the end."""
    every = {*_known_sources(), *(case.repository for case in found)}
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in found:
        owner, _, _ = case.repository.partition("/")
        groups[owner if owners else case.repository].append(case)
    scores = [
        score(
            name, group, [each for each in every if each == name or each.startswith(f"{name}/")]
        )
        for name, group in sorted(groups.items())
    ]
    return [*scores, _sum(scores)]


def against_table(data: Path, path: Path) -> dict[str, int]:
    """Compare rules and prediction with a table that has a row an operator.

    Returns:
        rows: Rows of the table. contradicted: rows of an operator that the rules rule out,
        and that was mapped. present: graphs of the table whose file is in the data.
        exact: of them, those that are predicted to the last operator. like_them: further
        graphs with the operators of one of them in the same order, and the same mapping.
        unlike_them: further graphs with these operators, and another mapping.
    """
    graphs: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = f"{row['base_sha']} {row['edge_sha']}"
            graphs[key].append((row["op"], row["mapped"] == "1"))
    files = {_git_name(each)[:10]: each for each in data.rglob("*.tflite")}
    here = {key: files[key[:10]] for key in graphs if key[:10] in files}
    predicted = {
        key: [place == "edgetpu" for place, _ in predict(Graph(file))]
        for key, file in here.items()
    }
    patterns = {tuple(op for op, _ in graphs[key]): predicted[key] for key in here}
    other = [
        patterns[kinds] == [mapped for _, mapped in ops]
        for key, ops in graphs.items()
        if key not in here and (kinds := tuple(op for op, _ in ops)) in patterns
    ]
    never = {op for op, rule in rules().items() if rule.mapped == "no"}
    return {
        "rows": sum(map(len, graphs.values())),
        "contradicted": sum(m and op in never for ops in graphs.values() for op, m in ops),
        "graphs": len(graphs),
        "present": len(here),
        "exact": sum(predicted[key] == [m for _, m in graphs[key]] for key in here),
        "like_them": sum(other),
        "unlike_them": len(other) - sum(other),
    }


def public_logs() -> dict[str, PublicLog]:
    """What is published of each net."""
    rows: list[dict[str, Any]] = read_toml(LOGS)["log"]
    found = [from_json(PublicLog, row, f"{LOGS.name}: {row.get('net')}") for row in rows]
    return {log.net: log for log in found}


def compared(
    net: str, kinds: Sequence[str], places: Sequence[str], log: PublicLog | None
) -> Unseen:
    """Compare a prediction with a log that tells counts.

    Args:
        net: Its name.
        kinds: Of each operator.
        places: Where each is predicted to run.
        log: What is published; None if nothing is.
    """
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, each in zip(kinds, places, strict=True):
        answers[kind][each] += 1
    told = right = wrong = 0
    for kind, given in answers.items():
        limits = _limits(log, kind)
        if limits is None:
            continue
        answered = {each: given[each] for each in ("edgetpu", "cpu")}
        told += sum(answered.values())
        right += sum(min(count, limits[each]) for each, count in answered.items())
        wrong += max(0, answered["edgetpu"] - limits["edgetpu"])
    return Unseen(
        net=net,
        ops=len(kinds),
        answered=sum(each != "uncertain" for each in places),
        told=told,
        right=right,
        false_edgetpu=wrong,
    )


def _limits(log: PublicLog | None, kind: str) -> Mapping[str, int] | None:
    """At most how many operators of a kind went where; None if that is not told."""
    if log is None:
        return None
    if log.whole:
        return {"edgetpu": 10**9, "cpu": log.left.get(kind, 0)}
    if kind not in log.mapped and kind not in log.left:
        return None
    return {"edgetpu": log.mapped.get(kind, 0), "cpu": log.left.get(kind, 0)}


def unseen(work: Path, wanted: Sequence[str] = ()) -> dict[str, list[Unseen]]:
    """Predict nets of which no file was ever read; needs TensorFlow.

    Args:
        work: Where the nets are kept.
        wanted: Their names; all by default.
    """
    from edgetpu_nets import NETS, UNTOLD

    work.mkdir(parents=True, exist_ok=True)
    logs, builders = public_logs(), {**NETS, **UNTOLD}
    found: dict[str, list[Unseen]] = {"All rules": [], "Without the source of their log": []}
    for net in wanted or builders:
        log, whole = logs.get(net), _converted(net, builders[net], work)
        without = [log.repository] if log and log.repository else []
        for title, sources in zip(found, ([], without), strict=True):
            known = rules_without(sources)
            graph = Graph(_fitted(whole, known))
            places = [each for each, _ in predict(graph, known=known)]
            found[title].append(compared(net, [op.op for op in graph.ops], places, log))
    return found


def _converted(net: str, build: Any, work: Path) -> Path:
    """Build a net and convert it to int8."""
    import numpy as np

    from edgekit.flatbuffer.io_types import with_io
    from edgekit_converters.quantize.engine import convert_keras
    from edgekit_converters.sources import fix_batch
    from edgekit_converters.sources.describe import input_specs, output_names
    from edgekit_converters.sources.libraries import keras
    from edgekit_converters.sources.source import Source

    path = work / f"{net}.tflite"
    if path.exists():
        return path
    keras().backend.clear_session()
    keras().utils.set_random_seed(0)
    model = build()
    source = fix_batch(
        Source(
            kind="keras",
            model=model,
            path=Path(net),
            loaded_by="keras",
            inputs=input_specs(model),
            outputs=output_names(model),
        )
    )
    shape = (_SAMPLES, 1, *model.inputs[0].shape[1:])
    pictures = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    named = [{model.inputs[0].name: each} for each in pictures]
    path.write_bytes(with_io(convert_keras(source.model, "int8", lambda: named), "int8"))
    return path


def _fitted(whole: Path, known: Rules) -> bytes:
    """Fit a net to the Edge TPU, as `edgekit convert` would if it knew these rules only."""
    import numpy as np

    from edgekit.targets import load_target
    from edgekit_converters.export.fitting import fit

    taken, probe = Graph(whole).inputs[0], whole.with_suffix(".npz")
    steps = np.random.default_rng(0).integers(-128, 128, (_SAMPLES, *taken.shape[1:]))
    values = (steps - taken.zero_point[0]) * taken.scale[0]
    given: dict[str, Any] = {taken.name: values.astype(np.float32)}
    np.savez(probe, **given)
    with contextlib.ExitStack() as changed:
        for module in _ASKING:
            changed.enter_context(mock.patch(f"{module}.rules", return_value=known))
        content, _ = fit(whole.read_bytes(), load_target(TARGET), probe, whole.parent)
    return content


def _pairs(data: Path, sources: dict[str, str]) -> Iterator[Case]:
    for compiled in sorted((data / "edgetpu").rglob(f"*{COMPILED}")):
        original = compiled.with_name(compiled.name.replace(COMPILED, ".tflite"))
        if original.exists():
            graph = Graph(original)
            repository = sources[compiled.relative_to(data).as_posix()]
            mapped = was_mapped(graph, Graph(compiled))
            yield Case(name=original.name, repository=repository, graph=graph, mapped=mapped)


def _logged(data: Path, sources: dict[str, str]) -> Iterator[Case]:
    """Models with a log and without a compiled file, wherever the original stands."""
    originals = {path.stem: path for path in data.rglob("*.tflite")}
    for path in sorted((data / "edgetpu").rglob("*_edgetpu.log")):
        stem = path.stem.removesuffix("_edgetpu")
        if stem not in originals or path.with_suffix(".tflite").exists():
            continue
        graph, log = Graph(originals[stem]), read_log(path.read_text(encoding="utf-8"))
        kinds = {row.op: row.mapped for row in log.rows}
        if len(kinds) == len(log.rows) and {op.op for op in graph.ops} <= kinds.keys():
            yield Case(
                name=originals[stem].name,
                repository=sources[path.relative_to(data).as_posix()],
                graph=graph,
                mapped=tuple(kinds[op.op] for op in graph.ops),
            )


def _repositories(data: Path) -> dict[str, str]:
    lines = (data / "SOURCES.tsv").read_text(encoding="utf-8").splitlines()
    return {path: repository for path, repository, *_ in (line.split("\t") for line in lines)}


def _known_sources() -> set[str]:
    """Every repository that a rule rests on; issues stay."""
    return {
        name
        for rule in rules().values()
        for name in (*rule.seen, *(each for names in rule.learned.values() for each in names))
        if "/" in name
    }


def _shape_of(graph: Graph) -> tuple[object, ...]:
    return tuple(
        (op.op, op.inputs, op.outputs, tuple(graph.main.tensors[i].shape for i in op.outputs))
        for op in graph.ops
    )


def _git_name(path: Path) -> str:
    content = path.read_bytes()
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


def _sum(scores: Iterable[Score]) -> Score:
    rows = list(scores)
    return Score(
        left_out="all",
        graphs=sum(row.graphs for row in rows),
        exact=sum(row.exact for row in rows),
        ops=sum(row.ops for row in rows),
        answered=sum(row.answered for row in rows),
        right=sum(row.right for row in rows),
        false_edgetpu=sum(row.false_edgetpu for row in rows),
    )


def _show(title: str, scores: Sequence[Score]) -> None:
    print(f"\n{title}")
    head = f"{'left out':<34}{'graphs':>7}{'exact':>7}{'ops':>6}{'answered':>10}{'right':>8}"
    print(f"{head}  false edgetpu")
    for row in scores:
        answered = row.answered / row.ops if row.ops else 1.0
        right = row.right / row.answered if row.answered else 1.0
        counts = f"{row.graphs:>7}{row.exact:>7}{row.ops:>6}{answered:>10.3f}{right:>8.3f}"
        print(f"{row.left_out:<34}{counts}{row.false_edgetpu:>15}")


def _all_told(rows: Sequence[Unseen]) -> Unseen:
    """The sum of those of which a log tells something."""
    told = [row for row in rows if row.told]
    return Unseen(
        net="all with a log",
        ops=sum(row.ops for row in told) or 1,
        answered=sum(row.answered for row in told),
        told=sum(row.told for row in told),
        right=sum(row.right for row in told),
        false_edgetpu=sum(row.false_edgetpu for row in told),
    )


def _show_unseen(title: str, rows: Sequence[Unseen]) -> None:
    print(f"\n{title}")
    print(f"{'net':<24}{'ops':>6}{'answered':>10}{'right':>8}  false edgetpu")
    for row in (*rows, _all_told(rows)):
        right = f"{row.right / row.told:>8.3f}" if row.told else f"{'-':>8}"
        false = row.false_edgetpu if row.told else "-"
        print(f"{row.net:<24}{row.ops:>6}{row.answered / row.ops:>10.3f}{right}{false:>15}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=os.environ.get("EDGEKIT_DATA"))
    parser.add_argument("--unseen", type=Path, metavar="WORK")
    parser.add_argument("--nets", nargs="+", default=[], help="With --unseen: which.")
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--json", type=Path)
    wish = parser.parse_args()
    if wish.unseen:
        told = unseen(wish.unseen, wish.nets)
        for title, rows in told.items():
            _show_unseen(title, rows)
        _write(wish.json, to_json(told))
        return
    if wish.data is None:
        parser.error("Give the folder of compiled models, or set EDGEKIT_DATA.")
    found = cases(Path(wish.data))
    tables = {
        "Rules from everything": [score("nothing", found, [])],
        "One repository left out": left_out_in_turn(found),
        "One owner left out": left_out_in_turn(found, owners=True),
    }
    for title, scores in tables.items():
        _show(title, scores)
    document = {title: to_json(scores) for title, scores in tables.items()}
    if wish.truth:
        document["table"] = against_table(Path(wish.data), wish.truth)
        print(f"\n{wish.truth.name}: {json.dumps(document['table'])}")
    _write(wish.json, document)


def _write(path: Path | None, document: Any) -> None:
    if path:
        path.write_text(json.dumps(document, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
