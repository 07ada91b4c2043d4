"""What a Keras architecture would execute or need, told from its JSON before it is built.

tf_keras runs the bytecode of a Lambda layer while it loads an `.h5`, and imports whatever
module a `.keras` names, both without asking. So the JSON is read first.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError

# Packages whose classes a file may name; classes of others come from --import-module.
TRUSTED_PACKAGES = ("builtins", "keras", "tensorflow", "tf_keras")

# Marks of Python bytecode in a SavedModel, where the architecture stands as text.
_BYTECODE_MARKS = (b'"function_type": "lambda"', b'"__lambda__"')


def refuse_code(path: Path, config: Any, known: Iterable[str], *, trust: bool) -> None:
    """Refuse an architecture that carries code or reaches for foreign modules.

    1. A Lambda layer with bytecode needs `trust`.
    2. A Lambda layer that names a function needs that function among `known`, or `trust`.
    3. A class or function of a module outside Keras must be among `known`.

    What was only needed for training (`compile_config`) is never built, so never refused.

    Args:
        path: The file, for messages.
        config: The architecture.
        known: Names of the classes and functions that the user's own files define.
        trust: Whether the user said `--trust`.

    Raises:
        SourceError: It does.
    """
    names = set(known)
    for item in tables(_architecture(config)):
        if _has_bytecode(item) and not trust:
            raise _untrusted(path, "a Lambda layer with Python bytecode, which runs on loading")
        if function := _named_lambda(item):
            if function not in names and not trust:
                raise _untrusted(path, f"a Lambda layer that calls the function '{function}'")
        elif foreign := _foreign(item, names):
            raise unknown_class(path, [foreign])


def refuse_saved_code(folder: Path, *, trust: bool) -> None:
    """Refuse a SavedModel whose layers carry bytecode, unless `trust`.

    Raises:
        SourceError: It does.
    """
    for name in ("saved_model.pb", "keras_metadata.pb"):
        part = folder / name
        if trust or not part.is_file():
            continue
        content = part.read_bytes()
        if any(mark in content for mark in _BYTECODE_MARKS):
            raise _untrusted(
                folder, "a Lambda layer with Python bytecode, which runs on loading"
            )


def unknown_class(path: Path, names: Iterable[str]) -> SourceError:
    """Say which classes nobody knows, and how to make them known."""
    shown = ", ".join(f"'{name}'" for name in names)
    return SourceError(
        f"{path} needs {shown}, which is no class or function of Keras.\n"
        "Name the Python file that defines it: --import-module my_layers.py"
    )


def tables(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every table inside JSON, however deep, outer ones first."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting.extend(each.values())
        elif isinstance(each, list | tuple):
            waiting.extend(each)


def layer_classes(config: Any) -> set[str]:
    """Return the names of all classes that an architecture names."""
    names = (item.get("class_name") for item in tables(config))
    return {name for name in names if isinstance(name, str)}


def _has_bytecode(item: dict[str, Any]) -> bool:
    if item.get("class_name") == "__lambda__":
        return True
    return any(key.endswith("_type") and value == "lambda" for key, value in item.items())


def _named_lambda(item: dict[str, Any]) -> str | None:
    """Return the name of the function that a Lambda layer calls, if this is such a layer."""
    config = item.get("config")
    if item.get("class_name") != "Lambda" or not isinstance(config, dict):
        return None
    function = config.get("function")
    if isinstance(function, dict):
        function = function.get("config")
    return function if isinstance(function, str) else None


def _foreign(item: dict[str, Any], names: set[str]) -> str | None:
    """Return the class or function of a foreign module that a table names, if it does."""
    module, name = item.get("module"), item.get("class_name")
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    if module.partition(".")[0] in TRUSTED_PACKAGES and name != "function":
        return None
    if name == "function":
        name = str(item.get("config"))
        if module.partition(".")[0] in TRUSTED_PACKAGES:
            return None
    return None if name in names else name


def _untrusted(path: Path, what: str) -> SourceError:
    return SourceError(
        f"{path} holds {what}.\n"
        "If you know who made the file, say so with --trust; "
        "else ask for a model without Lambda layers."
    )


def unknown_names(config: Any, known: Iterable[str]) -> list[str]:
    """Return the layers and activations in an architecture that nobody defines, sorted."""
    names = set(known) | _INNER_CLASSES
    found = {_class_name(config)}
    for item in tables(_architecture(config)):
        inner = item.get("layers")
        candidates = [*(inner if isinstance(inner, list) else []), *map(item.get, _WRAPPED)]
        found |= {_class_name(each) for each in candidates}
        found |= {_function_name(value) for key, value in item.items() if key in _FUNCTIONS}
    return sorted(name for name in found if name and name not in names)


def _class_name(layer: Any) -> str:
    name = layer.get("class_name") if isinstance(layer, dict) else None
    return name if isinstance(name, str) else ""


def _function_name(value: Any) -> str:
    """Return the name of an activation, in the words of either Keras."""
    if isinstance(value, dict) and value.get("class_name") == "function":
        value = value.get("config")
    return value if isinstance(value, str) else ""


def _architecture(config: Any) -> Any:
    """Return a configuration without what was only needed for training."""
    if not isinstance(config, dict):
        return config
    return {key: value for key, value in config.items() if key != "compile_config"}


_FUNCTIONS = ("activation", "recurrent_activation")
_WRAPPED = ("layer", "backward_layer", "cell")  # where a layer holds another

# Classes that stand in architectures though `keras.layers` has no such name.
_INNER_CLASSES = {
    "ClassMethod", "Functional", "InstanceMethod", "InstanceProperty", "Model", "Sequential",
    "SlicingOpLambda", "TFOpLambda", "TensorFlowOpLayer",
}  # fmt: skip
