"""Wall time of the steps of a conversion."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from edgekit.progress import task


class Stopwatch:
    """Wall time of named steps, each shown while it runs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, label: str) -> Iterator[None]:
        """Time one step.

        Args:
            name: Under which it is recorded.
            label: What the person sees meanwhile.
        """
        start = time.perf_counter()
        with task(label):
            yield
        self.seconds[name] = round(time.perf_counter() - start, 3)
