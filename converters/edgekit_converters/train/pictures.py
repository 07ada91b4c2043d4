"""Pictures to train on: read when they are wanted, kept where there is room."""

from collections.abc import Callable, Sequence

from edgekit.data import opencv
from edgekit.data.opencv import Pixels

ROOM = 2**30  # bytes of pictures that are kept
_DETAIL = 2.0  # sides that a kept picture has at most, in sides of the model's input


class Pictures:
    """Pictures by their place; those that fit into memory are read once.

    A picture much larger than the model's input is made smaller first.

    Args:
        readers: A function for each picture that reads it.
        size: Side of the model's input.
    """

    def __init__(self, readers: Sequence[Callable[[], Pixels]], size: int) -> None:
        self._readers, self._most = readers, _DETAIL * size
        self._kept: dict[int, Pixels] = {}
        self._bytes = 0

    def __call__(self, place: int) -> Pixels:
        """Return the pixels of one.

        Raises:
            DataError: It cannot be read.
        """
        if place in self._kept:
            return self._kept[place]
        pixels = self._readers[place]()
        height, width = pixels.shape[:2]
        scale = self._most / max(height, width)
        if scale < 1:
            pixels = opencv.resize(pixels, round(width * scale), round(height * scale))
        if self._bytes + pixels.nbytes <= ROOM:
            self._kept[place] = pixels
            self._bytes += pixels.nbytes
        return pixels
