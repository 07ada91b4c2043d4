"""Estimators of the range that int8 should span in each activation, from samples.

An extreme value that is seen once widens the range of a whole tensor, and each step with
it. The estimators weigh what clipping loses against what wide steps lose:

* `minmax`: everything that was seen;
* `p99.99`, `p99.9`: without the outermost values of either side, 0.01 % and 0.1 %;
* `typical`: without the outermost samples, 2 % on either side and at least one;
* `mse`: the smallest mean squared error of the quantized values;
* `kl`: the quantized distribution that tells most of the real one (Kullback-Leibler).

They look at a histogram of each tensor of the float model, gathered in one walk in constant
memory. `best` tries them all on a model and says which is nearest to float.
"""

from collections.abc import Callable, Mapping

import numpy as np

from edgekit.progress import track
from edgekit_converters.quantize.chain.biases import Inputs
from edgekit_converters.quantize.chain.pair import Array, Floats, Pair
from edgekit_converters.quantize.chain.ranges import Range, changeable, counterparts
from edgekit_converters.quantize.chain.walk import Walk, samples_within

_BINS = 8192  # of a histogram
_MOST_VALUES = 2**19  # that are counted of one tensor at a time; its ends count whole
_LEVELS = 256  # of int8
_SHARES = np.linspace(0.1, 1.0, 46)  # of the seen range, that mse and kl try
_SPIKE = 20  # times its neighbours: a value that is hit exactly
_OUTERMOST = 0.02  # share of the samples that `typical` leaves out on either side
_FEW = 20  # samples; of fewer, none is left out
_FAR = 4.0  # times what nine of ten samples reach: no sample like the others
_ROUNDS = 3  # of refining each side while the other stays


