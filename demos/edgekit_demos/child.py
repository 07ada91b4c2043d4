"""What the children of live demos share: how they end, where lines go, the page."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgekit import guarded
from edgekit.files import JsonLines
from edgekit_demos.live import STDOUT, Wishes

if TYPE_CHECKING:  # only some who watch want a page, and it takes a while
    from edgekit.preview import Preview

Write = Callable[[Mapping[str, Any]], None]


class Ending:
    """Ends the work when the parent wants it; before there is any, there is nothing to finish.

    Attributes:
        stop: What ends the work, once there is some.
        wanted: Set when the parent wants it.
    """

    def __init__(self) -> None:
        self.stop: Callable[[], None] | None = None
        self.wanted = guarded.end_wanted(self._end)

    def _end(self) -> None:
        if self.stop is None:
            os._exit(1)
        self.stop()


def open_lines(wishes: Wishes, stack: contextlib.ExitStack) -> Write | None:
    """Open what takes JSON lines; None where none are wanted.

    Args:
        wishes: Where they go; standard output belongs to the parent, so it gets them as news.
        stack: Closes the file in the end.

    Raises:
        EdgekitError: The file cannot be written.
    """
    if wishes.jsonl is None:
        return None
    if wishes.jsonl == STDOUT:
        return lambda line: guarded.tell({"line": line})
    return stack.enter_context(JsonLines(Path(wishes.jsonl))).write


def open_page(
    wishes: Wishes,
    source: str,
    labels: Sequence[str],
    stack: contextlib.ExitStack,
    kind: Literal["pictures", "sound"] = "pictures",
) -> "Preview | None":
    """Open the page in the browser and tell the parent its address; None where none is wanted.

    Args:
        wishes: Where it is served, and the model.
        source: What frames or sound come from, for people.
        labels: Names of what may be found.
        stack: Closes it in the end.
        kind: What it shows.

    Raises:
        UsageError: The address is none.
        DeviceError: Its port is in use.
    """
    if wishes.preview is None:
        return None
    from edgekit.preview import open_preview

    about = {"title": "edgekit", "model": Path(wishes.model).stem, "source": source}
    page = open_preview(wishes.preview, **about, labels=labels, kind=kind)
    stack.enter_context(page)
    guarded.tell({"preview": page.url})
    return page
