"""The second engine: ai-edge-quantizer, for float .tflite files and 8-bit weights.

It serves what the TFLiteConverter cannot: a float .tflite from elsewhere, a SavedModel
(by way of its float .tflite) and `weight-only`. Three things are done around it: ranges
are true extremes (`ranges`), what it leaves in float between integer neighbours is made
integer where a kernel exists (`islands`), and operator versions are set (`op_versions`).

Every scheme keeps float32 inputs and outputs; int8 and int16x8 reach them through one
QUANTIZE each input and one DEQUANTIZE each output, which `edgekit.flatbuffer.io_types`
turns into other types.
"""

import contextlib
import difflib
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import SourceError, UnknownName, UsageError
from edgekit.extras import need
from edgekit.files import atomic_write
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.tables import Table, pack, read
from edgekit_converters.quantize.biases import mend_biases
from edgekit_converters.quantize.float_graph import drop_unused, prepare, run_once
from edgekit_converters.quantize.islands import close_islands
from edgekit_converters.quantize.op_versions import set_versions
from edgekit_converters.quantize.ranges import Range, Samples, measure

# Scheme -> bits of the activations, for those whose ranges come from samples.
_STATIC_BITS = {"int8": 8, "int16x8": 16}
SCHEMES = (*_STATIC_BITS, "dynamic", "weight-only", "float16")

