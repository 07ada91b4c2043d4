"""What the last Edge TPU compiler puts on the Edge TPU, and why not the rest.

The compiler was never run for this: the rules come from its documentation, its logs and
from public pairs of original and compiled files. What they do not decide is `uncertain`;
an operator called `edgetpu` that the compiler leaves on the CPU is the worst mistake.

In this order:

1. A compiled file needs no prediction.
2. Some models the compiler refuses as a whole: open sizes, operators of later versions.
3. Each operator alone: the table `edgetpu.toml`, 8 bits, three dimensions, its own limits.
4. The graph: one subgraph goes to the Edge TPU (`partition`); what depends on an
   uncertain operator is uncertain.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import InputError
from edgekit.flatbuffer import Graph, OpView, TensorView
from edgekit.placement.op_versions import op_version_problems
from edgekit.placement.partition import downstream, rounds
from edgekit.records import from_json, read_toml

Place = Literal["edgetpu", "cpu", "uncertain"]
Verdict = tuple[Place, str]

COMPILED = "edgetpu-custom-op"
_EIGHT_BIT = {"int8", "uint8"}
_LARGE = 200_000  # elements; from here on files disagree
_LONGEST_SOFTMAX = 16_000  # documented, and exceeded in one file
_WIDEST_LSTM = 900  # inputs; from about here on the compiler fails (#598)
_LARGEST_BILINEAR = 160  # pixels a side; larger outputs were refused in the pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the compiler does with one operator.

    Attributes:
        mapped: Whether it goes to the Edge TPU at all.
        evidence: How that is known.
        checks: Names in `CHECKS` that it must pass.
        large: Whether big tensors make it uncertain.
    """

    mapped: Literal["yes", "no", "uncertain"]
    evidence: str
    checks: tuple[str, ...] = ()
    large: bool = False


@functools.cache
def rules() -> dict[str, Rule]:
    """The table `edgetpu.toml`."""
    path = Path(__file__).with_suffix(".toml")
    table: dict[str, dict[str, Any]] = read_toml(path)
    return {op: from_json(Rule, row, f"{path.name}: {op}") for op, row in table.items()}


def predict(graph: Graph, op_versions: str = "edgetpu-16") -> list[Verdict]:
    """Predict where each operator of the main subgraph runs.

    Args:
        graph: The model.
        op_versions: Table of the versions that the compiler knows.

    Returns:
        For each operator its place and the reason, in the order of the file.
    """
    if any(op.custom_code == COMPILED for op in graph.ops):
        return [_compiled(op) for op in graph.ops]
    if refusal := _refusal(graph, op_versions):
        return [("cpu", f"the compiler refuses the whole model: {refusal}")] * len(graph.ops)
    return _with_partition(graph, [judge(graph, op) for op in graph.ops])


def judge(graph: Graph, op: OpView) -> Verdict:
    """Say what becomes of one operator, whatever stands around it."""
    rule = rules().get(op.op)
    if rule is None:
        return "uncertain", f"nothing is known of {op.op}"
    if rule.mapped != "yes":
        never = f"the Edge TPU has no {op.custom_code or op.op}"
        unknown = f"too little is known of {op.op} ({rule.evidence})"
        return ("cpu", never) if rule.mapped == "no" else ("uncertain", unknown)
    view = OpInGraph(graph, op)
    for check in (_eight_bit, _three_dimensions, *(CHECKS[name] for name in rule.checks)):
        if verdict := check(view):
            return verdict
    if rule.large and view.largest > _LARGE:
        return (
            "uncertain",
            f"{view.largest:,} elements: of such size some were mapped and some refused",
        )
    return "edgetpu", "supported"


