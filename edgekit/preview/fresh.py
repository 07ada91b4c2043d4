"""A value that is made anew at most every so often, by whoever asks first."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Fresh(Generic[Value]):
    """Keeps a value that costs something; nobody waits while another makes it.

    Args:
        make: Makes the value.
        every_s: How long a value stays fresh, in seconds.
        first: What is said until there is a value.
    """

    def __init__(self, make: Callable[[], Value], every_s: float, first: Value) -> None:
        self._make = make
        self._every_s = every_s
        self._value = first
        self._due = 0.0
        self._making = threading.Lock()

    def __call__(self) -> Value:
        """Return the value, at most `every_s` older than the last question before it."""
        if time.monotonic() >= self._due and self._making.acquire(blocking=False):
            try:
                self._value = self._make()
                self._due = time.monotonic() + self._every_s
            finally:
                self._making.release()
        return self._value
