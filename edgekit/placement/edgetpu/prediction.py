"""What the last Edge TPU compiler puts on the Edge TPU, and why not the rest.

The compiler was never run for this: the rules come from its documentation, its logs and
from public pairs of original and compiled files. What they do not decide is `uncertain`;
an operator called `edgetpu` that the compiler leaves on the CPU is the worst mistake.

In this order:

1. A compiled file needs no prediction.
2. Some models the compiler refuses as a whole: open sizes, operators of later versions,
   nothing in integers. Of some it is not known whether it does.
3. Each operator alone: 8 bits, three dimensions, and its row in `rules.toml`.
4. The graph: the first part that the Edge TPU takes becomes its one subgraph
   (`partition`); what depends on an uncertain operator is uncertain.
"""

from collections.abc import Sequence

from edgekit.flatbuffer import Graph, OpView
from edgekit.placement.edgetpu import statuses
from edgekit.placement.edgetpu.checks import (
    CHECKS,
    OpInGraph,
    Verdict,
    constants_inside,
    eight_bit,
    refused,
    three_dimensions,
)
from edgekit.placement.edgetpu.rules import SAFE, Rule, Rules, rules
from edgekit.placement.op_versions import op_version_problems
from edgekit.placement.partition import downstream, rounds

COMPILED = "edgetpu-custom-op"
_UNLISTED = Rule(mapped="no", evidence="not in the published table")
_MATRIX_OPS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
# Inputs that say how large the output is; where they are computed, it is open.
_SIZES = {
    "BROADCAST_TO": (1,),
    "EXPAND_DIMS": (1,),
    "FILL": (0,),
    "MEAN": (1,),
    "ONE_HOT": (1,),
    "PAD": (1,),
    "PADV2": (1,),
    "RANGE": (0, 1, 2),
    "REDUCE_MAX": (1,),
    "REDUCE_MIN": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,),
    "SLICE": (1, 2),
    "STRIDED_SLICE": (1, 2, 3),
    "SUM": (1,),
    "TILE": (1,),
    "TRANSPOSE": (1,),
    "TRANSPOSE_CONV": (0,),
}
_OPEN = {"UNIQUE", "WHERE", "IF", "WHILE"}  # of no size before they run
_INTEGERS = {"int8", "uint8"}


def is_compiled(graph: Graph) -> bool:
    """Whether the file came out of the compiler."""
    return any(op.custom_code == COMPILED for op in graph.ops)


def predict(
    graph: Graph, op_versions: str = "edgetpu-16", known: Rules | None = None
) -> list[Verdict]:
    """Predict where each operator of the main subgraph runs.

    Args:
        graph: The model.
        op_versions: Table of the versions that the compiler knows.
        known: Rules; by default all.

    Returns:
        For each operator its place and the reason, in the order of the file.
    """
    if is_compiled(graph):
        return [_compiled(op) for op in graph.ops]
    if refusal := refusal_of(graph, op_versions):
        return [("cpu", f"the compiler refuses the whole model: {refusal}")] * len(graph.ops)
    verdicts = with_partition(graph.ops, [judge(graph, op, known) for op in graph.ops])
    if doubt := _doubt(graph, verdicts):
        return [("uncertain", doubt) if v[0] == "edgetpu" else v for v in verdicts]
    return verdicts


def judge(graph: Graph, op: OpView, known: Rules | None = None) -> Verdict:
    """Say what becomes of one operator, whatever stands around it."""
    rule = (rules() if known is None else known).get(op.op, _UNLISTED)
    view = OpInGraph(graph, op)
    if rule.mapped == "no":
        wrong = eight_bit(view) if op.op in {"CUSTOM", "DEQUANTIZE"} else None
        detail = f"the Edge TPU has no {op.custom_code or op.op}"
        return wrong or refused(statuses.UNSUPPORTED, detail)
    for check in (eight_bit, three_dimensions, constants_inside):
        if verdict := check(view):
            return verdict
    if rule.mapped == "uncertain":
        return "uncertain", f"too little is known of {op.op}: {rule.evidence}"
    return _by_rule(rule, view) or ("edgetpu", statuses.MAPPED)


def _by_rule(rule: Rule, view: OpInGraph) -> Verdict | None:
    """Ask an operator's own checks, of which a refusal outweighs a doubt, then its size."""
    against: list[Verdict] = []
    asked = [name for name in rule.checks if not rule.settled.get(name)]
    for name in asked:
        if verdict := CHECKS[name](view):
            unlearned = rule.learned.get(name) == ()
            against.append(("uncertain", verdict[1]) if unlearned else verdict)
    if against:
        return min(against, key=lambda verdict: verdict[0] != "cpu")
    counts = rule.sized == "all" or (rule.sized == "rows" and view.is_rows)
    if not counts or view.largest <= rule.limit(rows=view.is_rows):
        return None
    limit = rule.limit(rows=view.is_rows, alone=view.is_alone)
    if view.largest <= limit:
        return None
    most = "" if limit == SAFE else f"; up to {limit:,} were seen mapped"
    return "uncertain", f"{view.largest:,} elements, a size that may be refused{most}"


