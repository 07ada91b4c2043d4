"""Playing cards that move over a textured ground: frames without a camera or a file."""

import re
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from edgekit.data.opencv import Pixels
from edgekit.errors import UsageError
from edgekit.extras import need
from edgekit.live.closing import Closing
from edgekit.vision.frame import Frame
from edgekit.vision.sources.cards import RANKS, SUITS, draw_card, draw_ground
from edgekit.vision.sources.source import Source

FORM = "synthetic: drawn playing cards, no camera needed; synthetic:640x480 gives the size"
FPS = 30.0
SIZE = (720, 1280)  # height and width

_NAME = re.compile(r"synthetic(?::(\d{1,5})x(\d{1,5}))?", re.ASCII)
_LEAST, _MOST = 64, 4096
_CARDS = 4
_SHARE = 0.42  # of the frame's height that a card is high


def accepts(text: str) -> bool:
    """Whether it is the name of this source."""
    return _NAME.fullmatch(text) is not None


def open_source(text: str) -> Source:
    """Open the source.

    Args:
        text: `synthetic`, or with a width and height `synthetic:640x480`.

    Raises:
        UsageError: The size is out of bounds.
    """
    match = _NAME.fullmatch(text)
    size = (int(match[2]), int(match[1])) if match and match[1] else SIZE
    if not _LEAST <= min(size) <= max(size) <= _MOST:
        msg = f"Frames have {_LEAST} to {_MOST} pixels a side; '{text}' asks for others."
        raise UsageError(msg)
    return Synthetic(size)


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """A card that goes to and fro.

    Attributes:
        rank: What it is.
        picture: How it looks, blue first.
        mask: 255 where it is.
        low: Left and upper end of its way, in pixels.
        way: How far it goes, to the right and down.
        seconds: It takes for that, in each direction.
    """

    rank: str
    picture: Pixels
    mask: Pixels
    low: tuple[int, int]
    way: tuple[int, int]
    seconds: tuple[float, float]

    def place(self, t: float) -> tuple[int, int]:
        """Return where its left upper corner is."""
        x, y = (
            low + round(way * abs((t / seconds + 1) % 2 - 1))
            for low, way, seconds in zip(self.low, self.way, self.seconds, strict=True)
        )
        return x, y

    def box(self, t: float) -> tuple[int, int, int, int]:
        """Return where it is."""
        x, y = self.place(t)
        height, width = self.mask.shape
        return x, y, x + width, y + height


class Synthetic(Closing):
    """Drawn cards without end; the same seed gives the same frames.

    Args:
        size: Height and width of the frames.
        seed: Chooses cards, ground and ways.
    """

    live = False
    dropped = 0
    damaged = 0

    def __init__(self, size: tuple[int, int] = SIZE, seed: int = 0) -> None:
        self.description = f"synthetic cards, {size[1]} x {size[0]}"
        self.size = size
        self._copy = need("cv2", "draw cards").copyTo
        self._over = False
        rng = np.random.default_rng(seed)
        self._ground = draw_ground(size, rng)
        ranks = [*rng.permutation(RANKS), *rng.choice(RANKS, _CARDS - len(RANKS))]
        self.cards = tuple(
            _card(str(rank), column, size, rng) for column, rank in enumerate(ranks)
        )

    def frames(self) -> Generator[Frame, None, None]:
        """Yield frames until `close`."""
        index = 0
        while not self._over:
            t = index / FPS
            yield Frame(index, t, self._draw(t), "bgr")
            index += 1

    def close(self) -> None:
        """Draw no more."""
        self._over = True

    def _draw(self, t: float) -> Pixels:
        pixels = self._ground.copy()
        for card in self.cards:
            left, top, right, bottom = card.box(t)
            self._copy(card.picture, card.mask, pixels[top:bottom, left:right])
        return pixels


def _card(rank: str, column: int, size: tuple[int, int], rng: np.random.Generator) -> Card:
    """Draw a card that moves within its own column of the frame."""
    height, width = size
    room = width // _CARDS
    angle = float(rng.uniform(-14, 14))
    suit = str(rng.choice(SUITS))
    high = max(int(min(height * _SHARE, room)), 8)
    picture, mask = draw_card(rank, suit, high, angle)
    picture, mask = picture[:height, :room], mask[:height, :room]
    way = (room - mask.shape[1], height - mask.shape[0])
    across, down = rng.uniform(2, 4), rng.uniform(3, 6)
    return Card(rank, picture, mask, (column * room, 0), way, (float(across), float(down)))
