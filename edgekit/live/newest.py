"""Only the newest of what a thread brings."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Newest(Generic[Item]):
    """Runs an iterator in a thread of its own and keeps only its newest items.

    A camera does not wait: while one frame is worked on, others come, and cameras and
    networks keep a backlog of them. Who always takes the oldest looks ever further back.
    Of sound, where each piece counts, more than one is kept.

    Args:
        items: What to run; it may end, or raise.
        name: Of the thread.
        keep: How many items may wait; of more, the oldest are dropped.
    """

    def __init__(self, items: Iterator[Item], name: str, keep: int = 1) -> None:
        self.dropped = 0
        self._items = items
        self._turn = threading.Condition()
        self._waiting: deque[Item] = deque(maxlen=keep)
        self._over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def take(self) -> Item | None:
        """Wait for an item that was not taken yet; None when there are no more.

        Raises:
            BaseException: What the iterator raised.
        """
        with self._turn:
            self._turn.wait_for(lambda: self._waiting or self._over)
            if self._waiting:
                return self._waiting.popleft()
            if self._error is not None:
                raise self._error
            return None

    def close(self, let_go: Callable[[], None], patience_s: float) -> bool:
        """End the thread.

        Args:
            let_go: Makes the iterator end, from this thread.
            patience_s: How long to wait for that.

        Returns:
            Whether it did.
        """
        with self._turn:
            self._over = True
            self._waiting.clear()
            self._turn.notify_all()
        let_go()
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:  # noqa: BLE001 (raised where the items are taken)
            self._error = error
        with self._turn:
            self._over = True
            self._turn.notify_all()

    def _put(self, item: Item) -> bool:
        """Put an item in the place of the one before; False if nobody wants more."""
        with self._turn:
            if self._over:
                return False
            self.dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(item)
            self._turn.notify_all()
            return True
