"""What the interpreters say when they fail, in words that help.

The texts of ai-edge-litert 2.3 and tflite-runtime 2.14 are recognised; anything else is
passed on as it is.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from edgekit.errors import (
    EdgekitError,
    InputError,
    MissingExtra,
    TargetError,
)
from edgekit.placement import who_knows
from edgekit.runtime import edgetpu
from edgekit.runtime.backends import Backend, numpy_2_words

# What native code behind the Python interface raises.
NATIVE = (ValueError, RuntimeError, SystemError, OSError, MemoryError, TypeError)

_LONGEST = 300  # characters of a native message that are shown


def of_model(error: Exception, path: Path, backend: Backend) -> EdgekitError:
    """Say why an interpreter refuses a model.

    Args:
        error: What it raised; one of `NATIVE`.
        path: The model.
        backend: The interpreter package.
    """
    text = str(error).strip()
    for pattern, words in _MODEL_PROBLEMS:
        if found := re.search(pattern, text):
            return words(path, backend, found)
    if said := edgetpu.of_run(text, path, _build_words(backend)):
        return said
    if isinstance(error, MemoryError):
        return InputError(f"{path} asks for more memory than there is. Is the file damaged?")
    return InputError(
        f"{backend.name} {backend.version} cannot run {path}: "
        f"{_shortened(text) or type(error).__name__}\n"
        "The file is damaged, or it was made for another runtime."
    )


def of_delegate(error: Exception, device: str, backend: Backend) -> EdgekitError:
    """Say why the Edge TPU's library opens no device.

    Args:
        error: What the interpreter package raised; one of `NATIVE`.
        device: The device that was asked for; empty for any.
        backend: The interpreter package.
    """
    said = edgetpu.of_run(str(error), Path("the delegate"), _build_words(backend))
    return said or edgetpu.no_device(device, _shortened(str(error)))


def no_library(tried: Mapping[str, str], backend: Backend) -> EdgekitError:
    """Say that no library of the Edge TPU loads, and why each of them does not."""
    found = tried or dict.fromkeys(edgetpu.library_names(), "there is no such file")
    return edgetpu.missing_library(found, _build_words(backend))


def foreign_library(library: str, backend: Backend) -> str:
    """Say why a delegate's library may end the process that loads it."""
    return (
        f"{library} was probably built for another interpreter than the installed one.\n"
        f"{_build_words(backend)}"
    )


def _build_words(backend: Backend) -> str:
    return edgetpu.build_words(backend.name, backend.version)


def _shortened(text: str) -> str:
    """A native message on one line; some repeat themselves for every tensor."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _no_model(path: Path, backend: Backend, found: re.Match[str]) -> EdgekitError:  # noqa: ARG001 (one signature for all)
    return InputError(
        f"{path} is no TensorFlow Lite model, or it is damaged.\n"
        "Was it copied completely? A file fetched without git-lfs holds a pointer only."
    )


def _needs_edge_tpu(path: Path, backend: Backend, found: re.Match[str]) -> EdgekitError:  # noqa: ARG001
    return TargetError(
        f"{path} was compiled for the Edge TPU and runs only there.\n"
        "Give --delegate edgetpu with a Coral device attached, or run the file that "
        "edgetpu_compiler was given."
    )


def _needs_ethos(path: Path, backend: Backend, found: re.Match[str]) -> EdgekitError:  # noqa: ARG001
    return TargetError(
        f"{path} was compiled for an Arm Ethos-U and runs only there, in TensorFlow Lite "
        "Micro.\nRun the file that Vela was given."
    )


def _needs_flex(path: Path, backend: Backend, found: re.Match[str]) -> EdgekitError:
    op = found[1] if found.re.groups else ""
    return TargetError(
        f"{path} uses a TensorFlow operator{f' ({op})' if op else ''} that "
        f"{backend.name} {backend.version} does not carry.\n"
        "Convert the model with built-in operators only (edgekit convert does), or run it "
        "with --backend tf.lite."
    )


def _needs_custom(path: Path, backend: Backend, found: re.Match[str]) -> EdgekitError:
    return TargetError(
        f"{path} uses the custom operator '{found[1]}', which {backend.name} "
        f"{backend.version} does not know.\n"
        "It needs a runtime that registers this operator; cut the model before it, or "
        "replace the layer it comes from and convert again."
    )


def _too_new(path: Path, backend: Backend, found: re.Match[str]) -> EdgekitError:
    op, version = found[1], int(found[2])
    return TargetError(
        f"{path} uses {op} version {version}, which {backend.name} {backend.version} does "
        f"not know; {who_knows(op, version)}.\n"
        "Run it in one that does, or convert the model again for this one: "
        "edgekit inspect --target names what to change."
    )


def _numpy_2(path: Path, backend: Backend, found: re.Match[str]) -> EdgekitError:  # noqa: ARG001
    return MissingExtra(numpy_2_words(backend.version))


_Words = Callable[[Path, Backend, re.Match[str]], EdgekitError]

# The first pattern that occurs decides.
_MODEL_PROBLEMS: tuple[tuple[str, _Words], ...] = (
    (r"custom op: edgetpu-custom-op", _needs_edge_tpu),
    (r"custom op: ethos-u", _needs_ethos),
    (r"custom op: (Flex\w+)", _needs_flex),
    (r"Select TensorFlow op|Regular TensorFlow ops", _needs_flex),
    (r"custom op: ([^\s.]+)", _needs_custom),
    (r"op for builtin opcode '(\w+)' version '(\d+)'", _too_new),
    (r"CreateWrapperFrom|_ARRAY_API", _numpy_2),
    (
        r"valid [Ff]latbuffer|model identifier|[Mm]map of|Could not open|is null/empty",
        _no_model,
    ),
)
