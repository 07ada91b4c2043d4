"""The chain: each step makes a candidate, and the better one goes on."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgekit.errors import SourceError
from edgekit.files import atomic_write
from edgekit.flatbuffer.graph import Graph
from edgekit.runtime.quantize import quantize
from edgekit_converters.quantize.chain import biases
from edgekit_converters.quantize.chain.equalize import equalize
from edgekit_converters.quantize.chain.estimators import (
    estimate,
    histograms,
    unusual_samples,
)
from edgekit_converters.quantize.chain.judge import Inputs, Judge, Nearness
from edgekit_converters.quantize.chain.logits import refine_scores
from edgekit_converters.quantize.chain.pair import Array, Pair
from edgekit_converters.quantize.chain.ranges import set_ranges
from edgekit_converters.quantize.chain.rounding import round_weights
from edgekit_converters.quantize.second_engine import quantize_tflite

_log = logging.getLogger(__name__)

HELD_OUT = 4  # every fourth sample judges and teaches nothing
FEW = 8  # with fewer samples there is nothing to hold out


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the chain and what it brought.

    Attributes:
        name: What was done.
        agreement: Share of the held-out samples where the model then chose the float
            model's class; None for outputs that are no class scores.
        divergence: Mean Kullback-Leibler divergence of the class probabilities then, in
            nats; None likewise.
        sqnr_db: Signal to noise of the worst output then.
        kept: Whether the step was kept.
        seconds: What it took.
    """

    name: str
    agreement: float | None
    divergence: float | None
    sqnr_db: float
    kept: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Improved:
    """What the chain made of a model.

    Attributes:
        model: The integer model.
        float_model: The float model that it computes about the same as, layer by layer.
        steps: What was done, in order; the first is the converter's own.
        left_alone: Layers that were not treated, or not in every step, with the reason.
    """

    model: bytes
    float_model: bytes
    steps: tuple[Step, ...]
    left_alone: dict[str, str]


