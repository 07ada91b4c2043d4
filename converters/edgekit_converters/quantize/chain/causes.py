"""Why a layer loses in integers, in words, and what edgekit has against it."""

from dataclasses import dataclass

_OUTLIER = 4.0  # largest value against the 99.9 % nearest to zero
_SPREAD = 8.0  # strongest channel against the median one
_WIDE = 3.0  # calibrated range against the range that is used
_FEW = 16  # distinct integers
_BEYOND = 0.001  # share of the values
_SHIFTED = 0.5  # share of the noise
_INHERITED_DB = 6.0  # how much quieter its own noise is than what arrives
_QUIET_DB = 30.0  # at the outputs of the model: what it costs cannot be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What was measured of one layer.

    Attributes:
        path_db: Signal to noise of its output where all layers are in integers.
        own_db: Same, where this layer alone is in integers.
        alone_db: Signal to noise of the model's worst output then.
        weight_share: How much of that noise is there with integer weights alone.
        clip_share: Share of the own noise from values beyond the range of its output.
        beyond: Share of its float values beyond that range.
        unseen_beyond: Same, of samples that no range was taken from; None without them.
        width: The calibrated range against the range of its float values.
        outlier: Its largest float value against the 99.9 % nearest to zero.
        spread: RMS of its strongest channel against that of the median one.
        weight_spread: Largest weight of its strongest channel against that of the median
            channel, where all channels share one scale; 1 where each has its own.
        input_spread: Largest weight against those of the input channels that carry most of
            the noise, where these are much smaller; 1 elsewhere.
        distinct: How many integers its output takes.
        dead: Share of its channels that give the same value everywhere.
        shift: Share of the noise on the path that is a shift of the channels' means.
        own_shift: Share of the noise of its weights that is such a shift.
    """

    path_db: float
    own_db: float
    alone_db: float
    weight_share: float
    clip_share: float
    beyond: float
    unseen_beyond: float | None
    width: float
    outlier: float
    spread: float
    weight_spread: float
    input_spread: float
    distinct: int
    dead: float
    shift: float
    own_shift: float

    @property
    def quiet(self) -> bool:
        """Whether the outputs of the model hardly show what it costs."""
        return self.alone_db >= _QUIET_DB


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause and a remedy, each as words for people."""

    cause: str
    remedy: str


IN_FLOAT = Finding(
    "left in float: as asked, or there is no integer form of it",
    "nothing to mend for the accuracy; --scheme dynamic runs the rest faster on some devices",
)


def explain(name: str, traits: Traits) -> Finding:
    """Say what is wrong with a layer.

    Args:
        name: How `--keep-float` knows it.
        traits: What was measured.
    """
    if traits.quiet and traits.own_db > traits.path_db + _INHERITED_DB:
        return (_shift(traits.shift) if traits.shift > _SHIFTED else None) or Finding(
            "no fault of its own: the noise comes from earlier layers",
            "mend the layers above it in this table",
        )
    return _range(traits) or _weights(traits) or _output(traits) or _plain(name, traits)


def _shift(share: float) -> Finding:
    return Finding(
        f"mean shift: {share:.0%} of the noise moves whole channels",
        "bias correction (on, unless --no-bias-correction) with more --samples",
    )


def _range(traits: Traits) -> Finding | None:
    """Explain a range that does not suit the values."""
    unseen = traits.unseen_beyond
    if traits.beyond > _BEYOND and traits.clip_share > 0.5:
        return Finding(
            f"saturation: {traits.beyond:.1%} of the values lie beyond the calibrated range",
            "calibrate on data like these, and more of them; --estimator minmax clips nothing",
        )
    if unseen is not None and unseen > _BEYOND and unseen > 4 * traits.beyond:
        return Finding(
            f"bad calibration: {unseen:.1%} of the values of unseen samples lie outside",
            "calibrate on more data, and on data like those in use (--calibrate, --samples)",
        )
    if traits.width > _WIDE and traits.weight_share < 0.5:
        return Finding(
            f"bad calibration: the range is {traits.width:.0f} x as wide as the values",
            "calibrate on data like those in use, or --estimator percentile",
        )
    return None


def _weights(traits: Traits) -> Finding | None:
    """Explain noise that comes from rounded weights."""
    if traits.quiet or traits.weight_share < 0.5:
        return None
    if traits.weight_spread > _SPREAD:
        return Finding(
            f"channel spread: one scale for all weights, and the widest channel has "
            f"{traits.weight_spread:.0f} x the weights of the median one",
            "one scale a channel (leave --per-tensor out), or equalisation "
            "(on, unless --no-equalize)",
        )
    if traits.input_spread > _SPREAD:
        return Finding(
            "channel spread: most of the noise comes through inputs whose weights are "
            f"{traits.input_spread:.0f} x smaller than the largest, and share its scale",
            "equalisation (on, unless --no-equalize), else --round",
        )
    if traits.own_shift > _SHIFTED:
        return _shift(traits.own_shift)
    return Finding(
        f"rounded weights: they make {traits.weight_share:.0%} of its noise",
        "--round, or --qat",
    )


def _output(traits: Traits) -> Finding | None:
    """Explain noise that comes from a rounded output."""
    if traits.quiet or traits.weight_share >= 0.5:
        return None
    if traits.spread > _SPREAD:
        return Finding(
            f"channel spread: the strongest channel of the output is {traits.spread:.0f} x "
            "the median one, and they share one scale",
            "equalisation (on, unless --no-equalize), else --scheme int16x8",
        )
    if traits.outlier > _OUTLIER:
        return Finding(
            f"range outlier: the largest value is {traits.outlier:.0f} x what 99.9 % of the "
            "values stay within",
            "--estimator percentile",
        )
    return None


def _plain(name: str, traits: Traits) -> Finding:
    if traits.quiet:
        return Finding("none: its noise is that of 8 bits", "none needed")
    if traits.dead > 0.5:
        return Finding(
            f"dead channels: {traits.dead:.0%} of the channels give the same value everywhere",
            "check the training; edgekit prune takes them out",
        )
    if traits.distinct < _FEW:
        return Finding(
            f"few distinct values: the output takes {traits.distinct} of 256 integers",
            "--estimator percentile, or --scheme int16x8",
        )
    return Finding(
        "8 bits are coarse for its output",
        f"--scheme int16x8, or --auto-keep-float ({name} and what reads it)",
    )
