"""Every error that edgekit raises on purpose.

* EdgekitError            exit code 1
  * UsageError            2   options that contradict each other or make no sense
    * UnknownName         2   no target, model, backend or metric of that name
  * InputError            3   an input is missing, unreadable, corrupt or unsupported
    * SourceError         3   a model to import
    * DataError           3   a data set, image or sound
    * RecordError         3   a TOML or JSON record: target profile, recipe, manifest
    * CrashError          3   native code died on an input, in a child process
  * TargetError           4   the model does not fit the target
  * GateError             5   a gate failed: accuracy drop, regression
  * MissingExtra          6   an optional dependency is not installed
  * DeviceError           7   a device, camera, microphone or host cannot be reached
"""

from typing import Any, ClassVar


class EdgekitError(Exception):
    """An error whose text is written for the person at the keyboard.

    The text says what was asked, what was found and what to do next; the
    command line prints it without a traceback and exits with `exit_code`.
    """

    exit_code: ClassVar[int] = 1


class UsageError(EdgekitError):
    """Options contradict each other or make no sense for this input."""

    exit_code: ClassVar[int] = 2


class UnknownName(UsageError):
    """A name that is in none of edgekit's tables.

    Args:
        kind: What the name stands for, e.g. `target`.
        name: The name that was asked for.
        known: The names that exist.
        hint: What else may be given, as one full sentence.
    """

    def __init__(self, kind: str, name: str, known: list[str], hint: str = "") -> None:
        text = f"No {kind} named '{name}'. Known: {', '.join(known) or 'none'}."
        super().__init__(f"{text}\n{hint}" if hint else text)


class InputError(EdgekitError):
    """An input is missing, unreadable, corrupt or unsupported."""

    exit_code: ClassVar[int] = 3


class SourceError(InputError):
    """A model cannot be imported."""


class DataError(InputError):
    """A data set, an image or a sound cannot be used."""


class RecordError(InputError):
    """A target profile, recipe or manifest is unreadable or wrong."""


class CrashError(InputError):
    """Native code died on an input; it ran in a child process, so nothing else is lost."""


class TargetError(EdgekitError):
    """A model cannot run on the target it is meant for."""

    exit_code: ClassVar[int] = 4


class GateError(EdgekitError):
    """A gate failed.

    Args:
        text: The message.
        document: The result all the same; the command line still prints it.
    """

    exit_code: ClassVar[int] = 5

    def __init__(self, text: str, document: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.document = document


class MissingExtra(EdgekitError):
    """An optional dependency is not installed; the message names the extra."""

    exit_code: ClassVar[int] = 6


class DeviceError(EdgekitError):
    """A device, accelerator, camera, microphone or host cannot be reached."""

    exit_code: ClassVar[int] = 7
