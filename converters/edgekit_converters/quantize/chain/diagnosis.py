"""Which layers lose in integers, why, and what helps.

Two things are measured of each layer. *On the path*, both models run side by side, and
the layer's integer output is compared with its float output; all earlier noise is in it.
*Alone*, the layer has its integer weights and its output the integer range, everything
before and behind stays in float, and the outputs of the model say what that costs: the
sensitivity. The range of the layer's input counts for the layer that computes it.

Scores below what int8 spans are no fault where a wider range would serve the probabilities
worse: such scores count as the end of the range, in float, too.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.evaluation.metrics import decibel, top1
from edgekit.evaluation.models import class_output
from edgekit.flatbuffer.graph import Graph, TensorView
from edgekit.progress import track
from edgekit.runtime import load
from edgekit.runtime.quantize import quantize
from edgekit_converters.quantize.chain.biases import applied
from edgekit_converters.quantize.chain.causes import IN_FLOAT, Finding, Traits, explain
from edgekit_converters.quantize.chain.improve import stacked
from edgekit_converters.quantize.chain.judge import Inputs
from edgekit_converters.quantize.chain.logits import narrowed
from edgekit_converters.quantize.chain.match import (
    Match,
    matched,
    output,
    real_constant,
    weights,
)
from edgekit_converters.quantize.chain.pair import WEIGHTED, Array, Floats, Layer
from edgekit_converters.quantize.chain.ranges import representable
from edgekit_converters.quantize.chain.tail import Tail, alone, replaced
from edgekit_converters.quantize.chain.taps import mean_taps, real
from edgekit_converters.quantize.chain.walk import Walk, samples_within

MOST_SAMPLES = 64
FEWEST_SAMPLES = 8
_TAIL_SECONDS = 20.0  # what running the rest of the model behind each layer may take
_WALK_BYTES = 256 * 2**20
_MIXING = frozenset({"CONV_2D", "FULLY_CONNECTED"})  # an output reads all input channels
_SMALL = 16.0  # how many times below the largest weight rounding begins to hurt
_MOST_VALUES = 2**21  # of one layer that statistics are taken of, in whole samples


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDiagnosis:
    """One layer with weights.

    Attributes:
        name: Name of its output; `--keep-float` knows it.
        op: Its operator.
        sqnr_db: Signal to noise of its output on the integer path, against float.
        sensitivity: Share of the noise at the model's outputs that this layer causes, of
            what all layers cause one by one; they add up to 1.
        alone_db: Signal to noise of the model's worst output with this layer alone in
            integers.
        agreement: Share of the samples that keep their class then; None for outputs that
            are no class scores.
        cause: What is wrong.
        remedy: What edgekit has against it.
        macs: Multiply-accumulates of one run.
        samples: How many samples all of this is over.
    """

    name: str
    op: str
    sqnr_db: float
    sensitivity: float
    alone_db: float
    agreement: float | None
    cause: str
    remedy: str
    macs: int
    samples: int


def diagnose(
    float_model: bytes,
    integer_model: bytes,
    samples: Sequence[Inputs],
    folder: Path,
    *,
    unseen: Sequence[Inputs] = (),
) -> tuple[LayerDiagnosis, ...]:
    """Measure every layer that has weights.

    At most 64 samples are used, spread evenly over those given, and fewer (8 at least)
    where the model is slow or large.

    Args:
        float_model: The float .tflite.
        integer_model: Its integer form; the two have the same layers.
        samples: Typical inputs.
        folder: Working folder.
        unseen: Inputs that no range was taken from.

    Returns:
        The worst layer first; empty if the files have no layer in common.

    Raises:
        SourceError: A model does not run.
    """
    graphs = Graph(float_model), Graph(integer_model)
    layers = matched(*graphs)
    if not layers:
        return ()
    file = folder / "diagnosed.tflite"
    file.write_bytes(float_model)
    outputs = _Outputs(graphs[0], file)
    count = _affordable(graphs, outputs, stacked(graphs[0], samples[:1]), len(layers))
    inputs, mine = (stacked(graph, _spread_out(samples, count)) for graph in graphs)
    unseen = _spread_out(unseen, count)
    beyond = _beyond(graphs, layers, stacked(graphs[0], unseen)) if unseen else {}
    outputs.remember(inputs)
    scores = narrowed(graphs[1], graphs[0], inputs)
    found = [
        _examined(match, step, outputs, beyond.get(match.float_op.index), scores)
        for match, step in _in_step(graphs, layers, inputs, mine)
    ]
    return _ranked(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A layer, and the noise power that it alone causes at the worst output."""

    match: Match
    finding: Finding
    path_db: float
    noise: float
    agreement: float | None
    macs: int
    samples: int


