"""What every source of frames is."""

from collections.abc import Generator
from typing import Protocol

from edgekit.live.closing import Closes
from edgekit.vision.frame import Frame


class Source(Closes, Protocol):
    """Where frames come from. Made by `open_source`; its first frame was seen already."""

    @property
    def live(self) -> bool:
        """Whether it goes on by itself, so that only the newest frame is of use."""

    @property
    def description(self) -> str:
        """What it is, for people, without a password."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its first frame."""

    @property
    def dropped(self) -> int:
        """How many frames nobody had time for."""

    @property
    def damaged(self) -> int:
        """How many frames were no picture: cut off, empty or garbled."""

    def frames(self) -> Generator[Frame, None, None]:
        """Yield frames until there are no more; to be called once.

        Raises:
            DeviceError: A live source was lost for good.
            DataError: A file holds no picture that can be read.
        """
