"""One colour a label, the same on the page, in a window and in a saved video; one a level."""

import functools
import math
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]

_LIGHTNESS, _CHROMA = 0.8, 0.145  # OKLCH: all as bright, so that black letters can be read
_GOLDEN_ANGLE = 180 * (3 - math.sqrt(5))  # neighbours in a list are far apart on the circle
_FIRST_HUE = 145.0
# Lightness, chroma and hue in OKLCH at the ends and in the middle of the gradient.
_GRADIENT = ((0.12, 0.02, 230.0), (0.55, 0.11, 190.0), (0.97, 0.1, 110.0))


def color_of(label: str, labels: Sequence[str] = ()) -> Color:
    """Return the colour of a label as (red, green, blue), each 0..255.

    It depends on the label's place among `labels`, which keeps few labels far apart; a
    label that is not among them gets the colour of its letters.

    >>> color_of("ace", ["nine", "ace"]) == color_of("ace", ["nine", "ace", "king"])
    True
    """
    place = labels.index(label) if label in labels else zlib.crc32(label.encode())
    return _from_oklch(_LIGHTNESS, _CHROMA, (_FIRST_HUE + _GOLDEN_ANGLE * place) % 360)


def hexadecimal(color: Color) -> str:
    """Write a colour as web pages do.

    >>> hexadecimal((255, 128, 0))
    '#ff8000'
    """
    return "#" + bytes(color).hex()


@functools.cache
def gradient() -> NDArray[np.uint8]:
    """Return the colours of levels from low to high, dark to bright, shape (256, 3)."""
    places = np.linspace(0, len(_GRADIENT) - 1, 256)
    known = np.array(_GRADIENT).T
    ways = [np.interp(places, np.arange(len(_GRADIENT)), each) for each in known]
    return np.array([_from_oklch(*map(float, each)) for each in np.transpose(ways)], np.uint8)


def _from_oklch(lightness: float, chroma: float, hue_degrees: float) -> Color:
    """Convert to sRGB; what is out of its gamut is clipped.

    Source:
        https://bottosson.github.io/posts/oklab/
    """
    a = chroma * math.cos(math.radians(hue_degrees))
    b = chroma * math.sin(math.radians(hue_degrees))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short
    return _channel(red), _channel(green), _channel(blue)


def _channel(linear: float) -> int:
    clipped = min(max(linear, 0.0), 1.0)
    curved = 12.92 * clipped if clipped <= 0.0031308 else 1.055 * clipped ** (1 / 2.4) - 0.055
    return round(255 * curved)