def _ranked(found: Sequence[_Found]) -> tuple[LayerDiagnosis, ...]:
    total = sum(each.noise for each in found)
    return tuple(
        LayerDiagnosis(
            name=each.match.name,
            op=each.match.op.op,
            sqnr_db=each.path_db,
            sensitivity=each.noise / total if total else 0.0,
            alone_db=decibel(1.0, each.noise),
            agreement=each.agreement,
            cause=each.finding.cause,
            remedy=each.finding.remedy,
            macs=each.macs,
            samples=each.samples,
        )
        for each in sorted(found, key=lambda each: -each.noise)
    )


class _Outputs:
    """What the float model gives, and how far off something else is.

    Args:
        graph: The float model.
        file: Where it stands.
    """

    def __init__(self, graph: Graph, file: Path) -> None:
        self.graph = graph
        model = load(file, probe=False)
        names = [spec.name for spec in model.outputs]
        scores = class_output(model)
        self._scores = None if scores is None else names.index(scores)
        self._wanted: list[list[Array]] = []

    def remember(self, inputs: dict[int, Array]) -> None:
        """Run the float model on the samples."""
        tail = Tail(self.graph, -1, inputs)
        self._wanted = [tail.run(inputs, i) for i in range(_count(inputs))]

    def seconds(self, inputs: dict[int, Array]) -> float:
        """Return what one sample takes."""
        tail = Tail(self.graph, -1, inputs)
        tail.run(inputs, 0)
        start = time.perf_counter()
        tail.run(inputs, 0)
        return time.perf_counter() - start

    def noise(self, tail: Tail, values: dict[int, Array]) -> tuple[float, float | None]:
        """Return noise / signal of the worst output, and the share of unchanged classes."""
        signal = np.zeros(len(self._wanted[0]))
        noise, same = np.zeros_like(signal), 0
        for sample, wanted in enumerate(self._wanted):
            found = tail.run(values, sample)
            for place, (one, other) in enumerate(zip(wanted, found, strict=True)):
                signal[place] += np.sum(np.square(one, dtype=np.float64))
                noise[place] += np.sum(np.square(one - other, dtype=np.float64))
            if self._scores is not None:
                same += top1(wanted[self._scores]) == top1(found[self._scores])
        agreement = None if self._scores is None else same / len(self._wanted)
        worst = np.max(noise / np.maximum(signal, 1e-30))
        return float(worst), agreement


