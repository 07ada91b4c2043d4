"""What all commands share: their common options, and how results and messages are shown."""

import functools
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import click

from edgekit import progress
from edgekit.errors import GateError
from edgekit.records import to_json

Document = dict[str, Any]
Render = Callable[[Document], None]


def command(render: Render, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function that returns its result.

    The result, a record or plain JSON values, is printed as one JSON document with
    `--json`, else rendered for people. A failed gate prints it all the same.

    Args:
        render: Shows the document, as plain JSON values, on standard output.
        **settings: For `click.command`.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
        @click.option("-v", "--verbose", is_flag=True, help="Say more on standard error.")
        @click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error.")
        @click.option("--debug", is_flag=True, help="Everything, with tracebacks.")
        @functools.wraps(function)
        def run(
            *args: Any, as_json: bool, verbose: bool, quiet: bool, debug: bool, **options: Any
        ) -> None:
            speak(verbose=verbose, quiet=quiet, debug=debug)
            show = _print_json if as_json else render
            try:
                show(to_json(function(*args, **options)))
            except GateError as error:
                if error.document is not None:
                    show(to_json(error.document))
                raise

        made: click.Command = click.command(**settings)(run)
        return made

    return decorate


def speak(*, verbose: bool = False, quiet: bool = False, debug: bool = False) -> None:
    """Choose what goes to standard error: progress, warnings, and on request more."""
    levels = {debug: logging.DEBUG, verbose: logging.INFO, quiet: logging.ERROR}
    logger = logging.getLogger("edgekit")
    logger.setLevel(levels.get(True, logging.WARNING))
    for name in ("edgekit_converters", "edgekit_demos"):
        logging.getLogger(name).parent = logger
    logger.handlers = [_ToStandardError()]
    progress.show_on(progress.Silent() if quiet else progress.terminal())


class _ToStandardError(logging.Handler):
    """Messages as one line each; warnings stand out on a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        color = "yellow" if record.levelno >= logging.WARNING else None
        label = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        click.secho(f"{label}{record.getMessage()}", fg=color, err=True)


def _print_json(document: Document) -> None:
    any_character = (sys.stdout.encoding or "utf-8").lower() in {"utf-8", "utf8"}
    json.dump(document, sys.stdout, indent=2, ensure_ascii=not any_character)
    sys.stdout.write("\n")
