"""Playing cards, drawn: what the synthetic source shows.

Cards of pips look alike wherever they were printed, and a detector that learned from
photographs finds them. A drawn king is no photographed one, so there are none.
"""

from typing import Any, Final

import numpy as np

from edgekit.data.opencv import Pixels
from edgekit.extras import need

RANKS: Final = ("ace", "ten", "nine")
SUITS: Final = ("heart", "diamond", "spade", "club")

_LETTERS = {"ace": "A", "ten": "10", "nine": "9"}
_WIDTH, _HEIGHT = 500, 700  # as drawn; then made smaller, which smooths the edges
_WHITE = (244, 250, 252)
_RED, _BLACK = (38, 28, 205), (30, 26, 26)
_GROUNDS = ((72, 96, 128), (58, 74, 98), (110, 116, 120), (52, 84, 50))
_SIDES, _MIDDLE = (155, 345), 250  # columns of the pips
_PIPS = {  # (x, y); those of the lower half stand on their heads
    "ace": ((_MIDDLE, 350),),
    "nine": (
        *((x, y) for x in _SIDES for y in (130, 277, 423, 570)),
        (_MIDDLE, 350),
    ),
    "ten": (
        *((x, y) for x in _SIDES for y in (130, 277, 423, 570)),
        (_MIDDLE, 203),
        (_MIDDLE, 497),
    ),
}


def draw_card(rank: str, suit: str, height: int, angle: float) -> tuple[Pixels, Pixels]:
    """Draw a card, as seen from above.

    Args:
        rank: One of `RANKS`.
        suit: One of `SUITS`.
        height: Of the card, in pixels, if it were upright.
        angle: Degrees that it is turned to the left.

    Returns:
        The picture, blue first, just large enough, and 255 where it shows the card.
    """
    cv2 = need("cv2", "draw cards")
    face = _face(cv2, rank, suit)
    shape = np.zeros((_HEIGHT, _WIDTH), np.uint8)
    _rounded(cv2, shape, 255)
    turn = cv2.getRotationMatrix2D((_WIDTH / 2, _HEIGHT / 2), angle, height / _HEIGHT)
    cos, sin = np.abs(turn[0, 0]), np.abs(turn[0, 1])
    wide = max(int(np.ceil(_WIDTH * cos + _HEIGHT * sin)), 1)
    high = max(int(np.ceil(_WIDTH * sin + _HEIGHT * cos)), 1)
    turn[:, 2] += (wide / 2 - _WIDTH / 2, high / 2 - _HEIGHT / 2)
    blur = max(_HEIGHT / height / 2, 0.1)
    smooth = cv2.GaussianBlur(face, (0, 0), blur)
    picture = cv2.warpAffine(smooth, turn, (wide, high), borderValue=_WHITE)
    mask = cv2.warpAffine(shape, turn, (wide, high))
    return picture, np.where(mask > 127, 255, 0).astype(np.uint8)