def _affordable(
    graphs: tuple[Graph, Graph], outputs: _Outputs, inputs: dict[int, Array], layers: int
) -> int:
    """Return how many samples time and memory allow."""
    each = outputs.seconds(inputs) * layers  # half of the model is behind a layer, run twice
    by_time = int(_TAIL_SECONDS / max(each, 1e-9))
    by_memory = min(samples_within(graph, _WALK_BYTES) for graph in graphs)
    return max(1, min(max(by_time, FEWEST_SAMPLES), MOST_SAMPLES, by_memory))


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One layer while both walks stand behind it.

    Attributes:
        graphs: The float model and the integer one.
        read: What the layer reads in float, by tensor number.
        alive: What is alive behind it in float.
        wanted: Its output in float.
        found: Its output in the integer model, as stored.
    """

    graphs: tuple[Graph, Graph]
    read: dict[int, Array]
    alive: dict[int, Array]
    wanted: Array
    found: Array


class _Walker:
    """A walk that stops where it is told."""

    def __init__(self, graph: Graph, inputs: dict[int, Array]) -> None:
        self._walk = Walk(graph, inputs)
        self._steps = self._walk.steps()
        self._at = -1

    @property
    def values(self) -> dict[int, Array]:
        """What is alive."""
        return self._walk.values

    def until(self, index: int) -> None:
        """Walk on until an operator is the next one to run, or to the end."""
        while self._at < index:
            op = next(self._steps, None)
            if op is None:
                return
            self._at = op.index


def _in_step(
    graphs: tuple[Graph, Graph],
    layers: Sequence[Match],
    inputs: dict[int, Array],
    mine: dict[int, Array],
) -> Iterator[tuple[Match, _Step]]:
    """Walk through both models side by side; yield behind each layer."""
    original, integer = _Walker(graphs[0], inputs), _Walker(graphs[1], mine)
    for match in track(layers, "Diagnosing", len(layers), "layer"):
        integer.until(match.op.index + 1)
        original.until(match.float_op.index)
        values = original.values
        read = {i: values[i] for i in match.float_op.inputs if i in values}
        original.until(match.float_op.index + 1)
        yield (
            match,
            _Step(
                graphs=graphs,
                read=read,
                alive=dict(original.values),
                wanted=original.values[match.float_op.outputs[0]],
                found=integer.values[match.op.outputs[0]],
            ),
        )


def _examined(
    match: Match,
    step: _Step,
    outputs: _Outputs,
    unseen_beyond: float | None,
    scores: frozenset[int],
) -> _Found:
    """Measure one layer; what `scores` numbers may be clipped."""
    graph, integer = step.graphs
    made = output(integer, match.op)
    ends = representable(made) if made.index in scores else (-np.inf, np.inf)
    thin = slice(None, None, 1 + step.wanted.size // _MOST_VALUES)
    wanted = np.clip(step.wanted[thin], *ends)
    path = real(integer, made.index, step.found[thin]).astype(np.float32)
    if not made.scale:
        finding, noise, agreement = IN_FLOAT, 0.0, None
    else:
        rough, kept = _alone(match, step)
        tail = Tail(graph, match.float_op.index, step.alive)
        alive = step.alive | {match.float_op.outputs[0]: kept}
        noise, agreement = outputs.noise(tail, alive)
        alive[match.float_op.outputs[0]] = rough
        weight_noise, _ = outputs.noise(tail, alive)
        values = _Values(wanted, path, np.clip(rough[thin], *ends), kept[thin])
        spread = _input_spread(match, step)
        costs = _Costs(noise, weight_noise, unseen_beyond, spread)
        finding = explain(match.name, _traits(match, step.graphs, values, costs))
    return _Found(
        match=match,
        finding=finding,
        path_db=_db(wanted, path),
        noise=noise,
        agreement=agreement,
        macs=graph.macs(match.float_op),
        samples=len(step.wanted),
    )


def _alone(match: Match, step: _Step) -> tuple[Array, Array]:
    """Return a layer's output with integer weights, and with an integer output, too."""
    graph, integer = step.graphs
    rounded = real_constant(integer, weights(integer, match.op))
    with ExitStack() as changes:
        bias = _mended_bias(match, step, rounded)
        changes.enter_context(replaced(graph, match.float_op.inputs[1], rounded))
        if bias is not None:
            changes.enter_context(replaced(graph, match.float_op.inputs[2], bias))
        rough = alone(graph, match.float_op, step.read)
    made = output(integer, match.op)
    kept = quantize(rough, made.scale[0], made.zero_point[0], made.dtype)
    return rough, real(integer, made.index, kept).astype(np.float32)


def _mended_bias(match: Match, step: _Step, rounded: Floats) -> Floats | None:
    """Return the bias that makes up for rounded weights, if the integer model has such ones.

    Its own biases make up for earlier layers, too, which here are in float.
    """
    graph, integer = step.graphs
    op = match.float_op
    if op.op not in WEIGHTED or min(len(op.inputs), len(match.op.inputs)) < 3:
        return None
    tensors = graph.main.tensors[op.inputs[2]], integer.main.tensors[match.op.inputs[2]]
    if not all(each.is_constant for each in tensors):
        return None
    bias, theirs = real_constant(graph, tensors[0]), real_constant(integer, tensors[1])
    if not tensors[1].scale or np.all(
        np.abs(bias - theirs) <= 0.51 * np.array(tensors[1].scale)
    ):
        return None
    given = real_constant(graph, weights(graph, op))
    layer = Layer(name=match.name, float_op=op, op=op, weights=given, bias=bias)
    taps = mean_taps(graph, op, step.read[op.inputs[0]])
    return bias + applied(given - rounded, taps, layer)


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """Outputs of one layer.

    Attributes:
        wanted: In float.
        path: In the integer model.
        rough: With integer weights alone.
        kept: With integer weights and the integer range of the output.
    """

    wanted: Array
    path: Array
    rough: Array
    kept: Array


@dataclass(frozen=True, slots=True)
class _Costs:
    """What a layer alone costs.

    Attributes:
        noise: Noise against signal at the worst output of the model.
        weight_noise: Same, with the output of the layer in float.
        unseen_beyond: Share of unseen values beyond the range of its output.
        input_spread: As in `Traits`.
    """

    noise: float
    weight_noise: float
    unseen_beyond: float | None
    input_spread: float