def refusal_of(graph: Graph, op_versions: str = "edgetpu-16") -> str:
    """Why the compiler refuses the whole model, all reasons; empty if none is known."""
    found = op_version_problems(graph, op_versions)
    if name := _open_size(graph):
        found.append(
            f"'{name}' has an open size, and it only supports static-sized tensors; "
            "convert the model with fixed sizes and a batch of 1."
        )
    if not any(t.dtype in _INTEGERS and not t.is_constant for t in graph.main.tensors):
        found.append("Model not quantized; convert it with --scheme int8.")
    return " ".join(found)


def _open_size(graph: Graph) -> str:
    """Name of a tensor whose size is known only when the model runs; empty if there is none.

    A batch that is open in the signature alone counts as 1, as interpreters take it.
    """
    for tensor in graph.main.tensors:
        if min(tensor.shape, default=1) < 0 or min(tensor.shape_signature[1:], default=1) < 0:
            return tensor.name
    for op in graph.ops:
        sizes = [op.inputs[i] for i in _SIZES.get(op.op, ()) if i < len(op.inputs)]
        computed = [i for i in sizes if i >= 0 and not graph.main.tensors[i].is_constant]
        if computed or op.op in _OPEN:
            return graph.main.tensors[op.outputs[0]].name if op.outputs else op.op
    return ""


def with_partition(ops: Sequence[OpView], alone: Sequence[Verdict]) -> list[Verdict]:
    """Take the rest of the graph into account.

    The compiler takes the first part that it can, however small: one operator of 191 in
    issue 433 of github.com/google-coral/edgetpu, 13 of 257 in issue 4719 of
    github.com/ultralytics/ultralytics. An operator is

    1. on the Edge TPU for sure if it is in the first part whichever way uncertain ones
       turn out, and depends on none;
    2. on the CPU for sure if it may not go elsewhere, or depends on such a one that
       depends on 1, or if nothing is uncertain and it is not in the first part;
    3. uncertain else.

    Args:
        ops: Operators of one subgraph in the order of execution.
        alone: What becomes of each, whatever stands around it.
    """
    doubtful = {i for i, (place, _) in enumerate(alone) if place == "uncertain"}
    hopeful = _first_part(ops, [place != "cpu" for place, _ in alone])
    wary = _first_part(ops, [place == "edgetpu" for place, _ in alone])
    sure = (hopeful & wary) - doubtful - downstream(ops, doubtful)
    after = downstream(ops, sure)
    lost = downstream(ops, {i for i in after if alone[i][0] == "cpu"})
    if not doubtful:
        lost = {*range(len(ops))} - sure
    detail = "it depends on an operator that runs on the CPU after the Edge TPU"
    apart = refused(statuses.ONE_SUBGRAPH, detail)
    found = []
    for i, verdict in enumerate(alone):
        if verdict[0] == "cpu" or i in sure:
            found.append(verdict)
        elif i in lost:
            found.append(apart)
        elif verdict[0] == "uncertain":
            found.append(verdict)
        else:
            found.append(("uncertain", "it depends on an operator that is uncertain"))
    return found


def _first_part(ops: Sequence[OpView], taken: Sequence[bool]) -> set[int]:
    return next((set(part) for mine, part in rounds(ops, taken) if mine), set())


def _doubt(graph: Graph, verdicts: Sequence[Verdict]) -> str:
    """Why it is not known whether the compiler takes the model at all; empty if it is."""
    if len(graph.subgraphs) > 1:
        return "the file has more than one graph: no source says what the compiler does then"
    tensors = graph.main.tensors
    for op, (_, reason) in zip(graph.ops, verdicts, strict=True):
        if op.op == "UNIDIRECTIONAL_SEQUENCE_LSTM" and "compiler fails" in reason:
            return f"the compiler may fail on the whole model: an LSTM has {reason}"
        outputs = [tensors[i] for i in op.outputs if i >= 0]
        if op.op in _MATRIX_OPS and any(t.is_float for t in outputs):
            return (
                f"operator {op.index}, {op.op}, computes in float: the compiler may refuse the "
                "whole model (Model not quantized)"
            )
    return ""


def _compiled(op: OpView) -> Verdict:
    if op.custom_code == COMPILED:
        return "edgetpu", "compiled for the Edge TPU"
    return "cpu", "the compiler left it there"