def draw_ground(size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """Draw something to lie on: grain of several sizes in one of a few colours.

    Args:
        size: Height and width.
        rng: Where the chance comes from.

    Returns:
        Shape (*size, 3), blue first.
    """
    cv2 = need("cv2", "draw cards")
    height, width = size
    color = _GROUNDS[rng.integers(len(_GROUNDS))]
    grain = np.full(size, 128, np.float32)
    for step, strength in ((2, 9.0), (6, 9.0), (40, 12.0), (200, 14.0)):
        small = (max(height // step, 2), max(width // step, 2))
        noise = rng.standard_normal(small, np.float32) * np.float32(strength)
        grain += cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    shade = np.clip(np.arange(256) / 128, 0, 2)[:, np.newaxis]
    table = np.clip(shade * color, 0, 255).astype(np.uint8)
    gray = cv2.cvtColor(cv2.convertScaleAbs(grain), cv2.COLOR_GRAY2BGR)
    lit: Pixels = cv2.LUT(gray, table[np.newaxis])
    return lit


def _face(cv2: Any, rank: str, suit: str) -> Pixels:
    card = np.full((_HEIGHT, _WIDTH, 3), _WHITE, np.uint8)
    color = _RED if suit in {"heart", "diamond"} else _BLACK
    large = 120 if rank == "ace" else 78
    for x, y in _PIPS[rank]:
        _pip(cv2, card, suit, (x, y), large, upside_down=y > _HEIGHT // 2)
    for _ in range(2):  # the corner, and with the card upside down the other one
        letters = _LETTERS[rank]
        scale = (2.0, 2.9) if len(letters) == 2 else (2.6, 2.9)
        _letters(cv2, card, letters, color, scale)
        _pip(cv2, card, suit, (48, 142), 52, upside_down=False)
        card = card[::-1, ::-1].copy()
    cv2.rectangle(card, (0, 0), (_WIDTH - 1, _HEIGHT - 1), (190, 195, 200), 3)
    return card


def _letters(
    cv2: Any,
    card: Pixels,
    letters: str,
    color: tuple[int, int, int],
    scale: tuple[float, float],
) -> None:
    """Write a rank into the corner, narrow where it has two letters."""
    font, thick = cv2.FONT_HERSHEY_DUPLEX, 6
    (wide, high), _ = cv2.getTextSize(letters, font, scale[1], thick)
    text = np.full((high + 20, wide + 20, 3), _WHITE, np.uint8)
    cv2.putText(text, letters, (10, high + 8), font, scale[1], color, thick, cv2.LINE_AA)
    width = int(text.shape[1] * scale[0] / scale[1] * 0.95)
    small = cv2.resize(text, (min(width, 92), 92), interpolation=cv2.INTER_AREA)
    left = max(50 - small.shape[1] // 2, 4)
    card[16:108, left : left + small.shape[1]] = small


def _pip(
    cv2: Any,
    card: Pixels,
    suit: str,
    centre: tuple[int, int],
    size: int,
    *,
    upside_down: bool,
) -> None:
    color = _RED if suit in {"heart", "diamond"} else _BLACK
    sign = -1 if upside_down else 1
    for kind, points in _SHAPES[suit]:
        at = np.asarray(points, np.float32) * (size / 2)
        places = (at[:, :2] * sign + centre).round().astype(np.int32)
        if kind == "disc":
            radius = round(size / 2 * float(points[0][2]))
            cv2.circle(card, places[0].tolist(), radius, color, -1, cv2.LINE_AA)
        else:
            cv2.fillPoly(card, [places], color, cv2.LINE_AA)


# In halves of the size, from the centre, y downwards; a disc has its radius as third value.
_Shape = tuple[tuple[str, tuple[tuple[float, ...], ...]], ...]
_STEM = ("area", ((0.0, 0.1), (0.32, 1.0), (-0.32, 1.0)))
_SHAPES: dict[str, _Shape] = {
    "diamond": (("area", ((0.0, -1.0), (0.75, 0.0), (0.0, 1.0), (-0.75, 0.0))),),
    "heart": (
        ("disc", ((-0.42, -0.4, 0.46),)),
        ("disc", ((0.42, -0.4, 0.46),)),
        ("area", ((-0.84, -0.2), (-0.42, -0.4), (0.42, -0.4), (0.84, -0.2), (0.0, 0.95))),
    ),
    "spade": (
        ("disc", ((-0.42, 0.3, 0.46),)),
        ("disc", ((0.42, 0.3, 0.46),)),
        ("area", ((-0.84, 0.1), (-0.42, 0.3), (0.42, 0.3), (0.84, 0.1), (0.0, -1.0))),
        _STEM,
    ),
    "club": (
        ("disc", ((0.0, -0.5, 0.45),)),
        ("disc", ((-0.5, 0.25, 0.45),)),
        ("disc", ((0.5, 0.25, 0.45),)),
        _STEM,
    ),
}


def _rounded(cv2: Any, mask: Pixels, value: int) -> None:
    """Fill a card with round corners."""
    radius = 28
    cv2.rectangle(mask, (radius, 0), (_WIDTH - radius, _HEIGHT), value, -1)
    cv2.rectangle(mask, (0, radius), (_WIDTH, _HEIGHT - radius), value, -1)
    for x in (radius, _WIDTH - radius - 1):
        for y in (radius, _HEIGHT - radius - 1):
            cv2.circle(mask, (x, y), radius, value, -1)
