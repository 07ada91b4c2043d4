"""The accelerators and operator sets that a model can be run with."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.errors import UnknownName, UsageError
from edgekit.guarded import if_it_dies
from edgekit.runtime import edgetpu, problems
from edgekit.runtime.backends import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate:
    """One way of running the operators of a model.

    Attributes:
        title: What it is, for people.
        resolver: Name in the backend's `OpResolverType`.
        libraries: Names and paths of its library by `sys.platform`, in the order in which
            they are tried; empty if it needs none.
        option: Name of the library's option that chooses a device; empty if there is none.
    """

    title: str
    resolver: str = "AUTO"
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    option: str = ""


_CPU = Delegate(title="CPU, with XNNPACK where it applies")

DELEGATES: dict[str, Delegate] = {
    "cpu": _CPU,
    "xnnpack": _CPU,
    "builtin": Delegate(
        title="CPU, built-in kernels only", resolver="BUILTIN_WITHOUT_DEFAULT_DELEGATES"
    ),
    "reference": Delegate(
        title="CPU, reference kernels: slow, the same result on every machine",
        resolver="BUILTIN_REF",
    ),
    "edgetpu": Delegate(
        title="Coral Edge TPU; edgetpu:usb, edgetpu:usb:0, edgetpu:pci:0 choose one",
        libraries=edgetpu.LIBRARIES,
        option="device",
    ),
}


def parse(text: str | None) -> tuple[str, str]:
    """Split a delegate as a person writes it into its name and its device.

    >>> parse("edgetpu:usb:0")
    ('edgetpu', 'usb:0')
    >>> parse(None)
    ('cpu', '')

    Raises:
        UnknownName: There is no such delegate.
        UsageError: It has no devices to choose from.
    """
    name, _, device = (text or "cpu").partition(":")
    if name not in DELEGATES:
        raise UnknownName(kind="delegate", name=name, known=list(DELEGATES))
    if device and not DELEGATES[name].option:
        msg = f"Delegate '{text}': {name} has no devices to choose from; write '{name}'."
        raise UsageError(msg)
    edgetpu.check_device(device)
    return name, device


@contextlib.contextmanager
def if_it_dies_here(text: str | None, backend: Backend) -> Iterator[None]:
    """Leave a hint for the case that a delegate's library ends this process meanwhile.

    Args:
        text: The delegate; nothing is said of one without a library.
        backend: The interpreter package that uses it.
    """
    names = edgetpu.library_names() if DELEGATES[parse(text)[0]].libraries else ()
    if not names:
        yield
        return
    with if_it_dies(problems.foreign_library(names[0], backend)):
        yield


def interpreter_options(text: str | None, backend: Backend) -> dict[str, Any]:
    """Turn a delegate into arguments for the backend's interpreter.

    Args:
        text: A name in `DELEGATES`, with a device after a colon where it has any.
        backend: The interpreter package that will use it.

    Raises:
        UnknownName: There is no such delegate.
        UsageError: It has no devices, or does not exist on this system.
        MissingExtra: Its library is not installed.
        DeviceError: No such device is attached.
    """
    name, device = parse(text)
    delegate = DELEGATES[name]
    options: dict[str, Any] = {
        "experimental_op_resolver_type": backend.resolvers[delegate.resolver]
    }
    if delegate.libraries:
        options["experimental_delegates"] = [_open(name, device, backend)]
    return options


def _open(name: str, device: str, backend: Backend) -> Any:
    """Open the first library that loads."""
    delegate = DELEGATES[name]
    if not edgetpu.library_names():
        msg = f"The delegate {name} does not exist on {sys.platform}."
        raise UsageError(msg)
    options = {delegate.option: device} if device else {}
    tried = {}
    for library in edgetpu.existing_names():
        try:
            return backend.load_delegate(library, options)
        except (OSError, AttributeError) as error:  # AttributeError: no delegate at all
            tried[library] = str(error)
        except problems.NATIVE as error:
            raise problems.of_delegate(error, device, backend) from error
    raise problems.no_library(tried, backend)
