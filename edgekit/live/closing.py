"""A `with` statement for what has `close`."""

from types import TracebackType
from typing import Protocol, Self


class Closes(Protocol):
    """What can be closed, and closes itself at the end of a `with` statement."""

    def close(self) -> None:
        """Let everything go; any thread may, and whoever waits for more gets none."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Closing:
    """Closes itself at the end of a `with` statement."""

    def close(self) -> None:
        """Let everything go."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
