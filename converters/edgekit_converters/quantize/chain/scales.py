"""Factors that make channels alike, found in logarithms.

For each group of channels there are up to three ranges, each relative to the largest one of
its tensor: of the weights that compute it (`up`), of its activations, and of the weights that
read it (`down`). A factor s multiplies the first two and divides the third.

* `weights`: s = sqrt(down / up), cross-layer equalisation (Nagel et al. 2019).
* `activations`: s = 1 / activation, to the power `strength`.
* `both`: s = sqrt(down / sqrt(up * activation)).

A group that ReLU6 clips gets no factor above limit / peak, and 1 if it reaches the limit.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.flatbuffer.graph import Graph
from edgekit_converters.quantize.chain.channels import Channels, Scaled
from edgekit_converters.ties import Labels

Floats = NDArray[np.float64]
METHODS = ("weights", "activations", "both")

_ROUNDS = 200
_ENOUGH = 1e-3  # change of a logarithm that ends the rounds
_MOST = float(np.log(1e3))  # of a factor, either way
_SATURATED = 0.999  # share of the limit from which a channel counts as clipped
_NONE = -np.inf  # logarithm of a range that is zero


def find_scales(
    graph: Graph,
    channels: Channels,
    peaks: Mapping[int, Floats],
    method: str,
    strength: float = 1.0,
) -> Floats:
    """Find the factor of each group.

    Args:
        graph: The float model.
        channels: Its groups.
        peaks: As `peaks.channel_peaks` gives them.
        method: One of `METHODS`.
        strength: Power of the factors, from 0 (none) to 1.
    """
    lowest, highest = bounds(channels, peaks)
    parts = [_Part(graph, each) for each in channels.constants if each.down is not None]
    measured = _measured(channels, peaks)
    logs = np.zeros(channels.count)
    for _ in range(_ROUNDS):
        wish = _wish(method, *_ranges(parts, logs), _activations(measured, logs))
        moved = np.clip(logs + wish / 2, lowest, highest)  # half of it, lest chains swing
        change = float(np.abs(moved - logs).max(initial=0.0))
        logs = moved
        if change < _ENOUGH:
            break
    return np.exp(logs * strength)


def _wish(method: str, up: Floats, down: Floats, height: Floats) -> Floats:
    """How far each logarithm should move; 0 where a range is missing."""
    with np.errstate(invalid="ignore"):
        if method == "activations":
            found = -height
        elif method == "weights":
            found = (down - up) / 2
        else:
            found = (down - (up + height) / 2) / 2
    return np.where(np.isfinite(found), found, 0.0)


def bounds(channels: Channels, peaks: Mapping[int, Floats]) -> tuple[Floats, Floats]:
    """Return the least and the greatest logarithm of the factor of each group."""
    lowest = np.full(channels.count, -_MOST)
    highest = np.full(channels.count, _MOST)
    held = np.zeros(channels.count, bool)
    held[list(channels.frozen)] = True
    for tensor, limit in channels.limits.items():
        groups, peak = channels.groups[tensor], peaks.get(tensor)
        if peak is None:
            held[groups] = True
            continue
        held[groups[peak >= _SATURATED * limit]] = True
        np.minimum.at(highest, groups, np.log(limit / np.maximum(peak, limit * 1e-9)))
    lowest[held] = highest[held] = 0.0
    return lowest, highest


class _Part:
    """Weights between groups, reduced to their largest magnitudes.

    Args:
        graph: The float model.
        scaled: Which weights.
    """

    def __init__(self, graph: Graph, scaled: Scaled) -> None:
        assert scaled.down is not None
        sizes = np.abs(graph.constant(graph.main.tensors[scaled.tensor])).astype(np.float64)
        pairs = zip(scaled.up.shape, scaled.down.shape, strict=True)
        alone = tuple(axis for axis, pair in enumerate(pairs) if pair == (1, 1))
        with np.errstate(divide="ignore"):
            self._logs = np.log(sizes.max(axis=alone, keepdims=True))
        self._up, self._down = scaled.up, scaled.down

    def ranges(self, logs: Floats) -> list[tuple[Labels, Floats]]:
        """Return groups and relative ranges as (those it computes, those it reads)."""
        found = self._logs + logs[self._up] - logs[self._down]
        found -= found.max()
        return [
            (each.ravel(), _reduced(found, each).ravel()) for each in (self._up, self._down)
        ]


def _reduced(values: Floats, groups: Labels) -> Floats:
    """Maximum over the axes that groups do not vary along."""
    axes = tuple(axis for axis, size in enumerate(groups.shape) if size == 1)
    found: Floats = values.max(axis=axes, keepdims=True)
    return found


def _ranges(parts: Sequence[_Part], logs: Floats) -> tuple[Floats, Floats]:
    """Largest relative range of each group in the weights that compute and that read it."""
    up, down = np.full(len(logs), _NONE), np.full(len(logs), _NONE)
    for part in parts:
        for into, (groups, found) in zip((up, down), part.ranges(logs), strict=True):
            np.maximum.at(into, groups, found)
    return up, down


def _measured(
    channels: Channels, peaks: Mapping[int, Floats]
) -> list[tuple[Labels, Floats, float | None]]:
    """Groups, logarithms of peaks and of the limit of each tensor that can be rescaled."""
    with np.errstate(divide="ignore"):
        return [
            (groups, np.log(peaks[tensor]), _log_limit(channels, tensor))
            for tensor, groups in channels.groups.items()
            if tensor in peaks and peaks[tensor].any()
        ]


def _log_limit(channels: Channels, tensor: int) -> float | None:
    return float(np.log(channels.limits[tensor])) if tensor in channels.limits else None


def _activations(
    measured: Sequence[tuple[Labels, Floats, float | None]], logs: Floats
) -> Floats:
    """Largest relative peak of each group; relative to the limit where there is one."""
    found = np.full(len(logs), _NONE)
    for groups, peak, limit in measured:
        heights = peak + logs[groups]
        np.maximum.at(found, groups, heights - (heights.max() if limit is None else limit))
    return found