class OpInGraph:
    """An operator with its tensors.

    Attributes:
        op: The operator.
        inputs: Its inputs in order; None for one that is left out.
        outputs: Its outputs.
        values: Inputs and outputs that are computed, neither constant nor state.
        largest: Elements of the largest of these.
    """

    def __init__(self, graph: Graph, op: OpView) -> None:
        tensors = graph.subgraphs[op.subgraph].tensors
        self.graph = graph
        self.op = op
        self.inputs = [tensors[i] if i >= 0 else None for i in op.inputs]
        self.outputs = [tensors[i] for i in op.outputs if i >= 0]
        computed = [t for t in self.inputs if t and not (t.is_constant or t.is_variable)]
        self.values = [*computed, *self.outputs]
        self.largest = max((math.prod(t.shape) for t in self.values), default=0)

    def input(self, number: int) -> TensorView | None:
        """An input, or None if there is none of that number."""
        return self.inputs[number] if number < len(self.inputs) else None

    def shape(self, number: int) -> tuple[int, ...]:
        """Shape of an input; () if there is none."""
        tensor = self.input(number)
        return tensor.shape if tensor else ()

    def numbers(self, number: int) -> list[int] | None:
        """Values of a constant input; None if it is computed or cannot be read."""
        tensor = self.input(number)
        if tensor is None or not tensor.is_constant:
            return None
        try:
            return [int(v) for v in self.graph.constant(tensor, self.op.subgraph).ravel()]
        except InputError:
            return None


def _eight_bit(view: OpInGraph) -> Verdict | None:
    wrong = [t for t in view.values if t.dtype not in _EIGHT_BIT]
    if not wrong:
        return None
    return "cpu", f"{wrong[0].dtype} tensor '{wrong[0].name}'; the Edge TPU takes 8 bits only"


def _three_dimensions(view: OpInGraph) -> Verdict | None:
    wrong = [t for t in view.values if any(size != 1 for size in t.shape[:-3])]
    if not wrong:
        return None
    shape = f"shape {list(wrong[0].shape)} of '{wrong[0].name}'"
    return "cpu", f"{shape}; only the last three dimensions may be above 1"


def _no_activation(view: OpInGraph) -> Verdict | None:
    fused = view.op.options.get("fused_activation_function", "NONE")
    return None if fused in {"NONE", 0} else ("cpu", f"{view.op.op} with a fused {fused}")


def _constants(view: OpInGraph) -> Verdict | None:
    constants = [t for t in view.inputs if t and t.is_constant]
    if all(t.dtype in _EIGHT_BIT for t in constants):
        return None
    return "cpu", "a constant that is not 8 bits wide"


def _weights(view: OpInGraph) -> Verdict | None:
    """Weights: input 1, also of TRANSPOSE_CONV, whose input 0 is a shape."""
    weights = view.input(1)
    if weights is None or not weights.is_constant:
        return "cpu", "its weights are computed; they must be constant"
    if weights.dtype not in _EIGHT_BIT:
        return "cpu", f"its weights are {weights.dtype}; the Edge TPU takes 8 bits only"
    return None


def _dilation(view: OpInGraph) -> Verdict | None:
    options, kernel = view.op.options, view.shape(1)
    high, wide = options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1)
    if high == wide or len(kernel) != 4 or 1 in kernel[1:3]:
        return None
    return "cpu", f"dilation {high} x {wide}; it must be the same both ways"


def _default_format(view: OpInGraph) -> Verdict | None:
    found = view.op.options.get("weights_format", "DEFAULT")
    return None if found in {"DEFAULT", 0} else ("cpu", f"weights in the format {found}")


def _reduction(view: OpInGraph) -> Verdict | None:
    axes, shape = view.numbers(1), view.shape(0)
    if axes is None:
        return "uncertain", "its axes are computed"
    if len(shape) > 3 and 0 in [axis % len(shape) for axis in axes] and shape[0] > 1:
        return "cpu", "it reduces the batch"
    return None


def _depth_of_four(view: OpInGraph) -> Verdict | None:
    axes, shape = view.numbers(1) or [], view.shape(0)
    last = len(shape) - 1
    if not shape or last not in [axis % len(shape) for axis in axes] or shape[-1] % 4 == 0:
        return None
    return "cpu", f"it reduces {shape[-1]} channels; their number must be a multiple of 4"


def _slope_per_channel(view: OpInGraph) -> Verdict | None:
    slope = view.shape(1)
    if all(size == 1 for size in slope[:-1]):
        return None
    return "cpu", f"slopes of shape {list(slope)}; use shared_axes=[1, 2]"


