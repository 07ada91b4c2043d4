"""The interpreter packages that edgekit can run a model with.

A backend is a function that imports one package and returns what edgekit uses of it.
"""

import importlib
import importlib.metadata
import platform
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from edgekit.errors import MissingExtra, UnknownName

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Backend:
    """What edgekit uses of an interpreter package.

    Attributes:
        name: Name in `BACKENDS`.
        version: Version of the installed package.
        interpreter: Its `Interpreter` class.
        load_delegate: Opens a delegate library.
        resolvers: Its `OpResolverType` enumeration.
    """

    name: str
    version: str
    interpreter: Callable[..., Any]
    load_delegate: Callable[..., Any]
    resolvers: Any


def ai_edge_litert() -> Backend:
    """LiteRT: the interpreter of every 64-bit system."""
    module = _import("ai_edge_litert.interpreter", "ai-edge-litert")
    return _backend("ai-edge-litert", _version("ai-edge-litert"), module)


def tflite_runtime() -> Backend:
    """The last tflite-runtime: 32-bit Raspberry Pi OS, and those who stay on it."""
    version = _version("tflite-runtime")
    if version and _breaks_beside(np.__version__, version):
        raise MissingExtra(numpy_2_words(version))
    module = _import("tflite_runtime.interpreter", "tflite-runtime")
    return _backend("tflite-runtime", version, module)


def tf_lite() -> Backend:
    """The interpreter inside TensorFlow."""
    module = _import("tensorflow.lite.python.interpreter", "tensorflow")
    return _backend("tf.lite", _version("tensorflow"), module)


# Also the order in which `auto` tries them.
BACKENDS: dict[str, Callable[[], Backend]] = {
    "ai-edge-litert": ai_edge_litert,
    "tflite-runtime": tflite_runtime,
    "tf.lite": tf_lite,
}


def open_backend(name: str = AUTO) -> Backend:
    """Import an interpreter package.

    Args:
        name: A name in `BACKENDS`, or `auto` for the first one that is installed.

    Raises:
        UnknownName: There is no such backend.
        MissingExtra: It, or for `auto` any of them, is not installed or cannot be imported.
    """
    if name == AUTO:
        return _first_installed()
    if name not in BACKENDS:
        raise UnknownName(kind="backend", name=name, known=[AUTO, *BACKENDS])
    return BACKENDS[name]()


def numpy_2_words(version: str) -> str:
    """Say what is wrong with tflite-runtime beside numpy 2, and what helps."""
    return (
        f"tflite-runtime {version} was built for numpy 1 and cannot run beside numpy "
        f"{np.__version__}.\n"
        "Install ai-edge-litert instead, or give it an environment of its own: "
        "pip install 'edgekit[tflite-runtime]' 'numpy<2'"
    )


def install_line(machine: str | None = None) -> str:
    """The words that install an interpreter on this machine, or on the one named.

    >>> install_line("aarch64")
    'Install it with: pip install ai-edge-litert'
    """
    machine = machine or platform.machine()
    if machine == "armv6l":
        return (
            "No interpreter is published for armv6 processors (Raspberry Pi 1 and Zero); "
            "a Zero 2 W or later runs a 64-bit system."
        )
    if machine == "armv7l" and sys.version_info >= (3, 12):
        return (
            "No interpreter is published for 32-bit ARM and Python "
            f"{platform.python_version()}; use Python 3.11, or a 64-bit system."
        )
    if machine == "armv7l":
        return (
            "Install it with: sudo apt install python3-numpy && "
            "pip install --no-deps tflite-runtime==2.14.0"
        )
    return "Install it with: pip install ai-edge-litert"


def _first_installed() -> Backend:
    reasons = []
    for name, backend in BACKENDS.items():
        try:
            return backend()
        except MissingExtra as error:
            first_line = str(error).partition("\n")[0]
            reasons.append(f"  {name}: {first_line}")
    msg = "\n".join(["No interpreter can run this model:", *reasons, install_line()])
    raise MissingExtra(msg)


def _import(module: str, package: str) -> ModuleType:
    """Import a package, or say why that fails and what helps.

    Raises:
        MissingExtra: It is not installed, or its native library does not load.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        remedy = {
            "tensorflow": "Install it with: pip install 'edgekit[convert]'",
            "tflite-runtime": "Install it with: pip install 'edgekit[tflite-runtime]'",
        }.get(package, install_line())
        msg = f"{package} is not installed.\n{remedy}"
        raise MissingExtra(msg) from error
    except (ImportError, SystemError, AttributeError) as error:
        raise MissingExtra(_broken(package, error)) from error


def _broken(package: str, error: Exception) -> str:
    """Say why an installed package does not load."""
    text = str(error)
    if "GLIBC" in text:  # the wheel claims an older system than its libraries need
        remedy = "It needs Debian 12 (Bookworm), Ubuntu 22.04 or later."
    elif "numpy" in text or "_ARRAY_API" in text:
        remedy = "It does not fit the installed numpy: pip install 'numpy<2'"
    else:
        remedy = f"Install it again: pip install --force-reinstall {package}"
    return f"{package} is installed but does not load: {text}.\n{remedy}"


def _version(package: str) -> str:
    """Version of an installed package; empty if there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _breaks_beside(numpy: str, version: str) -> bool:
    """Whether this tflite-runtime, the last published one or earlier, meets numpy 2."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return (major, minor) <= (2, 14) and int(numpy.partition(".")[0]) >= 2


def _backend(name: str, version: str, module: ModuleType) -> Backend:
    return Backend(
        name, version, _quiet(module.Interpreter), module.load_delegate, module.OpResolverType
    )


def _quiet(interpreter: Callable[..., Any]) -> Callable[..., Any]:
    """Keep the package's own advertising from the person at the keyboard."""

    def make(**options: Any) -> Any:
        with warnings.catch_warnings():
            # tf.lite says at each use that it will move to another package.
            warnings.simplefilter("ignore")
            return interpreter(**options)

    return make
