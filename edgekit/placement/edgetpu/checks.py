"""What an operator must fulfil to go to the Edge TPU: one function a rule.

Each takes an operator with its tensors and returns None if it passes. A refusal is `cpu`
where the published table or compiled files say so, in the words of the compiler's log and
then in edgekit's; it is `uncertain` where sources disagree or none is known.
"""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Literal

from edgekit.errors import InputError
from edgekit.flatbuffer import Graph, OpView, TensorView
from edgekit.placement.edgetpu import statuses

Place = Literal["edgetpu", "cpu", "uncertain"]
Verdict = tuple[Place, str]

_EIGHT_BIT = {"int8", "uint8"}
_WITH_WEIGHTS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
_LONGEST_SOFTMAX = 16_000  # documented, and exceeded in one file
_WIDEST_LSTM = 900  # inputs; from about here on the compiler fails (#598)
MOST_POSITIONS = 8_192  # 64 x 128 was averaged, 256 x 128 was not (#461)
_MOST_PADDED = 400_000  # elements made from almost none; more never compiled (#203)
_WIDEST_BILINEAR = 128  # pixels a side
_TOO_WIDE_BILINEAR = 512  # refused (#31)


class OpInGraph:
    """An operator with its tensors.

    Attributes:
        graph: The model.
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

    @cached_property
    def is_rows(self) -> bool:
        """Whether a large tensor of it has no height, as those of detection heads."""
        large = [t.shape for t in self.values if 2 * math.prod(t.shape) >= self.largest]
        return any(len(shape) < 3 or 1 in shape[-3:-1] for shape in large)

    @cached_property
    def is_alone(self) -> bool:
        """Whether no other tensor has to be kept until after it."""
        own = {*self.op.inputs, *self.op.outputs}
        ops = self.graph.subgraphs[self.op.subgraph].ops
        made = {i for op in ops[: self.op.index] for i in op.outputs}
        used = {i for op in ops[self.op.index + 1 :] for i in op.inputs}
        return not (made | {*self.graph.subgraphs[self.op.subgraph].inputs}) & used - own

    @cached_property
    def is_far(self) -> bool:
        """Whether a constant of it stands behind the flatbuffer."""
        file, subgraph = self.graph.file, self.op.subgraph
        tensors = file.model.subgraphs[subgraph].tensors
        constants = [each.index for each in self.inputs if each and each.is_constant]
        return any(tensors[index].buffer in file.far for index in constants)

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

    def axes(self, number: int, rank: int) -> list[int] | None:
        """Values of a constant input as axes from 0 on; None if they are not known."""
        found = self.numbers(number)
        return None if found is None else [axis % rank for axis in found] if rank else []


def refused(status: str, detail: str) -> Verdict:
    """Return a refusal: what the compiler's log says, then what it is about."""
    return "cpu", f"{status}: {detail}"


def eight_bit(view: OpInGraph) -> Verdict | None:
    """Values are of 8 bits; asked of every operator."""
    wrong = [t for t in view.values if t.dtype not in _EIGHT_BIT]
    if not wrong:
        return None
    if view.op.op == "QUANTIZE":
        detail = f"it turns {wrong[0].dtype} '{wrong[0].name}' into integers"
        return refused(statuses.UNSPECIFIED, f"{detail}; --io int8 does without")
    detail = f"{wrong[0].dtype} tensor '{wrong[0].name}'; the Edge TPU takes 8 bits only"
    return refused(statuses.WRONG_TYPE, detail)


def constants_inside(view: OpInGraph) -> Verdict | None:
    """Constants stand inside the flatbuffer; asked of every operator.

    ai-edge-quantizer puts them behind it, where a compiler of 2021 does not look: of a
    MobileNetV2 it took 4 operators of 68, of an EfficientDet 3 of 345.
    """
    if not view.is_far:
        return None
    detail = "its constants stand behind the flatbuffer; edgekit quantize writes them inside"
    if view.op.op in _WITH_WEIGHTS:
        return refused(statuses.NOT_CONSTANT, detail)
    return "uncertain", detail


