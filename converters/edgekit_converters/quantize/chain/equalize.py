"""Exact equalisation of a float .tflite: the same function, with channels that are alike.

1. Channels that are zero on all samples lose their weights (`dead`).
2. Channels get factors that even out ranges (`scales`), written into weights and biases.

Each step is judged on held-out samples against the model before it and undone if the outputs
move: by more than 1e-4 of their largest magnitude where the step is exact, by more than
`Limits` allow where it rests on what the samples showed (dead channels, caps under ReLU6).
What fails is tried again without the channels that behave otherwise on the held-out samples,
and capped factors at last without every channel that ReLU6 clips, which is exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError, UnknownName
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.tables import pack
from edgekit_converters.quantize.chain.channels import Channels, find_channels
from edgekit_converters.quantize.chain.dead import find_dead
from edgekit_converters.quantize.chain.patching import rescale, silence
from edgekit_converters.quantize.chain.peaks import channel_peaks
from edgekit_converters.quantize.chain.scales import METHODS, find_scales
from edgekit_converters.quantize.float_graph import interpreter, run

Array = NDArray[Any]
Floats = NDArray[np.float64]
Inputs = Mapping[int, Array]  # by tensor number, samples in front
HELD_OUT = 4  # every fourth sample judges and teaches nothing
_FEW = 8  # with fewer samples all do both
_EXACT = 1e-4
_CHANGED = 1e-3  # a factor nearer to 1 changes nothing worth a word


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a step that rests on samples may change.

    Attributes:
        agreement: Least share of the held-out samples with the same largest output.
        sqnr_db: Least signal to noise of the outputs.
    """

    agreement: float = 0.97
    sqnr_db: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How far outputs moved.

    Attributes:
        difference: Largest difference, relative to the largest magnitude of that output.
        sqnr_db: Signal to noise of the worst output.
        agreement: Share of the samples with the same largest output; the first output that
            has more than one value counts, 1 where none has.
    """

    difference: float
    sqnr_db: float
    agreement: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Equalized:
    """What equalisation made of a float model.

    Attributes:
        model: The float .tflite.
        treated: Names of layers whose output channels have other factors.
        left_alone: Names of the other layers with weights, with the reason.
        dead: How many channels lost their weights.
        change: From the model as it was, on the held-out samples.
        notes: What was undone, as sentences.
    """

    model: bytes
    treated: tuple[str, ...]
    left_alone: dict[str, str]
    dead: int
    change: Change
    notes: tuple[str, ...]


def equalize(
    float_model: bytes,
    inputs: Inputs,
    *,
    method: str = "activations",
    strength: float = 1.0,
    remove_dead: bool = True,
    limits: Limits | None = None,
) -> Equalized:
    """Equalise the channels of a float model; call it in a guarded child.

    Args:
        float_model: A float .tflite with fixed shapes.
        inputs: Calibration samples; every fourth one only judges.
        method: One of `scales.METHODS`.
        strength: Power of the factors, from 0 to 1.
        remove_dead: Whether channels that are zero on all samples lose their weights.
        limits: What a step that rests on samples may change.

    Raises:
        UnknownName: There is no such method.
        SourceError: The model does not run.
    """
    if method not in METHODS:
        raise UnknownName(kind="method", name=method, known=list(METHODS))
    work = _Work(float_model, inputs, limits or Limits())
    if remove_dead:
        work.remove_dead()
    work.even_out(method, strength)
    return work.finished()


def compare_outputs(before: list[Array], after: list[Array]) -> Change:
    """Compare the outputs of two models, each with samples in front."""
    differences, noises, agreements = [0.0], [np.inf], [1.0]
    for mine, theirs in zip(before, after, strict=True):
        wanted = mine.reshape(len(mine), -1).astype(np.float64)
        error = theirs.reshape(len(mine), -1) - wanted
        largest, power = np.abs(wanted).max(initial=0.0), (wanted**2).sum()
        differences.append(float(np.abs(error).max(initial=0.0) / max(largest, 1e-30)))
        noises.append(float(10 * np.log10((power + 1e-30) / ((error**2).sum() + 1e-30))))
        if wanted.shape[1] > 1:
            agreements.append(
                float((wanted.argmax(axis=1) == (wanted + error).argmax(axis=1)).mean())
            )
    first = agreements[1] if len(agreements) > 1 else 1.0
    return Change(difference=max(differences), sqnr_db=min(noises), agreement=first)


class _Work:
    """A float model on its way.

    Args:
        model: The file.
        inputs: Calibration samples.
        limits: What a step that rests on samples may change.
    """

    def __init__(self, model: bytes, inputs: Inputs, limits: Limits) -> None:
        self._taught, self._held = _split(inputs)
        self._limits = limits
        self._model = self._original = model
        graph = Graph(model)
        self._channels = find_channels(graph)
        self._peaks = channel_peaks(graph, self._taught)
        self._wanted = self._outputs(model)
        self._factors = np.ones(self._channels.count)
        self._dead = 0
        self._notes: list[str] = []
        self._change = compare_outputs(self._wanted, self._wanted)

    def remove_dead(self) -> None:
        """Zero the weights of dead channels, if the held-out samples agree."""
        dead = find_dead(Graph(self._model), self._channels, self._peaks)
        if dead.any() and not self._silenced(dead):
            still = dead & find_dead(Graph(self._model), self._channels, self._held_peaks)
            if still.any():
                self._silenced(still)

    def _silenced(self, dead: NDArray[np.bool_]) -> bool:
        """Zero the weights of channels and say whether it was kept."""
        graph = Graph(self._model)
        silence(graph, self._channels, dead)
        model, count = pack(graph.file.model), int(dead.sum())
        change = compare_outputs(self._wanted, self._outputs(model))
        kept = self._within(change)
        if kept:
            self._model, self._dead, self._change = model, count, change
        else:
            self._notes.append(
                f"{count} channels that are zero on the samples keep their weights: without "
                f"them the float model agrees on {change.agreement:.1%} of held-out samples."
            )
        return kept

    def even_out(self, method: str, strength: float) -> None:
        """Rescale the channels, if the held-out samples agree."""
        clipped = {g for t in self._channels.limits for g in self._channels.groups[t].tolist()}
        if not clipped:
            self._rescaled(self._channels, method, strength, exact=True)
            return
        factors = self._rescaled(self._channels, method, strength, exact=False)
        if factors is None:
            return
        for held in (self._overshooting(factors), clipped):
            channels = self._holding(held)
            if self._rescaled(channels, method, strength, exact=held is clipped) is None:
                return

    def _rescaled(
        self, channels: Channels, method: str, strength: float, *, exact: bool
    ) -> Floats | None:
        """Rescale channels; return None if it was kept, else the factors that failed."""
        graph = Graph(self._model)
        factors = find_scales(graph, channels, self._peaks, method, strength)
        rescale(graph, channels, factors)
        model = pack(graph.file.model)
        change = compare_outputs(self._wanted, self._outputs(model))
        if change.difference <= _EXACT or (not exact and self._within(change)):
            self._model, self._factors, self._channels = model, factors, channels
            self._change = change
            return None
        self._notes.append(
            f"{'Exact' if exact else 'Capped'} factors were undone: outputs moved by "
            f"{change.difference:.1e}, agreement {change.agreement:.1%}."
        )
        return factors

    def _overshooting(self, factors: Floats) -> set[int]:
        """Groups that would pass a limit on held-out samples where they did not before."""
        found: set[int] = set()
        for tensor, limit in self._channels.limits.items():
            groups, peak = self._channels.groups[tensor], self._held_peaks[tensor]
            found |= set(
                groups[(peak * factors[groups] > limit) & (factors[groups] > 1)].tolist()
            )
        return found

    def _holding(self, groups: set[int]) -> Channels:
        """Return the channels with more groups that keep factor 1."""
        more = dict.fromkeys(groups, "ReLU6 clips it")
        return replace(self._channels, frozen=more | self._channels.frozen)

    @cached_property
    def _held_peaks(self) -> dict[int, Floats]:
        return channel_peaks(Graph(self._original), self._held)

    def finished(self) -> Equalized:
        """Say what was done."""
        graph = Graph(self._model)
        ups = {
            each.layer: each.up.ravel()
            for each in self._channels.constants
            if each.down is not None
        }
        changed = np.abs(np.log(self._factors)) > _CHANGED
        treated = [layer for layer, groups in ups.items() if changed[groups].any()]
        rest = [layer for layer in ups if layer not in treated]
        return Equalized(
            model=self._model,
            treated=tuple(_name(graph, graph.ops[layer]) for layer in treated),
            left_alone={
                _name(graph, graph.ops[layer]): self._reason(self._channels, ups[layer])
                for layer in rest
            },
            dead=self._dead,
            change=self._change,
            notes=tuple(self._notes),
        )

    @staticmethod
    def _reason(channels: Channels, groups: Array) -> str:
        """Why none of these groups got a factor."""
        reasons = [channels.frozen[g] for g in groups.tolist() if g in channels.frozen]
        if reasons:
            return max(set(reasons), key=reasons.count)
        return "its channels are alike, or reach the limit of ReLU6"

    def _within(self, change: Change) -> bool:
        return (
            change.agreement >= self._limits.agreement
            and change.sqnr_db >= self._limits.sqnr_db
        )

    def _outputs(self, model: bytes) -> list[Array]:
        """Run a model on the held-out samples."""
        try:
            made = interpreter(model, "The equalised model", threads=2, plain=False)
        except SourceError:  # a delegate refuses it
            made = interpreter(model, "The equalised model", threads=2)
        results: list[list[Array]] = []
        for number in range(len(next(iter(self._held.values())))):
            for index, values in self._held.items():
                made.set_tensor(index, values[number])
            run(made, "The equalised model")
            results.append([made.get_tensor(d["index"]) for d in made.get_output_details()])
        return [np.stack(each) for each in zip(*results, strict=True)]


def _split(inputs: Inputs) -> tuple[Inputs, Inputs]:
    """Return the samples that teach and those that judge."""
    total = len(next(iter(inputs.values())))
    if total < _FEW:
        return inputs, inputs
    judges = np.arange(total) % HELD_OUT == HELD_OUT - 1
    return (
        {index: values[~judges] for index, values in inputs.items()},
        {index: values[judges] for index, values in inputs.items()},
    )


def _name(graph: Graph, op: OpView) -> str:
    return graph.main.tensors[op.outputs[0]].name.partition(";")[0]
