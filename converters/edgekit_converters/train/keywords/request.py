"""What the training of a keyword model is asked."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from edgekit.records import to_json

NETWORK = "tc-resnet"
EPOCHS = 160
BATCH = 128
RATE = 4e-3
HOLD_OUT = 0.2
LANGUAGE = "en-us"
_FILES = ("data", "unknown", "background")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordRequest:
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

    def absolute(self) -> Self:
        """Return the same request for another working folder."""
        files: dict[str, Any] = {
            key: str(Path(value).absolute()) for key, value in self._files()
        }
        return dataclasses.replace(self, **files)

    def told(self) -> dict[str, Any]:
        """Return what a model may say of it to others: files without their folders."""
        return {**to_json(self), **{key: Path(value).name for key, value in self._files()}}

    def _files(self) -> list[tuple[str, str]]:
        return [(key, value) for key in _FILES if (value := getattr(self, key))]