def three_dimensions(view: OpInGraph) -> Verdict | None:
    """Only the last three dimensions are above 1; asked of every operator."""
    wrong = [t for t in view.values if any(size != 1 for size in t.shape[:-3])]
    if not wrong:
        return None
    return refused(statuses.WRONG_RANK, f"shape {list(wrong[0].shape)} of '{wrong[0].name}'")


def _no_activation(view: OpInGraph) -> Verdict | None:
    fused = view.op.options.get("fused_activation_function", "NONE")
    if fused in {"NONE", 0}:
        return None
    return refused(statuses.UNSPECIFIED, f"{view.op.op} with a fused {fused}")


def _constants(view: OpInGraph) -> Verdict | None:
    constants = [t for t in view.inputs if t and t.is_constant]
    if all(t.dtype in _EIGHT_BIT for t in constants):
        return None
    return refused(statuses.WRONG_TYPE, "a constant that is not 8 bits wide")


def _zero_constant(view: OpInGraph) -> Verdict | None:
    """A constant among the joined tensors stands for padding: one of two, all real 0."""
    found = [(i, t) for i, t in enumerate(view.inputs) if t and t.is_constant]
    if not found:
        return None
    number, tensor = found[0]
    zeros = {*(tensor.zero_point or (0,))}
    if len(view.inputs) == 2 and len(found) == 1 and set(view.numbers(number) or [1]) == zeros:
        return None
    return refused(statuses.UNSPECIFIED, "it joins a constant that is no padding with zeros")


def _weights(view: OpInGraph) -> Verdict | None:
    """Weights: input 1, also of TRANSPOSE_CONV, whose input 0 is a shape."""
    weights = view.input(1)
    if weights is None or not weights.is_constant:
        return refused(statuses.NOT_CONSTANT, "its weights are computed")
    if weights.dtype not in _EIGHT_BIT:
        return refused(statuses.WRONG_TYPE, f"its weights are {weights.dtype}")
    return None


def _bias(view: OpInGraph) -> Verdict | None:
    bias = view.input(2)
    if bias is None or bias.is_constant:
        return None
    return refused(statuses.NOT_CONSTANT, "its bias is computed")


def _dilation(view: OpInGraph) -> Verdict | None:
    options, kernel = view.op.options, view.shape(1)
    high, wide = options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1)
    if high == wide or len(kernel) != 4 or 1 in kernel[1:3]:
        return None
    detail = f"dilation {high} x {wide}; it must be the same both ways"
    return refused(statuses.UNSPECIFIED, detail)


def _ungrouped(view: OpInGraph) -> Verdict | None:
    into, kernel = view.shape(0), view.shape(1)
    if not into or not kernel or into[-1] == kernel[-1]:
        return None
    return "uncertain", f"a convolution in groups of {kernel[-1]} channels: no source names it"


def _default_format(view: OpInGraph) -> Verdict | None:
    found = view.op.options.get("weights_format", "DEFAULT")
    if found in {"DEFAULT", 0}:
        return None
    return refused(statuses.UNSPECIFIED, f"weights in the format {found}")


def _one_row_out(view: OpInGraph) -> Verdict | None:
    shape = view.outputs[0].shape if view.outputs else ()
    if math.prod(shape[:-1]) == 1:
        return None
    detail = f"an output of shape {list(shape)}, where one row is documented"
    return "uncertain", detail


def _no_padded_input(view: OpInGraph) -> Verdict | None:
    padded = {i for op in view.graph.ops if op.op == "PAD" for i in op.outputs}
    found = {i in padded for i in view.op.inputs if i >= 0}
    if found != {True, False}:
        return None
    return "uncertain", "it adds a padded value to another, which was refused once (#690)"


