"""A source that goes on by itself: a camera, or a stream from the network."""

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator

from edgekit.data.opencv import Order, Pixels
from edgekit.live.closing import Closing
from edgekit.live.newest import Newest
from edgekit.vision.frame import Frame
from edgekit.vision.sources.reopen import Connection, Reopening

PATIENCE_S = 8.0  # longer than any read may take

_log = logging.getLogger(__name__)


class Live(Closing):
    """The newest frames of a camera or a stream; what comes meanwhile is dropped.

    Args:
        connect: Opens it.
        description: What it is, for people.
        order: The order of its colours.

    Raises:
        DeviceError: It cannot be opened, or gives no picture.
    """

    live = True

    def __init__(
        self, connect: Callable[[], Connection], description: str, order: Order
    ) -> None:
        self.description = description
        self._order = order
        self._closing = threading.Lock()
        self._closed = False
        self._reopening = Reopening(connect, description)
        self._opened = time.monotonic()
        first = self._reopening.first()
        self.size = (int(first.shape[0]), int(first.shape[1]))
        self._newest = Newest(self._timed(first), name=f"frames of {description}")

    @property
    def dropped(self) -> int:
        """Frames that came while another was worked on."""
        return self._newest.dropped

    @property
    def damaged(self) -> int:
        """Frames that were no picture."""
        return self._reopening.damaged

    def frames(self) -> Generator[Frame, None, None]:
        """Yield the newest frame, each once."""
        index = 0
        while (found := self._newest.take()) is not None:
            t, pixels = found
            yield Frame(index, t, pixels, self._order)
            index += 1

    def close(self) -> None:
        """Let the device or the network go; a second call does nothing."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            ended = self._newest.close(self._reopening.interrupt, PATIENCE_S)
            if ended:
                self._reopening.close()
        if not ended:
            _log.warning("%s does not answer; it is left as it is.", self.description)

    def _timed(self, first: Pixels) -> Iterator[tuple[float, Pixels]]:
        """Note when each picture came."""
        yield time.monotonic() - self._opened, first
        for pixels in self._reopening.pictures():
            yield time.monotonic() - self._opened, pixels
