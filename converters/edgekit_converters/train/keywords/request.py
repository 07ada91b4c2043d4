"""What the training of a keyword model is asked."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgekit_converters.train.request import Request

NETWORK = "tc-resnet"
EPOCHS = 300
BATCH = 128
RATE = 4e-3
HOLD_OUT = 0.2
LANGUAGE = "en-us"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordRequest(Request):
    """One training of a keyword model.

    Attributes:
        kind: Always `keywords`.
        data: A folder of recordings for each word, or files `label_speaker_take.wav`.
        words: The words to learn; empty learns all that are in `data`.
        unknown: A folder of speech in which none of the words is said.
        background: A folder of noises.
        network: Name of the network, see `networks.NETWORKS`.
        epochs: Times that every recording is shown, each time as another view.
        batch: Views that are learned from at once.
        rate: Highest learning rate.
        hold_out: Share of the recordings that is held out.
        false_alarms_per_hour: The budget that the thresholds are tuned to.
        synthesis: Let speech synthesisers that are installed say words and what sounds like
            them.
        language: Language of the words, as espeak-ng names it.
        seed: Everything that is drawn.
    """

    FILES: ClassVar[tuple[str, ...]] = ("data", "unknown", "background")

    kind: Literal["keywords"] = "keywords"
    data: str
    words: tuple[str, ...] = ()
    unknown: str | None = None
    background: str | None = None
    network: str = NETWORK
    epochs: int = EPOCHS
    batch: int = BATCH
    rate: float = RATE
    hold_out: float = HOLD_OUT
    false_alarms_per_hour: float = 0.5
    synthesis: bool = True
    language: str = LANGUAGE
    seed: int = 0
