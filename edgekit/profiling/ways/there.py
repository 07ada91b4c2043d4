"""The device's end of an errand: do it in a folder that is gone afterwards."""

import functools
import os
import shutil
from typing import Any

from edgekit import guarded
from edgekit.profiling.ways.errand import carry_out


def work(*, function: str, files: list[str], arguments: dict[str, Any], folder: str) -> Any:
    """Do an errand, then remove its folder; end at once when the connection breaks.

    Processes that were started meanwhile end with this one (`guarded`).

    Args:
        function: As in `Errand`.
        files: Paths of the files below the folder, which is the working folder.
        arguments: As in `Errand`.
        folder: The folder, to be removed.
    """
    guarded.end_wanted(then=functools.partial(_leave, folder))
    try:
        return carry_out(function, files, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _leave(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
