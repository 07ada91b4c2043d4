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
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError, UnknownName, UsageError
from edgekit.extras import need
from edgekit.files import atomic_write
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.tables import pack, read
from edgekit_converters.quantize.biases import mend_biases
from edgekit_converters.quantize.float_graph import drop_unused, prepare
from edgekit_converters.quantize.islands import close_islands
from edgekit_converters.quantize.op_versions import set_versions
from edgekit_converters.quantize.ranges import Range, Samples, measure

# Scheme -> bits of the activations, for those whose ranges come from samples.
_STATIC_BITS = {"int8": 8, "int16x8": 16}
SCHEMES = (*_STATIC_BITS, "dynamic", "weight-only", "float16")

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
    per_channel_dense: bool = True,
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
        per_channel_dense: One scale a channel in FULLY_CONNECTED weights. Off, there is one
            a tensor: in `dynamic`, tflite-runtime 2.14 computes nonsense otherwise, silently.

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
    if scheme in _STATIC_BITS:
        _refuse_control_flow(graph, float_path, scheme)
    asked = _called(graph, keep_float)
    left_out = {op.index: "asked for" for op in asked}
    ranges: dict[str, Range] = {}
    if scheme in _STATIC_BITS and samples is not None:
        ranges = measure(float_graph.data, float_path, samples)
        left_out = _unsuited(graph) | left_out
    recipe = _Recipe(scheme, [graph.ops[index] for index in left_out], graph)
    quantized = recipe.apply(float_graph.data, ranges, float_path, dense=per_channel_dense)
    data = _finished(quantized, graph, ranges, {_scope(graph, op) for op in asked})
    kept = _kept_float(Graph(data), asked_for=_names(graph, asked)) if ranges else {}
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
            known = sorted(_names(graph, graph.ops))
            raise UnknownName(kind="operator of the model", name=name, known=known)
        found |= {op.index: op for op in hits}
    return [found[index] for index in sorted(found)]


def _unsuited(graph: Graph) -> dict[int, str]:
    """Operators that the engine must not touch, by number, with the reason."""
    tensors = graph.main.tensors
    reasons = {}
    for op in graph.ops:
        place = _WITH_BIAS.get(op.op)
        bias = op.inputs[place] if place is not None and place < len(op.inputs) else -1
        if any(tensors[index].dtype != "float32" for index in op.outputs):
            reasons[op.index] = "its result is not float"
        elif bias >= 0 and not tensors[bias].is_constant:
            reasons[op.index] = "its bias is computed"
    return reasons


def _scope(graph: Graph, op: OpView) -> str:
    """How ai-edge-quantizer calls an operator."""
    names = (graph.main.tensors[index].name for index in op.outputs if index >= 0)
    return ";".join(names) + ";"


class _Recipe:
    """What ai-edge-quantizer is told.

    Args:
        scheme: One of `SCHEMES`.
        left_out: Operators that stay in float.
        graph: The float model.
    """

    def __init__(self, scheme: str, left_out: Sequence[OpView], graph: Graph) -> None:
        self._scheme = scheme
        self._left_out = [f"^{re.escape(_scope(graph, op))}$" for op in left_out]

    def apply(self, data: bytes, ranges: dict[str, Range], path: Path, *, dense: bool) -> bytes:
        """Quantize a float model; `dense` gives Dense weights one scale a channel."""
        quantizer = need("ai_edge_quantizer.quantizer", "quantize .tflite files")
        try:
            with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
                warnings.simplefilter("ignore")
                engine = quantizer.Quantizer(data)
                self._tell(engine, dense=dense)
                result = engine.quantize(
                    _statistics(ranges) or None,
                    enable_progress_bar=False,
                    enable_progress_report=False,
                )
        except (ValueError, RuntimeError, NotImplementedError) as error:
            msg = (
                f"{path} cannot be quantized to {self._scheme} by ai-edge-quantizer: "
                f"{_first_line(error)}\n"
                "Keep the operator that it names in float (--keep-float), or use another scheme."
            )
            raise SourceError(msg) from error
        return bytes(result.quantized_model)

    def _tell(self, engine: Any, *, dense: bool) -> None:
        types = need("ai_edge_quantizer.qtyping", "quantize .tflite files")
        ops, granularity = types.TFLOperationName, types.QuantGranularity
        for op in (ops.ALL_SUPPORTED, ops.FULLY_CONNECTED):
            whole = op == ops.FULLY_CONNECTED and not dense
            each = granularity.TENSORWISE if whole else granularity.CHANNELWISE
            self._add(engine, op, each)
        never = need("ai_edge_quantizer.quantizer", "quantize").AlgorithmName.NO_QUANTIZE
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
            names = need("ai_edge_quantizer.quantizer", "quantize").AlgorithmName
            engine.add_weight_only_config(".*", op, 16, algorithm_key=names.FLOAT_CASTING)


def _statistics(ranges: dict[str, Range]) -> dict[str, dict[str, Any]]:
    """Ranges in the form that ai-edge-quantizer keeps them."""
    numpy = need("numpy", "quantize")
    return {
        name: {
            "min": numpy.array([low], numpy.float32),
            "max": numpy.array([high], numpy.float32),
        }
        for name, (low, high) in ranges.items()
    }


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "no reason given")


def _finished(
    data: bytes, float_graph: Graph, ranges: dict[str, Range], left_out: set[str]
) -> bytes:
    """Do what ai-edge-quantizer leaves open: biases, islands, options, versions, alignment."""
    model = read(data).model
    if ranges:
        mend_biases(model, float_graph)
        close_islands(model, ranges, left_out)
    for subgraph in model.subgraphs:
        for op in subgraph.operators or ():
            _use_any_scale(op)
    set_versions(model)
    drop_unused(model)
    return pack(model)


def _use_any_scale(op: Any) -> None:
    """Let ADD and SUB of 16-bit integers have scales that are no powers of two."""
    if hasattr(op.builtin_options, "pot_scale_int16"):
        op.builtin_options.pot_scale_int16 = False


def _kept_float(graph: Graph, asked_for: set[str]) -> dict[str, str]:
    """Why operators stayed in float, by the name of their first output."""
    reasons = {}
    for op in graph.float_islands:
        if op.op in {"QUANTIZE", "DEQUANTIZE"}:
            continue
        name = graph.main.tensors[op.outputs[0]].name
        asked = name in asked_for
        reasons[name] = f"{op.op} " + ("was asked for" if asked else "has no integer form here")
    return reasons


def _about(kept: dict[str, str]) -> Iterator[str]:
    for reason in sorted(set(kept.values())):
        names = [name for name, why in kept.items() if why == reason]
        few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield f"Stayed in float: {few} ({reason})."
