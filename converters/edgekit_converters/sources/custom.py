"""The user's own layers, from the Python files named by --import-module."""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit_converters.sources.libraries import failures, keras, tf_keras


@dataclass(frozen=True, slots=True)
class Custom:
    """Classes and functions that a file may name, for each Keras.

    Attributes:
        for_keras: By name, for Keras 3.
        for_tf_keras: By name, for tf_keras.
    """

    for_keras: dict[str, Any] = field(default_factory=dict)
    for_tf_keras: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """Every name that is defined."""
        return self.for_keras.keys() | self.for_tf_keras.keys()


def import_custom(paths: Iterable[Path]) -> Custom:
    """Execute Python files and collect the layers, other Keras classes and functions in them.

    A class goes to the Keras that its base class belongs to; a function to both.

    Raises:
        SourceError: A file is missing or fails.
    """
    custom = Custom()
    for path in paths:
        for name, value in vars(_execute(path)).items():
            if name.startswith("_"):
                continue
            for table, belongs in (
                (custom.for_keras, _is_keras),
                (custom.for_tf_keras, _is_tf_keras),
            ):
                if belongs(value):
                    table |= {name: value, **_registered(value)}
    return custom


def _execute(path: Path) -> Any:
    """Run one Python file as a module of its own."""
    name = f"edgekit_imported_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        msg = f"Cannot import {path}: it is no Python file.\nGive the path of a .py file."
        raise SourceError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except failures() as error:
        msg = f"{path} failed while it was imported: {type(error).__name__}: {error}."
        raise SourceError(msg) from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _is_keras(value: object) -> bool:
    return _is_function(value) or _subclass_of(value, keras())


def _is_tf_keras(value: object) -> bool:
    return _is_function(value) or _subclass_of(value, tf_keras())


def _is_function(value: object) -> bool:
    return inspect.isfunction(value)


def _subclass_of(value: object, library: Any) -> bool:
    bases = (
        library.layers.Layer,
        library.initializers.Initializer,
        library.regularizers.Regularizer,
        library.constraints.Constraint,
    )
    return isinstance(value, type) and issubclass(value, bases)


def _registered(value: object) -> dict[str, Any]:
    """Return the name under which a class or function was registered, if it was."""
    found = {}
    namers: tuple[Callable[[Any], Any], ...] = (
        keras().saving.get_registered_name,
        tf_keras().saving.get_registered_name,
    )
    for namer in namers:
        name = namer(value)
        if isinstance(name, str):
            found[name] = value
    return found