# What `--estimator` tries beside the ranges that the converter took, its smallest and largest
# values: names of `estimators.ESTIMATORS`.
RANGES: dict[str, tuple[str, ...]] = {
    "minmax": (),
    "percentile": ("p99.99",),
    "mse": ("mse",),
    "kl": ("kl",),
    "auto": ("typical", "p99.99", "mse", "kl"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Which steps are wanted.

    Attributes:
        equalize: Even out the channels of the float model, and quantize that instead.
        bias_correction: Correct biases layer by layer.
        rounding: Round weights by the covariance of what they are multiplied with.
        estimator: How ranges of activations are chosen: a key of `RANGES`.
        per_tensor: The integer model has one scale a weight tensor.
        keep_float: Layers that stay in float.
    """

    equalize: bool = True
    bias_correction: bool = True
    rounding: bool = False
    estimator: str = "minmax"
    per_tensor: bool = False
    keep_float: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        others = bool(RANGES[self.estimator])
        return self.equalize or self.bias_correction or self.rounding or others


@dataclass(frozen=True, slots=True)
class Candidate:
    """A float model and an integer one that computes about the same."""

    float_model: bytes
    integer_model: bytes


def improve(
    float_model: bytes,
    integer_model: bytes,
    samples: Sequence[Inputs],
    folder: Path,
    wishes: Wishes,
) -> Improved:
    """Bring an integer model nearer to its float original.

    Args:
        float_model: The float .tflite.
        integer_model: What the converter made of it.
        samples: Calibration samples; every fourth one only judges.
        folder: Working folder.
        wishes: Which steps are wanted.

    Raises:
        SourceError: A model does not run.
    """
    few = len(samples) < FEW
    teaching = [each for i, each in enumerate(samples) if few or i % HELD_OUT]
    judge = Judge(float_model, samples if few else samples[::HELD_OUT], folder)
    best, start = Candidate(float_model, integer_model), time.perf_counter()
    nearness = judge.nearness(integer_model)
    steps = [_step("nearest rounding", nearness, start, kept=True)]
    chain = _Chain(best, samples, teaching, folder, wishes)
    for name, work in chain.works():
        start = time.perf_counter()
        candidate = chain.tried(name, work, best)
        if candidate is None:
            continue
        reached = judge.nearness(candidate.integer_model)
        kept = reached.beats(nearness)
        steps.append(_step(name, reached, start, kept=kept))
        if kept:
            best, nearness = candidate, reached
    return Improved(best.integer_model, best.float_model, tuple(steps), chain.left_alone)


Work = Callable[[Candidate], Candidate | None]  # None where there is nothing to do
# Gives the names of layers that it left as they are, with the reason, if there are any.
Change = Callable[[Pair, dict[int, Array], dict[int, Array]], dict[str, str] | None]


# How channels are evened out: name of the step, method and strength of `equalize`. Which one
# suits a model that has one scale a tensor shows only when it is done.
_EVENED = (("equalisation", "activations", 1.0),)
_EVENED_PER_TENSOR = (
    ("equalisation by weights", "weights", 1.0),
    ("equalisation by activations", "activations", 0.5),
)


class _Chain:
    """The steps that are wanted, in their order.

    Args:
        original: The float original, and what the converter made of it.
        samples: Calibration samples.
        teaching: Those that steps may learn from.
        folder: Working folder.
        wishes: Which steps are wanted.

    Attributes:
        left_alone: Layers that were not treated, or not in every step, with the reason.
    """

    def __init__(
        self,
        original: Candidate,
        samples: Sequence[Inputs],
        teaching: Sequence[Inputs],
        folder: Path,
        wishes: Wishes,
    ) -> None:
        self._original = original
        self._float_model = original.float_model
        self._samples = samples
        self._teaching = teaching
        self._folder = folder
        self._wishes = wishes
        self._floats = _floats(original.integer_model)
        pair = Pair(original.float_model, original.integer_model)
        self.left_alone = dict(pair.left_alone)

    def tried(self, name: str, work: Work, best: Candidate) -> Candidate | None:
        """Do a step; None where it has nothing to do, or the model does not allow it."""
        try:
            candidate = work(best)
        except SourceError as error:
            _log.warning("The step '%s' was left out. %s", name, str(error).splitlines()[0])
            return None
        if candidate is None or _floats(candidate.integer_model) <= self._floats:
            return candidate
        _log.info("The step '%s' was left out: it would leave more operators in float.", name)
        return None

    def works(self) -> Iterator[tuple[str, Work]]:
        """Yield each step with its name."""
        if self._wishes.bias_correction:
            yield "bias correction", partial(self._on_pair, biases.correct)
        if self._wishes.rounding:
            yield "covariance rounding", partial(self._on_pair, round_weights)
        for name in RANGES[self._wishes.estimator]:
            yield f"ranges by {name}", partial(self._ranged, name)
        if self._wishes.equalize:
            ways = _EVENED_PER_TENSOR if self._wishes.per_tensor else _EVENED
            for name, method, strength in ways:
                yield name, partial(self._evened, method, strength)
        if self._wishes.any:
            yield "range of scores", self._scored

    def _on_pair(
        self, change: Change, best: Candidate, samples: Sequence[Inputs] | None = None
    ) -> Candidate | None:
        """Let a function change the integer model, given both models' inputs."""
        pair = Pair(best.float_model, best.integer_model)
        if not pair.layers:
            return None
        taught = self._teaching if samples is None else samples
        given = (stacked(graph, taught) for graph in (pair.graph, pair.float_graph))
        self.left_alone |= change(pair, *given) or {}
        return Candidate(best.float_model, pair.pack())

    def _ranged(self, estimator: str, _: Candidate) -> Candidate | None:
        """Choose other ranges for the activations, and do what was done without."""
        pair = Pair(self._float_model, self._original.integer_model)
        if not pair.layers:
            return None
        found = histograms(pair, stacked(pair.float_graph, self._samples))
        set_ranges(pair, estimate(estimator, found))
        # A bias would take over what one unusual sample shifts.
        odd = {id(self._samples[i]) for i in unusual_samples(found)}
        usual = [each for each in self._teaching if id(each) not in odd]
        return self._finished(Candidate(self._float_model, pair.pack()), usual)

    def _finished(
        self, candidate: Candidate, samples: Sequence[Inputs] | None = None
    ) -> Candidate | None:
        """Do what is done to weights and biases when everything else stands."""
        if self._wishes.rounding:
            return self._on_pair(round_weights, candidate, samples)
        if self._wishes.bias_correction:
            return self._on_pair(biases.correct, candidate, samples)
        return candidate

    def _evened(self, method: str, strength: float, _: Candidate) -> Candidate | None:
        """Equalise the original, quantize it, and do with it what was done without.

        What evening out is worth shows only then.
        """
        inputs = stacked(Graph(self._float_model), self._teaching)
        made = equalize(self._float_model, inputs, method=method, strength=strength)
        if not made.treated and not made.dead:
            return None
        even, integer = self._folder / "even.tflite", self._folder / "even-int8.tflite"
        atomic_write(even, made.model)
        quantize_tflite(
            even,
            integer,
            scheme="int8",
            samples=self._samples,
            keep_float=self._wishes.keep_float,
            per_tensor=self._wishes.per_tensor,
        )
        return self._finished(Candidate(made.model, integer.read_bytes()))

    def _scored(self, best: Candidate) -> Candidate | None:
        """Choose the range of what a final SOFTMAX reads."""
        pair = Pair(best.float_model, best.integer_model, rounded=True)
        if not refine_scores(pair, stacked(pair.float_graph, self._teaching)):
            return None
        return Candidate(best.float_model, pair.pack())


def stacked(graph: Graph, samples: Sequence[Inputs]) -> dict[int, Array]:
    """Stack samples by tensor number, each with the batch of 1, as the model takes them.

    Inputs go by the name in the model's signature; a sole input may have any name.
    """
    found = {}
    for index in graph.main.inputs:
        tensor = graph.main.tensors[index]
        name = graph.main.input_names.get(index, tensor.name)
        rows = [_named(sample, name).reshape(tensor.shape) for sample in samples]
        values = np.stack(rows)
        if tensor.scale:
            values = quantize(values, tensor.scale[0], tensor.zero_point[0], tensor.dtype)
        found[index] = values.astype(tensor.dtype)
    return found


def _floats(model: bytes) -> int:
    """Count the operators that are no integer ones."""
    return len(Graph(model).float_islands)


def _named(sample: Inputs, name: str) -> Array:
    return next(iter(sample.values())) if len(sample) == 1 else sample[name]


def _step(name: str, nearness: Nearness, start: float, *, kept: bool) -> Step:
    return Step(
        name=name,
        agreement=nearness.agreement,
        divergence=nearness.divergence,
        sqnr_db=nearness.sqnr_db,
        kept=kept,
        seconds=round(time.perf_counter() - start, 3),
    )