def _reduction(view: OpInGraph) -> Verdict | None:
    shape = view.shape(0)
    axes = view.axes(1, len(shape))
    if axes is None:
        return "uncertain", "its axes are computed"
    if len(shape) > 3 and 0 in axes and shape[0] > 1:
        return refused(statuses.UNSPECIFIED, "it reduces the batch")
    return None


def _depth_of_four(view: OpInGraph) -> Verdict | None:
    shape = view.shape(0)
    axes = view.axes(1, len(shape)) or []
    if len(shape) - 1 not in axes or shape[-1] % 4 == 0:
        return None
    detail = f"it reduces {shape[-1]} channels; their number must be a multiple of 4"
    return refused(statuses.UNSPECIFIED, detail)


def _few_positions(view: OpInGraph) -> Verdict | None:
    """Few values a result, as many as the window of a pool or what a reduction takes in."""
    shape, options = view.shape(0), view.op.options
    axes = view.axes(1, len(shape)) or []
    window = options.get("filter_height", 1) * options.get("filter_width", 1)
    positions = max(window, math.prod(shape[axis] for axis in {*axes}))
    if positions <= MOST_POSITIONS:
        return None
    return (
        "uncertain",
        f"{positions:,} values go into one; beyond {MOST_POSITIONS:,} some were refused",
    )


def _pack_axis(view: OpInGraph) -> Verdict | None:
    rank = len(view.outputs[0].shape) if view.outputs else 0
    if rank < 4 or view.op.options.get("axis", 0) % rank:
        return None
    return refused(statuses.UNSPECIFIED, "it stacks along the batch")


def _pad_batch(view: OpInGraph) -> Verdict | None:
    pads, rank = view.numbers(1), len(view.shape(0))
    if pads is None:
        return "uncertain", "how much it pads is computed"
    if rank < 4 or not any(pads[:2]):
        return None
    return refused(statuses.UNSPECIFIED, "it pads the batch")


def _little_padding(view: OpInGraph) -> Verdict | None:
    if view.largest <= max(_MOST_PADDED, 2 * math.prod(view.shape(0))):
        return None
    return "uncertain", f"it makes {view.largest:,} values, most of them padding"


def _slope_per_channel(view: OpInGraph) -> Verdict | None:
    slope = view.shape(1)
    if all(size == 1 for size in slope[:-1]):
        return None
    detail = f"slopes of shape {list(slope)}; use shared_axes=[1, 2]"
    return refused(statuses.UNSPECIFIED, detail)


def _one_pixel(view: OpInGraph) -> Verdict | None:
    if view.shape(0)[1:3] != (1, 1):
        return None
    return refused(statuses.UNSPECIFIED, "it enlarges a single pixel")


def _doubling(view: OpInGraph) -> Verdict | None:
    """Enlarging is only known of factors of two, bilinear up to 128 pixels a side.

    Nearest may fall one pixel short of it, see `_even`.
    """
    before, after = view.shape(0)[1:3], view.outputs[0].shape[1:3] if view.outputs else ()
    bilinear = view.op.op == "RESIZE_BILINEAR"
    sizes = f"{_by(before)} to {_by(after)}"
    if bilinear and max(after, default=0) >= _TOO_WIDE_BILINEAR:
        return refused(statuses.UNSPECIFIED, f"it enlarges {sizes}, for want of precision")
    small = not bilinear or max(after, default=0) <= _WIDEST_BILINEAR
    if (
        small
        and len(before) == 2
        and all(
            big in {size, 2 * size, 2 * size - (not bilinear)}
            for size, big in zip(before, after, strict=True)
        )
    ):
        return None
    return "uncertain", f"it resizes {sizes}; of doubling alone it is known"


def _even(view: OpInGraph) -> Verdict | None:
    """Sizes become twice as many, not one less."""
    before, after = view.shape(0)[1:3], view.outputs[0].shape[1:3] if view.outputs else ()
    if all(big != 2 * size - 1 for size, big in zip(before, after, strict=False) if size > 1):
        return None
    return "uncertain", f"it resizes {_by(before)} to {_by(after)}, one short of twice as many"


