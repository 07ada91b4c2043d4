"""Open a device or a stream again when it was lost."""

import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from edgekit.errors import DeviceError

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
PATIENCE_S = 300.0  # a router or a camera that starts anew takes a minute or two

Opened = TypeVar("Opened")

_log = logging.getLogger(__name__)


def reopen(open_again: Callable[[], Opened], name: str, over: threading.Event) -> Opened | None:
    """Open again what was lost, with longer and longer waits; each is said.

    Args:
        open_again: Opens it; DeviceError where that is not possible.
        name: What it is, for messages.
        over: Set when nobody wants it any more.

    Returns:
        What was opened; None if nobody wants it.

    Raises:
        DeviceError: It did not come back within `PATIENCE_S`.
    """
    begun = time.monotonic()
    for attempt in itertools.count():
        wait = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
        _log.warning("%s was lost; it is opened again in %g s.", name, wait)
        if over.wait(wait):
            return None
        try:
            opened = open_again()
        except DeviceError as error:
            if time.monotonic() - begun > PATIENCE_S:
                msg = f"{name} was lost and did not come back: {error}"
                raise DeviceError(msg) from error
        else:
            _log.warning("%s is back after %.1f s.", name, time.monotonic() - begun)
            return opened
    return None
