"""How much to prune, as a person writes it: `channels:0.5`, `macs:0.5`, `magnitude:0.8`, `2:4`.

Every kind of amount belongs to one method. Where the method is named beside it, the kind
may be left out: `--method cluster --amount 32` is `clusters:32`.
"""

from dataclasses import dataclass
from typing import Literal

from edgekit.errors import TargetError, UsageError
from edgekit.profiling.calibration.record import Calibration, default_path
from edgekit.targets import Target, load_target

Kind = Literal[
    "channels", "macs", "latency", "magnitude", "2:4", "block", "clusters", "activations"
]
Method = Literal["channels", "magnitude", "2:4", "block", "cluster", "activations"]

METHOD_OF: dict[Kind, Method] = {
    "channels": "channels",
    "macs": "channels",
    "latency": "channels",
    "magnitude": "magnitude",
    "2:4": "2:4",
    "block": "block",
    "clusters": "cluster",
    "activations": "activations",
}
FEWEST, MOST = 2, 256  # clusters; beyond what a byte can name there is nothing to win

_KIND_OF: dict[str, Kind] = {
    "channels": "channels",
    "magnitude": "magnitude",
    "block": "block",
    "cluster": "clusters",
}
_SHARES: dict[str, Kind] = {
    "channels": "channels",
    "macs": "macs",
    "latency": "latency",
    "magnitude": "magnitude",
    "block": "block",
}
_HALF = 0.5
_KNOWN = (
    "Known: channels:SHARE, macs:SHARE, latency:SHARE@TARGET, magnitude:SHARE, 2:4, "
    "block:SHARE, clusters:N, activations; e.g. macs:0.5."
)


@dataclass(frozen=True, slots=True)
class Amount:
    """What goes, and how much of it.

    Attributes:
        kind: What is counted: `channels` of each layer, `macs` or `latency` of the whole
            model, weights by `magnitude`, `2:4` or in a `block`, `clusters` of values;
            `activations`, of which all go that accelerators lack.
        share: How much of it goes, above 0 and below 1; 0 where no share is asked for.
        clusters: How many values a kernel keeps; 0 for all but clusters.
        target: Where the latency counts; None for all else.
    """

    kind: Kind
    share: float
    clusters: int = 0
    target: str | None = None

    def __str__(self) -> str:
        if self.kind in {"2:4", "activations"}:
            return self.kind
        if self.kind == "clusters":
            return f"clusters:{self.clusters}"
        return f"{self.kind}:{self.share:g}" + (f"@{self.target}" if self.target else "")

    @property
    def method(self) -> Method:
        """The method that can do it."""
        return METHOD_OF[self.kind]


def parse(text: str) -> Amount:
    """Read an amount; without a kind it is a share of channels.

    Raises:
        UsageError: The kind is unknown, or the number makes no sense for it.

    >>> parse("macs:0.4").share
    0.4
    >>> str(parse("0.5")), str(parse("2:4")), str(parse("clusters:32"))
    ('channels:0.5', '2:4', 'clusters:32')
    >>> parse("latency:0.5@host").target
    'host'
    """
    text = text.strip()
    kind, colon, number = text.partition(":")
    if text == "2:4":
        return Amount("2:4", _HALF)
    if text == "activations":
        return Amount("activations", 0.0)
    if not colon:
        return Amount("channels", _share(text, text))
    if kind == "clusters":
        return Amount("clusters", 0.0, clusters=_clusters(number, text))
    if kind not in _SHARES:
        msg = f"Cannot prune by '{kind}', as '{text}' asks.\n{_KNOWN}"
        raise UsageError(msg)
    if kind != "latency":
        return Amount(_SHARES[kind], _share(number, text))
    number, _, target = number.partition("@")
    if not target:
        msg = f"'{text}' does not say where the latency counts; write {text}@host."
        raise UsageError(msg)
    return Amount("latency", _share(number, text), target=target)


def complete(method: str | None, text: str | None) -> Amount:
    """Join a method and an amount that may leave its kind out.

    Args:
        method: A method of `METHOD_OF`, or None for the one that the amount belongs to.
        text: The amount; None only for `2:4` and `activations`, which have no other.

    Raises:
        UsageError: The two contradict each other, or one of them is missing.

    >>> str(complete("magnitude", "0.8")), str(complete("cluster", "32"))
    ('magnitude:0.8', 'clusters:32')
    """
    if method == "2:4" and text in {None, "0.5"}:
        return parse("2:4")
    if method == "activations" and text in {None, method}:
        return parse(method)
    if text is None:
        msg = "Say how much to prune with --amount, e.g. --amount 0.5."
        raise UsageError(msg)
    kind = _KIND_OF.get(method or "") if ":" not in text else None
    found = parse(f"{kind}:{text}" if kind else text)
    if method is not None and found.method != method:
        msg = (
            f"--amount {text} belongs to --method {found.method}, but --method {method} was "
            "given.\nLeave one of them out."
        )
        raise UsageError(msg)
    return found


def checked(text: str) -> Amount:
    """Read an amount that must be possible here: latency counts where it can be told.

    That is on this machine, and on targets that were calibrated.

    Raises:
        UsageError: It makes no sense, or there is no such target.
        RecordError: The calibration of that target is wrong, or of another runtime.
        TargetError: Nothing tells the latency on that target.
    """
    found = parse(text)
    if found.target is None:
        return found
    target = load_target(found.target)
    if target.name == "host":
        return found
    place = default_path(target.name)
    if target.delegate != "cpu" or not place.is_file():
        raise TargetError(_untold(found, target))
    Calibration.read(place).check(target, place)
    return found


def _untold(amount: Amount, target: Target) -> str:
    share = f"{amount.share:g}"
    remedy = (
        f"Make them on the device with edgekit calibrate-device --target {target.name}, or "
        if target.delegate == "cpu"
        else ""
    )
    advice = (
        f"prune by macs:{share} and measure on the device with edgekit profile, or run edgekit "
        f"on the device with latency:{share}@host."
    )
    return (
        f"{amount} needs the times of single operators on {amount.target}, and edgekit has "
        f"none.\n{remedy}{advice if remedy else advice[0].upper() + advice[1:]}"
    )


def check_steps(amount: Amount, steps: int, epochs: int) -> None:
    """Make sure that pruning in steps makes sense.

    Raises:
        UsageError: It does not.
    """
    if steps == 1:
        return
    if amount.method != "channels":
        msg = f"--steps takes channels in rounds; '{amount}' has none.\nLeave --steps out."
        raise UsageError(msg)
    if not 1 <= steps <= max(1, epochs):
        msg = (
            f"Each of {steps} steps needs an epoch to recover in; found --epochs {epochs}.\n"
            f"Give labelled data with --data, and --epochs {max(steps, 1)} or more."
        )
        raise UsageError(msg)


def _share(number: str, text: str) -> float:
    try:
        share = float(number)
    except ValueError:
        share = float("nan")
    if not 0.0 < share < 1.0:
        msg = (
            f"The amount '{text}' must end in the share that goes, above 0 and below 1.\n"
            "For half of it write 0.5."
        )
        raise UsageError(msg)
    return share


def _clusters(number: str, text: str) -> int:
    # Digits only: int() also takes '1_0' and blanks.
    if number.isascii() and number.isdigit() and len(number) <= 3:
        count = int(number)
        if FEWEST <= count <= MOST:
            return count
    msg = (
        f"The amount '{text}' must end in the number of values that a kernel keeps, "
        f"{FEWEST} to {MOST}.\nFor 32 of them write clusters:32."
    )
    raise UsageError(msg)
