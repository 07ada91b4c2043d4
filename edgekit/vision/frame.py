"""One picture of a source."""

from dataclasses import dataclass

from edgekit.data.opencv import Order, Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source, and its place in it.

    Attributes:
        index: How many frames the source gave before it, 0 for the first.
        t: Seconds since the source was opened, never falling: when the frame came, of a
            live source; its place in the film, of any other.
        pixels: Shape (height, width, 3), neither 0; not to be written into while others
            may look at it.
        order: Which colour comes first.
    """

    index: int
    t: float
    pixels: Pixels
    order: Order

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.pixels.shape[:2]
        return int(height), int(width)