def _by(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def _free_corners(view: OpInGraph) -> Verdict | None:
    if not view.op.options.get("align_corners"):
        return None
    return "uncertain", "it aligns corners: no source names that"


def _one_row(view: OpInGraph) -> Verdict | None:
    if math.prod(view.shape(0)[:-1]) == 1:
        return None
    detail = f"a softmax over shape {list(view.shape(0))}, where one row is documented"
    return "uncertain", detail


def _short_softmax(view: OpInGraph) -> Verdict | None:
    if view.largest <= _LONGEST_SOFTMAX:
        return None
    detail = f"a softmax of {view.largest:,} values; {_LONGEST_SOFTMAX:,} are documented"
    return "uncertain", detail


def _split_axis(view: OpInGraph) -> Verdict | None:
    shape = view.shape(1)
    axes = view.axes(0, len(shape))
    if not axes:
        return "uncertain", "its axis is computed"
    if len(shape) > 3 and axes[0] == 0:
        return refused(statuses.UNSPECIFIED, "it splits the batch")
    if len(shape) < 3:
        return "uncertain", f"it splits shape {list(shape)}, which was refused once (#219)"
    return None


def _plain_slice(view: OpInGraph) -> Verdict | None:
    strides = view.numbers(3)
    masks = [view.op.options.get(name, 0) for name in ("ellipsis_mask", "new_axis_mask")]
    if any(masks):
        return refused(statuses.UNSPECIFIED, "a slice with an ellipsis or a new axis")
    if strides is not None and {*strides} <= {1}:
        return None
    return "uncertain", "a slice with strides: documented as refused, and mapped in one log"


def _batch_stays(view: OpInGraph) -> Verdict | None:
    order = view.numbers(1)
    if order is not None and (len(order) < 4 or order[0] == 0):
        return None
    return "uncertain", "it moves the batch, or its order is computed"


def _leading_ones(view: OpInGraph) -> Verdict | None:
    before, after = view.shape(0), view.outputs[0].shape if view.outputs else ()
    if _without_leading_ones(before) == _without_leading_ones(after):
        return None
    return (
        "uncertain",
        f"it takes a size out of {list(before)} that does not lead: refused up to runtime 12",
    )


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    first = next((i for i, size in enumerate(shape) if size != 1), len(shape))
    return shape[first:]


def _narrow_lstm(view: OpInGraph) -> Verdict | None:
    width = view.shape(0)[-1] if view.shape(0) else 0
    if width <= _WIDEST_LSTM:
        return None
    return "uncertain", f"{width} inputs; from about {_WIDEST_LSTM} on the compiler fails"


Check = Callable[[OpInGraph], Verdict | None]

CHECKS: dict[str, Check] = {
    "batch_stays": _batch_stays,
    "bias": _bias,
    "constants": _constants,
    "default_format": _default_format,
    "depth_of_four": _depth_of_four,
    "dilation": _dilation,
    "doubling": _doubling,
    "even": _even,
    "few_positions": _few_positions,
    "free_corners": _free_corners,
    "leading_ones": _leading_ones,
    "little_padding": _little_padding,
    "narrow_lstm": _narrow_lstm,
    "no_activation": _no_activation,
    "no_padded_input": _no_padded_input,
    "one_pixel": _one_pixel,
    "one_row": _one_row,
    "one_row_out": _one_row_out,
    "pack_axis": _pack_axis,
    "pad_batch": _pad_batch,
    "plain_slice": _plain_slice,
    "reduction": _reduction,
    "short_softmax": _short_softmax,
    "slope_per_channel": _slope_per_channel,
    "split_axis": _split_axis,
    "ungrouped": _ungrouped,
    "weights": _weights,
    "zero_constant": _zero_constant,
}