class Histogram:
    """How often each value was seen; bins widen by doubling, so one pass is enough.

    Attributes:
        low: Smallest value seen; 0.0 at most.
        high: Largest value seen; 0.0 at least.
        counts: How often, bin by bin, over [-reach, reach].
        reach: End of the last bin; a power of two.
        ends: Smallest and largest value of each sample, shape (samples, 2).
    """

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.counts = np.zeros(_BINS, np.int64)
        self.reach = 2.0**-40
        self.ends = np.zeros((0, 2))

    def add(self, values: Array) -> None:
        """Count values, of very many only some; what is not finite counts as 0.

        Args:
            values: Samples in front.
        """
        finite = np.where(np.isfinite(values), values, 0)
        rows = finite.reshape(len(finite), -1)
        ends = np.stack([rows.min(axis=1, initial=0.0), rows.max(axis=1, initial=0.0)], axis=1)
        self.ends = np.concatenate([self.ends, ends])
        self.low, self.high = float(self.ends[:, 0].min()), float(self.ends[:, 1].max())
        flat = rows.ravel()
        while max(-self.low, self.high) > self.reach:
            self._double()
        width = 2 * self.reach / _BINS
        flat = flat[:: max(1, len(flat) // _MOST_VALUES)]
        bins = np.minimum((flat / width + _BINS // 2).astype(np.int32), _BINS - 1)
        self.counts += np.bincount(bins, minlength=_BINS)

    def filled(self) -> tuple[Floats, Floats]:
        """Return the middles of the bins between low and high, and their counts."""
        width = 2 * self.reach / _BINS
        middles = (np.arange(_BINS) - _BINS // 2 + 0.5) * width
        kept = self.counts > 0
        return np.clip(middles[kept], self.low, self.high), self.counts[kept].astype(np.float64)

    def _double(self) -> None:
        """Double the reach: two bins become one."""
        self.reach *= 2
        merged = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.pad(merged, _BINS // 4)


Estimator = Callable[[Histogram], Range]


def histograms(pair: Pair, float_inputs: Inputs) -> dict[int, Histogram]:
    """Return a histogram of each activation whose range can be changed.

    Args:
        pair: The models.
        float_inputs: Samples as the float model takes them.

    Returns:
        By tensor number of the integer file; what is counted are the float model's values.
    """
    can = changeable(pair)
    watched: dict[int, list[int]] = {}
    for index, float_index in counterparts(pair).items():
        if index in can:
            watched.setdefault(float_index, []).append(index)
    found = {index: Histogram() for each in watched.values() for index in each}
    size = samples_within(pair.float_graph)
    total = len(next(iter(float_inputs.values())))
    for start in track(range(0, total, size), "Measuring ranges", -(-total // size)):
        walk = Walk(
            pair.float_graph, {i: v[start : start + size] for i, v in float_inputs.items()}
        )
        fresh = set(watched) & set(walk.values)
        for index in fresh:
            _count(found, watched[index], walk.values[index])
        for op in walk.steps():
            for index in {i for i in op.inputs if i in watched} - fresh:
                fresh.add(index)
                _count(found, watched[index], walk.values[index])
        for index in (set(watched) & set(walk.values)) - fresh:
            _count(found, watched[index], walk.values[index])
    return found


def unusual_samples(found: Mapping[int, Histogram]) -> tuple[int, ...]:
    """Return the numbers of samples that reach far beyond the others in some activation.

    Leave them out of what learns from means: a bias takes over what one of them shifts.
    """
    far: set[int] = set()
    for histogram in found.values():
        if len(histogram.ends) >= _FEW:
            reach = np.abs(histogram.ends)
            limit = _FAR * np.quantile(reach, 0.9, axis=0)
            beyond = (reach > limit) & (limit > 0)
            far |= set(np.flatnonzero(beyond.any(axis=1)).tolist())
    return tuple(sorted(far))


def minmax(histogram: Histogram) -> Range:
    """Return everything that was seen."""
    return histogram.low, histogram.high


def percentile(share: float) -> Estimator:
    """Return an estimator that leaves out the outermost values of either side.

    Args:
        share: How much of all values lies below the upper end, in percent; as much lies
            above the lower end.
    """

    def within(histogram: Histogram) -> Range:
        values, counts = histogram.filled()
        if not len(values):
            return minmax(histogram)
        below = counts.cumsum() / counts.sum()
        low = values[np.searchsorted(below, 1 - share / 100)]
        high = values[np.searchsorted(below, share / 100)]
        return min(float(low), 0.0), max(float(high), 0.0)

    return within


def typical(histogram: Histogram) -> Range:
    """Return what was seen without the outermost samples; with few samples, everything."""
    count = len(histogram.ends)
    left_out = max(1, round(_OUTERMOST * count)) if count >= _FEW else 0
    lows, highs = np.sort(histogram.ends[:, 0]), np.sort(histogram.ends[:, 1])
    return float(lows[left_out]), float(highs[count - 1 - left_out])


def mse(histogram: Histogram) -> Range:
    """Return the range with the smallest mean squared error of the quantized values."""
    values, counts = histogram.filled()

    def loss(low: float, high: float) -> float:
        step = (high - low) / (_LEVELS - 1)
        error = np.clip(np.rint(values / step) * step, low, high) - values
        return float(counts @ np.square(error))

    return _search(histogram, loss)


def kl(histogram: Histogram) -> Range:
    """Return the range whose quantized distribution tells most of the real one.

    A value that is hit exactly again and again, as 0 is behind a ReLU and 6 at the end of a
    ReLU6, has a step of its own; it tells nothing about the others and is left out. An end
    with such a value stays.
    """
    values, counts = histogram.filled()
    if len(values) < _LEVELS:
        return minmax(histogram)
    around = np.maximum(np.append(counts[1:], 0), np.insert(counts[:-1], 0, 0))
    spikes = counts > _SPIKE * np.maximum(around, 1)
    kept = np.where(spikes, around, counts)

    def loss(low: float, high: float) -> float:
        step = (high - low) / (_LEVELS - 1)
        level = np.clip(np.rint((values - low) / step), 0, _LEVELS - 1).astype(np.int64)
        inside = (values >= low - step / 2) & (values <= high + step / 2)
        sums = np.bincount(level, kept * inside, _LEVELS)
        bins = np.bincount(level, inside, _LEVELS)
        told = (sums / np.maximum(bins, 1))[level] * inside  # what the levels say of each bin
        real = kept * inside
        ends = np.flatnonzero(inside)[[0, -1]]
        real[ends[0]] += kept[: ends[0]].sum()  # what is clipped
        real[ends[1]] += kept[ends[1] + 1 :].sum()
        p, q = real / real.sum(), told / told.sum()
        held = p > 0
        return float(p[held] @ np.log(p[held] / np.maximum(q[held], 1e-12)))

    return _search(histogram, loss, stays=(bool(spikes[0]), bool(spikes[-1])))


ESTIMATORS: dict[str, Estimator] = {
    "minmax": minmax,
    "p99.99": percentile(99.99),
    "p99.9": percentile(99.9),
    "typical": typical,
    "mse": mse,
    "kl": kl,
}


def estimate(name: str, found: Mapping[int, Histogram]) -> dict[int, Range]:
    """Return the range of each tensor.

    Args:
        name: One of `ESTIMATORS`.
        found: What `histograms` gave.
    """
    return {index: ESTIMATORS[name](histogram) for index, histogram in found.items()}


def _count(found: dict[int, Histogram], indices: list[int], values: Array) -> None:
    for index in indices:
        found[index].add(values)


def _search(
    histogram: Histogram,
    loss: Callable[[float, float], float],
    stays: tuple[bool, bool] = (False, False),
) -> Range:
    """Shrink either side that does not stay in turn to where the loss is smallest."""
    low, high = histogram.low, histogram.high
    if high - low <= 0:
        return low, high
    for _ in range(_ROUNDS):
        before = low, high
        if histogram.high > 0 and not stays[1]:
            tried = [float(share) * histogram.high for share in _SHARES[::-1]]
            high = min(tried, key=lambda end: loss(low, end))
        if histogram.low < 0 and not stays[0]:
            tried = [float(share) * histogram.low for share in _SHARES[::-1]]
            low = min(tried, key=lambda end: loss(end, high))
        if before == (low, high):
            break
    return low, high