def _small_bilinear(view: OpInGraph) -> Verdict | None:
    source, result = view.shape(0)[1:3], view.outputs[0].shape[1:3] if view.outputs else ()
    if source == (1, 1):
        return "cpu", "it enlarges a single pixel"
    if max(result, default=0) > _LARGEST_BILINEAR:
        return (
            "cpu",
            f"it enlarges to {max(result)} pixels; beyond {_LARGEST_BILINEAR} none was mapped",
        )
    return None


def _one_dimension(view: OpInGraph) -> Verdict | None:
    if math.prod(view.shape(0)[:-1]) == 1:
        return None
    return "cpu", f"a softmax over shape {list(view.shape(0))}; it must be one row"


def _short_softmax(view: OpInGraph) -> Verdict | None:
    if view.largest <= _LONGEST_SOFTMAX:
        return None
    return (
        "uncertain",
        f"a softmax of {view.largest:,} values; {_LONGEST_SOFTMAX:,} are documented",
    )


def _split_axis(view: OpInGraph) -> Verdict | None:
    axes, shape = view.numbers(0), view.shape(1)
    if axes is None or not shape:
        return "uncertain", "its axis is computed"
    if len(shape) > 3 and axes[0] % len(shape) == 0:
        return "cpu", "it splits the batch"
    return None


def _plain_slice(view: OpInGraph) -> Verdict | None:
    strides = view.numbers(3)
    masks = [view.op.options.get(name, 0) for name in ("ellipsis_mask", "new_axis_mask")]
    if strides is not None and set(strides) <= {1} and not any(masks):
        return None
    return "cpu", "a slice with strides, an ellipsis or a new axis"


def _narrow_lstm(view: OpInGraph) -> Verdict | None:
    width = view.shape(0)[-1] if view.shape(0) else 0
    if width <= _WIDEST_LSTM:
        return None
    return "uncertain", f"{width} inputs; from about {_WIDEST_LSTM} on the compiler fails"


Check = Callable[[OpInGraph], Verdict | None]

CHECKS: dict[str, Check] = {
    "constants": _constants,
    "default_format": _default_format,
    "depth_of_four": _depth_of_four,
    "dilation": _dilation,
    "narrow_lstm": _narrow_lstm,
    "no_activation": _no_activation,
    "one_dimension": _one_dimension,
    "plain_slice": _plain_slice,
    "reduction": _reduction,
    "short_softmax": _short_softmax,
    "slope_per_channel": _slope_per_channel,
    "small_bilinear": _small_bilinear,
    "split_axis": _split_axis,
    "weights": _weights,
}


def _compiled(op: OpView) -> Verdict:
    if op.custom_code == COMPILED:
        return "edgetpu", "compiled for the Edge TPU"
    return "cpu", "the compiler left it there"


def _refusal(graph: Graph, op_versions: str) -> str:
    """Why the compiler refuses the whole model; empty if nothing is known against it."""
    if graph.dynamic_tensors:
        return f"'{graph.dynamic_tensors[0].name}' has an open size; fix the batch to 1"
    problems = op_version_problems(graph, op_versions)
    return problems[0] if problems else ""


def _with_partition(graph: Graph, alone: list[Verdict]) -> list[Verdict]:
    """Take the rest of the graph into account."""
    doubtful = {i for i, (place, _) in enumerate(alone) if place == "uncertain"}
    parts = rounds(graph.ops, [place != "cpu" for place, _ in alone])
    mine = [set(part) for taken, part in parts if taken]
    first = mine[0] if mine else set()
    largest = max(mine, key=len, default=set())
    after_doubt = downstream(graph.ops, doubtful)
    return [
        _in_graph(i, verdict, first, largest, after_doubt) for i, verdict in enumerate(alone)
    ]


def _in_graph(
    i: int, verdict: Verdict, first: set[int], largest: set[int], after_doubt: set[int]
) -> Verdict:
    if verdict[0] == "cpu":
        return verdict
    if i not in first | largest:
        return "cpu", "it depends on an operator that runs on the CPU after the Edge TPU"
    if verdict[0] == "edgetpu" and i in after_doubt:
        return "uncertain", "it depends on an operator that is uncertain"
    if i not in first & largest:
        return "uncertain", "the compiler takes one of several parts; which is not known"
    return verdict