def _traits(
    match: Match,
    graphs: tuple[Graph, Graph],
    values: _Values,
    costs: _Costs,
) -> Traits:
    """Describe what a layer computes, and its noise."""
    wanted, made = values.wanted, output(graphs[1], match.op)
    low, high = representable(made)
    outside = _outside(made, wanted)
    own = values.kept - wanted
    total = max(_energy(own), 1e-30)
    channels = wanted.reshape(-1, wanted.shape[-1])
    dead = np.ptp(channels, axis=0) == 0
    strength = np.sqrt(np.einsum("ij,ij->j", channels, channels) / len(channels))
    size = np.abs(wanted).ravel()
    usual = float(np.quantile(size, 0.999))
    used = max(float(wanted.max()), 0.0) - min(float(wanted.min()), 0.0)
    return Traits(
        path_db=_db(wanted, values.path),
        own_db=_db(wanted, values.kept),
        alone_db=decibel(1.0, costs.noise),
        weight_share=min(costs.weight_noise / max(costs.noise, 1e-30), 1.0),
        clip_share=_energy(own[outside]) / total,
        beyond=float(outside.mean()),
        unseen_beyond=costs.unseen_beyond,
        width=(high - low) / max(used, 1e-30),
        outlier=float(size.max()) / max(usual, 1e-30),
        spread=_ratio(strength[~dead]),
        weight_spread=_weight_spread(graphs, match),
        input_spread=costs.input_spread,
        distinct=len(np.unique(values.path)),
        dead=float(dead.mean()),
        shift=_shift(values.path - wanted),
        own_shift=_shift(values.rough - wanted),
    )


def _shift(error: Array) -> float:
    """Return how much of an error is a shift of the means of the channels."""
    rows = error.reshape(-1, error.shape[-1])
    return len(rows) * _energy(rows.mean(axis=0)) / max(_energy(error), 1e-30)


def _energy(values: Array) -> float:
    flat = np.asarray(values, np.float32).ravel()
    return float(flat @ flat)


def _outside(tensor: TensorView, values: Array) -> NDArray[np.bool_]:
    """Whether float values are beyond what an integer tensor can hold, by over a step."""
    low, high = representable(tensor)
    step = tensor.scale[0]
    found: NDArray[np.bool_] = (values < low - step) | (values > high + step)
    return found


def _beyond(
    graphs: tuple[Graph, Graph], layers: Sequence[Match], inputs: dict[int, Array]
) -> dict[int, float]:
    """Return the share of values beyond the range of each layer, by number in float."""
    walker, found = _Walker(graphs[0], inputs), {}
    scores = narrowed(graphs[1], graphs[0], inputs)
    for match in layers:
        walker.until(match.float_op.index + 1)
        made = output(graphs[1], match.op)
        if made.scale and made.index not in scores:
            values = walker.values[match.float_op.outputs[0]]
            found[match.float_op.index] = float(_outside(made, values).mean())
    return found


def _weight_spread(graphs: tuple[Graph, Graph], match: Match) -> float:
    """Compare the weights of the channels that share one scale."""
    tensor = weights(graphs[1], match.op)
    if len(tensor.scale) != 1:
        return 1.0
    axis = 3 if match.op.op == "DEPTHWISE_CONV_2D" else 0
    values = np.moveaxis(real_constant(graphs[0], weights(graphs[0], match.float_op)), axis, 0)
    return _ratio(np.abs(values.reshape(len(values), -1)).max(axis=1))


def _input_spread(match: Match, step: _Step) -> float:
    """Compare the weights of the inputs that carry most of the noise with the largest."""
    graph, integer = step.graphs
    wanted = real_constant(graph, weights(graph, match.float_op))
    values = step.read.get(match.float_op.inputs[0])
    if values is None or values.shape[-1] != wanted.shape[-1] or match.op.op not in _MIXING:
        return 1.0
    width = wanted.shape[-1]
    rows = values[:: 1 + values.size // _MOST_VALUES].reshape(-1, width)
    wrong = (real_constant(integer, weights(integer, match.op)) - wanted).reshape(-1, width)
    strength = np.einsum("ij,ij->j", rows, rows) / len(rows)
    noise = np.square(wrong).sum(axis=0) * strength
    peaks = np.abs(wanted).reshape(-1, width).max(axis=0)
    small = peaks < peaks.max() / _SMALL
    if noise[small].sum() <= noise.sum() / 2:
        return 1.0
    usual = float(np.average(peaks[small], weights=noise[small]))
    return float(peaks.max()) / max(usual, 1e-30)


def _ratio(sizes: Floats) -> float:
    """The largest against the median one."""
    return float(sizes.max() / max(np.median(sizes), 1e-30)) if sizes.size else 1.0


def _db(wanted: Array, found: Array) -> float:
    return decibel(_energy(wanted), _energy(found - wanted))


def _spread_out(samples: Sequence[Inputs], count: int) -> list[Inputs]:
    """Return at most `count` samples, spread evenly."""
    count = min(count, len(samples))
    return [samples[i * len(samples) // count] for i in range(count)]


def _count(inputs: dict[int, Array]) -> int:
    return len(next(iter(inputs.values())))
