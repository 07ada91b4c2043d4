"""Change the types of a quantized model's inputs and outputs.

A model converted with float32 inputs and outputs quantizes them itself, with a QUANTIZE
behind each input and a DEQUANTIZE before each output. Each end is changed in two steps:

1. strip: take these ops away, so that the graph begins and ends with its own integers;
2. wrap: put ops before and behind that turn the wanted type into these integers.

int8 needs no wrap; uint8 is int8 with the zero point moved by 128, which is exact.
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from edgekit.errors import InputError
from edgekit.flatbuffer.graph import Graph, dtype_name, op_code, op_name
from edgekit.flatbuffer.metadata import associated_files, pack_file
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, read_model, text
from edgekit.manifest import Preprocessing

IoType = Literal["float32", "int8", "uint8", "int16"]
# Type inside -> types that its inputs and outputs can have.
_SUITS = {
    "int8": ("float32", "int8", "uint8"),
    "uint8": ("float32", "int8", "uint8"),
    "int16": ("float32", "int16"),
}
_OFFSETS = {("int8", "uint8"): 128, ("uint8", "int8"): -128}
# Versions of the ops by the integer type that they read or write.
_QUANTIZE_VERSIONS = {"int16": 2}
_DEQUANTIZE_VERSIONS = {"int8": 2, "int16": 3}


def with_io(
    model: bytes,
    io: IoType,
    *,
    outputs: IoType | None = None,
    pixels: Preprocessing | None = None,
) -> bytes:
    """Give a quantized model's inputs and outputs another type.

    The result is what TFLiteConverter makes with that `inference_input_type` and
    `inference_output_type`. Inputs and outputs that are no quantized values (indices of an
    embedding, counts, flags, text) stay as they are. Metadata are kept.

    Args:
        model: A .tflite file.
        io: Type of the inputs and, unless `outputs` is given, of the outputs.
        outputs: Type of the outputs.
        pixels: Give uint8 pictures the scale and zero point with which a raw pixel is the
            real value that this preprocessing makes of it, however much of the range the
            calibration data filled. Phones feed raw pixels and look at neither. Without
            effect on inputs that are no pictures, and where mean or std differ by channel.

    Raises:
        InputError: It is no .tflite file, or an input or output cannot have that type: it
            feeds or comes from a float op, the model computes in int16 (which takes float32
            or int16), or one tensor is an input and an output at once.
    """
    graph = Graph(read_model(model))
    rewriter = _Rewriter(graph, pixels)
    for place in range(len(graph.main.inputs)):
        rewriter.change_input(place, io)
    for place in range(len(graph.main.outputs)):
        rewriter.change_output(place, outputs or io)
    if not rewriter.changed:
        return model
    rewriter.finish()
    return pack_file(graph.file.model, associated_files(graph.file))


class _Rewriter:
    """Changes the ends of the main graph, one at a time.

    Args:
        graph: The model; its tree is changed.
        pixels: What uint8 pictures stand for.
    """

    def __init__(self, graph: Graph, pixels: Preprocessing | None) -> None:
        self.pixels = pixels
        self.name = graph.file.name
        self.model = graph.file.model
        self.graph = self.model.subgraphs[0]
        self.tensors: list[Table] = self.graph.tensors
        self.inputs = _numbers(self.graph.inputs)
        self.outputs = _numbers(self.graph.outputs)
        self.ops: list[Table] = list(self.graph.operators or ())
        self.first: list[Table] = []  # ops to put before the others
        self.last: list[Table] = []  # ops to put behind
        self.changed = False

    def change_input(self, place: int, wanted: str) -> None:
        """Give one input the wanted type."""
        outer = self.inputs[place]
        if self.is_settled(outer, wanted):
            return
        self.refuse_shortcut(outer)
        inner = self.strip_input(outer)
        self.check(
            inner, wanted, f"input '{self.label(outer)}'", f"feeds {self.readers(inner)}"
        )
        self.changed = True
        if self.dtype(inner) == wanted:
            self.tensors[inner].name = self.tensors[outer].name
            self.move_input(place, inner)
            return
        wrapped = self.add_tensor(inner, wanted, self.tensors[outer].name)
        if wanted == "uint8" and (params := self.pixel_params(inner)):
            self.tensors[wrapped].quantization = params
        self.first.append(self.op("QUANTIZE", wrapped, inner))
        self.move_input(place, wrapped)

    def change_output(self, place: int, wanted: str) -> None:
        """Give one output the wanted type."""
        outer = self.outputs[place]
        if self.is_settled(outer, wanted):
            return
        self.refuse_shortcut(outer)
        inner = self.strip_output(outer)
        maker = self.maker(inner)
        origin = f"comes from {self.op_name(maker)}" if maker else "is a constant"
        self.check(inner, wanted, f"output '{self.label(outer)}'", origin)
        self.changed = True
        if self.dtype(inner) == wanted and inner not in self.inputs + self.outputs:
            self.swap_names(inner, outer)
            self.move_output(place, inner)
            return
        wrapped = self.add_tensor(inner, wanted, self.tensors[outer].name)
        kind = "DEQUANTIZE" if wanted == "float32" else "QUANTIZE"
        self.last.append(self.op(kind, inner, wrapped))
        self.move_output(place, wrapped)

    def finish(self) -> None:
        """Put the ops in order and drop tensors and op codes that nothing refers to."""
        self.graph.operators = self.first + self.ops + self.last
        self.graph.inputs = np.array(self.inputs, np.int32)
        self.graph.outputs = np.array(self.outputs, np.int32)
        self.drop_tensors()
        self.drop_codes()

    def is_settled(self, tensor: int, wanted: str) -> bool:
        """The tensor has the type already, or is no quantized value at all."""
        found = self.dtype(tensor)
        plain = found != "float32" and not (found in _SUITS and self.is_quantized_once(tensor))
        return found == wanted or plain

    def strip_input(self, outer: int) -> int:
        """Take the QUANTIZE ops behind an input away; return the integers they made."""
        readers = [op for op in self.ops if outer in _numbers(op.inputs)]
        quantizers = [op for op in readers if self.is_one_to_one(op, "QUANTIZE")]
        if not readers or len(quantizers) < len(readers):
            return outer
        # The widest range serves all: what another reader wants is made from it.
        main = max(quantizers, key=lambda op: self.scale(op.outputs[0]))
        inner = int(main.outputs[0])
        if inner in self.outputs:
            return outer
        self.ops.remove(main)
        for op in quantizers:
            if op is main:
                continue
            result = int(op.outputs[0])
            if self.params(result) == self.params(inner) and result not in self.outputs:
                self.ops.remove(op)
                self.redirect(result, inner)
            else:
                op.inputs = np.array([inner], np.int32)
        return inner

    def strip_output(self, outer: int) -> int:
        """Take the op before an output away; return the integers it read."""
        maker = self.maker(outer)
        if maker is None or not self.is_one_to_one(maker, "DEQUANTIZE", "QUANTIZE"):
            return outer
        inner = int(maker.inputs[0])
        if self.dtype(inner) not in _SUITS or not self.is_quantized_once(inner):
            return outer
        used = any(outer in _numbers(op.inputs) for op in self.ops)
        if not used and self.outputs.count(outer) == 1:
            self.ops.remove(maker)
        return inner

    def is_one_to_one(self, op: Table, *names: str) -> bool:
        """It is one of these ops, from one tensor to one tensor."""
        ends = _numbers(op.inputs), _numbers(op.outputs)
        whole = all(len(each) == 1 and each[0] >= 0 for each in ends)
        return whole and self.op_name(op) in names

    def is_quantized_once(self, tensor: int) -> bool:
        """It has one scale for all its values."""
        params = self.tensors[tensor].quantization
        return params is not None and params.scale is not None and params.scale.size == 1

    def check(self, inner: int, wanted: str, what: str, where: str) -> None:
        """Refuse a type that the integers inside cannot be turned into."""
        found = self.dtype(inner)
        if found in _SUITS and wanted in _SUITS[found] and self.is_quantized_once(inner):
            return
        if found in _SUITS:
            reason = f"the model computes in {found} there, which goes with "
            reason += " or ".join(_SUITS[found])
        else:
            reason = f"it {where} as {found}; quantize the model to integers first"
        msg = f"The {what} of {self.name} cannot become {wanted}: {reason}."
        raise InputError(msg)

    def refuse_shortcut(self, tensor: int) -> None:
        """Refuse to change a tensor that is an input and an output at once."""
        if tensor in self.inputs and tensor in self.outputs:
            msg = (
                f"'{self.label(tensor)}' of {self.name} is an input and an output at once; "
                "its type cannot be changed. Leave it out of the outputs of the model."
            )
            raise InputError(msg)

    def add_tensor(self, inner: int, dtype: str, name: str | None) -> int:
        """Add a tensor that holds the values of another in another type."""
        source = self.tensors[inner]
        quantization = None
        if dtype != "float32":
            params = source.quantization
            shift = _OFFSETS.get((self.dtype(inner), dtype), 0)
            quantization = Table(
                "QuantizationParameters",
                scale=params.scale,
                zero_point=np.array([self.zero_point(inner) + shift], np.int64),
            )
        tensor = Table(
            "Tensor",
            name=name,
            shape=source.shape,
            shape_signature=source.shape_signature,
            has_rank=source.has_rank,
            type=enum_values("TensorType")[dtype.upper()],
            quantization=quantization,
        )
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def pixel_params(self, inner: int) -> Table | None:
        """Scale and zero point of raw pixels, if they are not those of the integers inside."""
        pixels, tensor = self.pixels, self.tensors[inner]
        if pixels is None or tensor.shape is None or tensor.shape.size != 4:
            return None
        if len({*pixels.mean}) != 1 or len({*pixels.std}) != 1:
            return None
        scale, zero = 1 / pixels.std[0], round(pixels.mean[0])
        if not 0 <= zero <= 255:
            return None
        shift = _OFFSETS.get((self.dtype(inner), "uint8"), 0)
        own_scale, own_zero = self.scale(inner), self.zero_point(inner) + shift
        ends = (abs(own_scale * (q - own_zero) - scale * (q - zero)) for q in (0, 255))
        if max(ends) < scale:
            return None  # the same to within a pixel, and exact without another rounding
        return Table(
            "QuantizationParameters",
            scale=np.array([scale], np.float32),
            zero_point=np.array([zero], np.int64),
        )

    def op(self, kind: str, source: int, result: int) -> Table:
        """Make a QUANTIZE or DEQUANTIZE between two tensors."""
        options = {"QUANTIZE": "QuantizeOptions", "DEQUANTIZE": "DequantizeOptions"}[kind]
        inner = self.dtype(source) if kind == "DEQUANTIZE" else self.dtype(result)
        versions = _DEQUANTIZE_VERSIONS if kind == "DEQUANTIZE" else _QUANTIZE_VERSIONS
        return Table(
            "Operator",
            opcode_index=self.code_index(kind, versions.get(inner, 1)),
            inputs=np.array([source], np.int32),
            outputs=np.array([result], np.int32),
            builtin_options=Table(options),
        )

    def code_index(self, kind: str, version: int) -> int:
        """Number of the operator code, added if there is none."""
        codes = self.model.operator_codes
        builtin = enum_values("BuiltinOperator")[kind]
        for i, code in enumerate(codes):
            if op_code(code) == builtin and code.version == version:
                return i
        codes.append(
            Table(
                "OperatorCode",
                deprecated_builtin_code=min(builtin, 127),
                builtin_code=builtin,
                version=version,
            )
        )
        return len(codes) - 1

    def drop_tensors(self) -> None:
        """Drop tensors that only stripped ops referred to."""
        used = {*self.inputs, *self.outputs}
        used |= {each.tensor_index for each in self.signature_maps("inputs", "outputs")}
        for op in self.graph.operators:
            used |= {*_numbers(op.inputs), *_numbers(op.outputs), *_numbers(op.intermediates)}
        kept = [i for i in range(len(self.tensors)) if i in used]
        places = {-1: -1} | {before: after for after, before in enumerate(kept)}
        self.graph.tensors = [self.tensors[i] for i in kept]
        for op in self.graph.operators:
            for field in ("inputs", "outputs", "intermediates"):
                values = getattr(op, field)
                if values is not None:
                    moved = [places[i] for i in _numbers(values)]
                    setattr(op, field, np.array(moved, np.int32))
        self.graph.inputs = np.array([places[i] for i in self.inputs], np.int32)
        self.graph.outputs = np.array([places[i] for i in self.outputs], np.int32)
        for each in self.signature_maps("inputs", "outputs"):
            each.tensor_index = places[each.tensor_index]

    def drop_codes(self) -> None:
        """Drop operator codes that no operator has any more."""
        ops = [op for graph in self.model.subgraphs for op in graph.operators or ()]
        kept = sorted({op.opcode_index for op in ops})
        places = {before: after for after, before in enumerate(kept)}
        for op in ops:
            op.opcode_index = places[op.opcode_index]
        codes = self.model.operator_codes
        self.model.operator_codes = [codes[i] for i in kept]

    def move_input(self, place: int, tensor: int) -> None:
        """Make another tensor the input at a place, in the signatures too."""
        self.move("inputs", self.inputs[place], tensor)
        self.inputs[place] = tensor

    def move_output(self, place: int, tensor: int) -> None:
        """Make another tensor the output at a place, in the signatures too."""
        self.move("outputs", self.outputs[place], tensor)
        self.outputs[place] = tensor

    def move(self, side: str, before: int, after: int) -> None:
        for each in self.signature_maps(side):
            if each.tensor_index == before:
                each.tensor_index = after

    def signature_maps(self, *sides: str) -> Iterable[Table]:
        """The names of inputs and outputs in the signatures of the main graph."""
        signatures = [s for s in self.model.signature_defs or () if s.subgraph_index == 0]
        return [each for s in signatures for side in sides for each in getattr(s, side) or ()]

    def swap_names(self, inner: int, outer: int) -> None:
        """Give the integers the name of the output; the other tensor may live on inside."""
        names = self.tensors[outer].name, self.tensors[inner].name
        self.tensors[inner].name, self.tensors[outer].name = names

    def redirect(self, before: int, after: int) -> None:
        """Let every reader of a tensor read another."""
        for op in self.ops:
            if before in _numbers(op.inputs):
                moved = [after if i == before else i for i in _numbers(op.inputs)]
                op.inputs = np.array(moved, np.int32)

    def maker(self, tensor: int) -> Table | None:
        """The op that writes a tensor."""
        return next((op for op in self.ops if tensor in _numbers(op.outputs)), None)

    def readers(self, tensor: int) -> str:
        """Names of the ops that read a tensor."""
        names = {self.op_name(op) for op in self.ops if tensor in _numbers(op.inputs)}
        return " and ".join(sorted(names)) or "nothing"

    def dtype(self, tensor: int) -> str:
        return dtype_name(self.tensors[tensor].type)

    def scale(self, tensor: int) -> float:
        params = self.tensors[tensor].quantization
        return float(params.scale[0]) if self.is_quantized_once(tensor) else 0.0

    def zero_point(self, tensor: int) -> int:
        """Quantized value of real 0; 0 if the file does not say."""
        found = self.tensors[tensor].quantization.zero_point
        return int(found[0]) if found is not None and found.size else 0

    def params(self, tensor: int) -> tuple[Any, ...]:
        """Type, scale and zero point."""
        found = self.tensors[tensor].quantization
        values = [found.scale, found.zero_point] if found else []
        return self.dtype(tensor), *(None if v is None else v.tobytes() for v in values)

    def label(self, tensor: int) -> str:
        return text(self.tensors[tensor].name)

    def op_name(self, op: Table) -> str:
        return op_name(op_code(self.model.operator_codes[op.opcode_index]))


def _numbers(values: Any) -> list[int]:
    """A vector of numbers as a list."""
    return [] if values is None else [int(each) for each in values]