# What ai-edge-quantizer raises on operators, types and ranks that it has no rules for.
_OUTSIDE_ITS_RULES = (
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
_MOST_NEAR = 8  # names that a message lists
# Operator -> place of its bias.
_WITH_BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the second engine made.

    Attributes:
        kept_float: Operators that stayed in float, by output tensor, with the reason; for
            int8 and int16x8 only, elsewhere every operator computes in float.
        notes: What to know about the file, as sentences for people.
    """

    kept_float: dict[str, str]
    notes: tuple[str, ...]


def quantize_tflite(
    float_path: Path,
    out_path: Path,
    *,
    scheme: str,
    samples: Samples | None,
    keep_float: Sequence[str] = (),
    per_channel_dense: bool | None = None,
    per_tensor: bool = False,
) -> Outcome:
    """Quantize a float .tflite file. Call it in a guarded child: it runs the model.

    Args:
        float_path: The float model; an open batch is fixed to 1.
        out_path: Where the result is written, whole or not at all.
        scheme: One of `SCHEMES`.
        samples: One array an input each, by name; int8 and int16x8 need them, and they are
            read once.
        keep_float: Operators that stay in float: the name of an output tensor, or a part
            of it between slashes or semicolons, which is what the name of a layer becomes.
        per_channel_dense: One scale a channel in FULLY_CONNECTED weights, or one a tensor.
            None takes one a channel, but not in `dynamic`, where tflite-runtime 2.14 refuses
            them or computes nonsense.
        per_tensor: One scale for all weights of a layer, in every operator, as old
            accelerators want it. Equalise the channels before (`chain.equalize`).

    Raises:
        UnknownName: There is no such scheme, or nothing is called as `keep_float` says.
        UsageError: The scheme needs samples and there are none.
        SourceError: The model cannot be quantized.
        DataError: A sample does not fit.
    """
    if scheme not in SCHEMES:
        raise UnknownName(kind="scheme", name=scheme, known=list(SCHEMES))
    if scheme in _STATIC_BITS and samples is None:
        msg = f"Scheme {scheme} takes its ranges from samples, and none were given."
        raise UsageError(msg)

    float_graph = prepare(float_path)
    graph = Graph(float_graph.data)
    dense = scheme != "dynamic" if per_channel_dense is None else per_channel_dense
    told = {"dense": dense and not per_tensor, "convolutions": not per_tensor}
    left_out = {op.index: "as asked" for op in _called(graph, keep_float)}
    if scheme in _STATIC_BITS and samples is not None:
        _refuse_control_flow(graph, float_path, scheme)
        ranges = measure(float_graph.data, float_path, samples)
        left_out = _unsuited(graph, scheme) | left_out
        recipe = _Recipe(scheme, graph, left_out, **told)
        model = read(recipe.apply(float_graph.data, float_path, ranges)).model
        mend_biases(model, graph)
        scopes = {_scope(graph, graph.ops[index]) for index in left_out}
        close_islands(model, ranges, scopes, bits=_STATIC_BITS[scheme])
    else:
        recipe = _Recipe(scheme, graph, left_out, **told)
        model = read(recipe.apply(float_graph.data, float_path, {})).model
    data = _finished(model, float_path, scheme)
    kept = _kept_float(Graph(data), graph, left_out) if scheme in _STATIC_BITS else {}
    atomic_write(out_path, data)
    return Outcome(kept_float=kept, notes=(*float_graph.notes, *_about(kept)))


def _refuse_control_flow(graph: Graph, path: Path, scheme: str) -> None:
    if len(graph.subgraphs) > 1:
        names = sorted({op.op for op in graph.ops} & {"CALL_ONCE", "IF", "WHILE"})
        msg = (
            f"{path} has loops or branches ({', '.join(names) or 'several subgraphs'}), which "
            f"cannot be quantized to {scheme}.\n"
            "Unroll its recurrent layers, or use --scheme dynamic or weight-only."
        )
        raise SourceError(msg)


def _names(graph: Graph, ops: Sequence[OpView]) -> set[str]:
    return {graph.main.tensors[index].name for op in ops for index in op.outputs}


def _called(graph: Graph, wanted: Sequence[str]) -> list[OpView]:
    """The operators that have one of these names."""
    found: dict[int, OpView] = {}
    for name in wanted:
        pattern = re.compile(rf"(^|[/;:]){re.escape(name)}($|[/;:])")
        hits = [op for op in graph.ops if any(pattern.search(n) for n in _names(graph, [op]))]
        if not hits:
            raise _unknown(graph, name)
        found |= {op.index: op for op in hits}
    return [found[index] for index in sorted(found)]


def _unknown(graph: Graph, name: str) -> UnknownName:
    """Return the error for a name that nothing has, with the names that are near it."""
    full = _names(graph, graph.ops)
    parts = {part for each in full for part in re.split(r"[/;:]", each) if part}
    near = difflib.get_close_matches(name, parts, _MOST_NEAR)
    first = sorted(each.partition(";")[0] for each in full)  # of what was fused
    return UnknownName(
        kind="operator of the model",
        name=name,
        known=near or first[:_MOST_NEAR],
        hint=(
            f"These are {'the nearest' if near else 'some'} of {len(full)}; 'edgekit inspect' "
            "lists them all."
        ),
    )


def _unsuited(graph: Graph, scheme: str) -> dict[int, str]:
    """Operators that the engine must not touch, by number, with the reason."""
    tensors = graph.main.tensors
    read = {*graph.main.outputs, *(index for op in graph.ops for index in op.inputs)}
    reasons = {}
    for op in graph.ops:
        place = _WITH_BIAS.get(op.op)
        bias = op.inputs[place] if place is not None and place < len(op.inputs) else -1
        if any(tensors[index].dtype != "float32" for index in op.outputs):
            reasons[op.index] = "its result is not float"
        elif bias >= 0 and not tensors[bias].is_constant:
            reasons[op.index] = "its bias is computed"
        elif not read.issuperset(op.outputs):
            reasons[op.index] = "some of its results are not used"
        elif op.op == "BATCH_MATMUL" and scheme == "int16x8" and _has_constant(graph, op):
            reasons[op.index] = "16 bits have no kernel for a constant factor"
    return reasons


def _has_constant(graph: Graph, op: OpView) -> bool:
    return any(graph.main.tensors[index].is_constant for index in op.inputs if index >= 0)


def _scope(graph: Graph, op: OpView) -> str:
    """How ai-edge-quantizer calls an operator."""
    names = (graph.main.tensors[index].name for index in op.outputs if index >= 0)
    return ";".join(names) + ";"


class _Recipe:
    """What ai-edge-quantizer is told.

    Args:
        scheme: One of `SCHEMES`.
        graph: The float model.
        left_out: Numbers of operators that stay in float.
        dense: Whether FULLY_CONNECTED weights have one scale a channel.
        convolutions: Whether the weights of the other operators have.
    """

    def __init__(
        self,
        scheme: str,
        graph: Graph,
        left_out: Iterable[int],
        *,
        dense: bool,
        convolutions: bool,
    ) -> None:
        self._scheme = scheme
        self._dense = dense
        self._convolutions = convolutions
        self._left_out = [f"^{re.escape(_scope(graph, graph.ops[i]))}$" for i in left_out]

    def apply(self, data: bytes, path: Path, ranges: dict[str, Range]) -> bytes:
        """Quantize a float model.

        Raises:
            SourceError: The engine does not understand it.
        """
        quantizer = need("ai_edge_quantizer.quantizer", "quantize .tflite files")
        try:
            with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
                warnings.simplefilter("ignore")
                engine = quantizer.Quantizer(data)
                self._tell(engine)
                result = engine.quantize(
                    _statistics(ranges) or None,
                    enable_progress_bar=False,
                    enable_progress_report=False,
                )
        except _OUTSIDE_ITS_RULES as error:
            msg = (
                f"{path} cannot be quantized to {self._scheme} by ai-edge-quantizer: "
                f"{_first_line(error)}\n"
                "Keep the operator that it names in float (--keep-float), or use another "
                "--scheme."
            )
            raise SourceError(msg) from error
        return bytes(result.quantized_model)

    def _tell(self, engine: Any) -> None:
        types = need("ai_edge_quantizer.qtyping", "quantize .tflite files")
        ops, granularity = types.TFLOperationName, types.QuantGranularity
        usual = granularity.CHANNELWISE if self._convolutions else granularity.TENSORWISE
        self._add(engine, ops.ALL_SUPPORTED, usual)
        if not self._dense and self._scheme != "float16":
            self._add(engine, ops.FULLY_CONNECTED, granularity.TENSORWISE)
        if self._scheme == "int8":  # its kernel knows one scale only
            self._add(engine, ops.BATCH_MATMUL, granularity.TENSORWISE)
        never = _algorithms().NO_QUANTIZE
        for op in (ops.INPUT, ops.OUTPUT):
            engine.update_quantization_recipe(".*", op, algorithm_key=never)
        for pattern in self._left_out:
            engine.update_quantization_recipe(pattern, ops.ALL_SUPPORTED, algorithm_key=never)

    def _add(self, engine: Any, op: Any, granularity: Any) -> None:
        if self._scheme in _STATIC_BITS:
            bits = _STATIC_BITS[self._scheme]
            engine.add_static_config(".*", op, bits, 8, granularity)
        elif self._scheme == "dynamic":
            engine.add_dynamic_config(".*", op, 8, granularity)
        elif self._scheme == "weight-only":
            engine.add_weight_only_config(".*", op, 8, granularity)
        else:
            casting = _algorithms().FLOAT_CASTING
            engine.add_weight_only_config(".*", op, 16, algorithm_key=casting)


def _algorithms() -> Any:
    return need("ai_edge_quantizer.quantizer", "quantize .tflite files").AlgorithmName


def _statistics(ranges: dict[str, Range]) -> dict[str, dict[str, Any]]:
    """Ranges in the form that ai-edge-quantizer keeps them."""
    return {
        name: {
            "min": np.array([low], np.float32),
            "max": np.array([high], np.float32),
        }
        for name, (low, high) in ranges.items()
    }


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "no reason given")


def _finished(model: Table, path: Path, scheme: str) -> bytes:
    """Set what ai-edge-quantizer leaves open (options, versions); see that the file runs."""
    for subgraph in model.subgraphs:
        for op in subgraph.operators or ():
            _use_any_scale(op)
    set_versions(model)
    drop_unused(model)
    data = pack(model)
    run_once(data, f"The {scheme} form of {path}")
    return data


def _use_any_scale(op: Table) -> None:
    """Let ADD and SUB of 16-bit integers have scales that are no powers of two."""
    if hasattr(op.builtin_options, "pot_scale_int16"):
        op.builtin_options.pot_scale_int16 = False


def _kept_float(graph: Graph, float_graph: Graph, left_out: dict[int, str]) -> dict[str, str]:
    """Why operators stayed in float, by the name of their first output."""
    reasons = {_scope(float_graph, float_graph.ops[i]): why for i, why in left_out.items()}
    return {
        graph.main.tensors[op.outputs[0]].name: (
            f"{op.op}: {reasons.get(_scope(graph, op), 'the engine has no integer form of it')}"
        )
        for op in graph.float_islands
        if op.op not in {"QUANTIZE", "DEQUANTIZE"}
    }


def _about(kept: dict[str, str]) -> Iterator[str]:
    for reason in sorted(set(kept.values())):
        names = [name for name, why in kept.items() if why == reason]
        few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield f"Stayed in float: {few} ({reason})."
