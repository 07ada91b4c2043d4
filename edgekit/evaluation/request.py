"""Which data a model is to be fed with, and how: one record for every command."""

from dataclasses import dataclass, field

from edgekit.data.frontend import FrontEnd
from edgekit.manifest import Overrides, Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """Data to feed a model with.

    Attributes:
        path: Folder or file, as in `DATA` of the command line's contract.
        preprocessing: How pictures are prepared; None takes what the model says.
        overrides: What a person asked for on top of what the model says.
        labels: Names of the classes in the order of the outputs; empty takes the model's.
        samples: Use no more than so many, chosen at random from every class; None is all.
        seed: Which ones: the seed of the choice.
        sample_rate_hz: For sounds; None takes what the model says.
        front_end: How sounds become features; None takes what the model says.
        split: Which set of annotated pictures, e.g. `test`, or `all`; None chooses.
    """

    path: str
    preprocessing: Preprocessing | None = None
    overrides: Overrides = field(default_factory=Overrides)
    labels: tuple[str, ...] = ()
    samples: int | None = None
    seed: int = 0
    sample_rate_hz: int | None = None
    front_end: FrontEnd | None = None
    split: str | None = None
