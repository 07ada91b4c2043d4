"""How much to prune, as a person writes it: `channels:0.5`, `macs:0.5`, `0.5`."""

from dataclasses import dataclass
from typing import Literal, get_args

from edgekit.errors import UsageError

Kind = Literal["channels", "macs"]


@dataclass(frozen=True, slots=True)
class Amount:
    """A share to remove.

    Attributes:
        kind: Of what: `channels` of each layer, or `macs` of the whole model.
        share: How much of it goes, above 0 and below 1.
    """

    kind: Kind
    share: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.share:g}"


def parse(text: str) -> Amount:
    """Read an amount; without a kind it is a share of channels.

    Raises:
        UsageError: The kind is unknown, or the share is no number between 0 and 1.

    >>> parse("macs:0.4")
    Amount(kind='macs', share=0.4)
    >>> str(parse("0.5"))
    'channels:0.5'
    """
    kind, colon, number = text.strip().rpartition(":")
    for known in get_args(Kind):
        if kind == known or not colon:
            return Amount(known, _share(number, text))
    msg = (
        f"Cannot prune by '{kind}', as '{text}' asks.\n"
        f"Known: {', '.join(f'{known}:SHARE' for known in get_args(Kind))}; e.g. macs:0.5."
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
