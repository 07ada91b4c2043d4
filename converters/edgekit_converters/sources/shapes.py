"""Models that leave the shape of a sample open, and the shape that they get."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit_converters.sources import graph


def with_fixed_shape(
    model: Any, library: Any, input_shape: Sequence[int] | None, path: Path
) -> Any:
    """Return a model whose every input has a fixed shape, but for the batch.

    Args:
        model: A Keras 3 or tf_keras model.
        library: The Keras that it belongs to.
        input_shape: Shape of one sample for inputs that leave it open.
        path: The file, for messages.

    Raises:
        SourceError: The shape is open and none was given, or the given one does not fit.
    """
    tensors = getattr(model, "inputs", None)
    if not tensors:
        return _called(model, library, input_shape, path)
    wanted = [fixed(tuple(each.shape), input_shape, each.name, path) for each in tensors]
    if all(tuple(each.shape) == shape for each, shape in zip(tensors, wanted, strict=True)):
        return model
    inputs = [
        library.Input(batch_shape=shape, dtype=each.dtype, name=each.name)
        for each, shape in zip(tensors, wanted, strict=True)
    ]
    return again(model, library, inputs)


def fixed(
    shape: tuple[int | None, ...], given: Sequence[int] | None, name: str, path: Path
) -> tuple[int | None, ...]:
    """Return the shape that an input gets, batch included.

    Raises:
        SourceError: It is open and none was given, or the given one does not fit.
    """
    sample = shape[1:]
    if given is None and None not in sample:
        return shape
    if given is None:
        shown = ", ".join("?" if size is None else str(size) for size in sample)
        msg = (
            f"{path} leaves the shape of its input '{name}' open: ({shown}).\n"
            f"Say the shape of one sample: --input-shape {_example(sample)}"
        )
        raise SourceError(msg)
    fits = len(given) == len(sample) and all(
        size in {None, wish} for size, wish in zip(sample, given, strict=True)
    )
    if fits:
        return (shape[0], *given)
    if None not in sample:
        return shape
    shown = ", ".join("?" if size is None else str(size) for size in sample)
    msg = (
        f"--input-shape {_joined(given)} does not fit the input '{name}' of {path}: ({shown})."
    )
    raise SourceError(msg)


def _as_it_is(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return layer(*args, **kwargs)


def again(model: Any, library: Any, inputs: list[Any], call: graph.Call = _as_it_is) -> Any:
    """Build a model once more on other inputs, with the same layers and weights.

    Models used as layers are dissolved into their layers, so that the result is one flat
    graph; the shapes are worked out afresh.

    Args:
        model: The model.
        library: The Keras that it belongs to.
        inputs: Its inputs.
        call: What to do with each layer, where not all stay what they are.
    """
    if not graph.is_graph(model):
        result = model(graph.single(inputs))
        return library.Model(inputs, result, name=model.name)
    _name_apart(model)
    outputs = graph.run(model, inputs, call, inline=True)
    return library.Model(graph.single(inputs), graph.single(outputs), name=model.name)


def formed_like(old: Any, library: Any, model: Any) -> Any:
    """Return a model that gives its outputs as a table where another one does."""
    form = getattr(old, "output", None)
    if not isinstance(form, dict):
        return model
    named = dict(zip(sorted(form), model.outputs, strict=True))
    return library.Model(model.inputs, named, name=model.name)


def _name_apart(model: Any) -> None:
    """Give layers of nested models that share a name names of their own."""
    taken: dict[str, Any] = {}
    for layer in _layers(model):
        name, count = layer.name, 0
        while taken.setdefault(name, layer) is not layer:
            count += 1
            name = f"{layer.name}_{count}"
        if name != layer.name:
            _rename(layer, name)


def _layers(model: Any) -> list[Any]:
    """Return every layer that a flat form of the model has, each once."""
    found: dict[int, Any] = {}
    for step in graph.steps(model):
        inner = _layers(step.layer) if graph.is_graph(step.layer) else [step.layer]
        found |= {id(each): each for each in inner}
    return list(found.values())


def _rename(layer: Any, name: str) -> None:
    """Rename a layer; tf_keras has no public way."""
    if hasattr(layer, "_name"):
        layer._name = name  # noqa: SLF001 (no public setter)
    else:
        layer.name = name


def _called(model: Any, library: Any, input_shape: Sequence[int] | None, path: Path) -> Any:
    """Give a model that is no graph (a subclass, a bare Sequential) inputs to be called on.

    A subclass that was saved after use knows what it was called on.

    Raises:
        SourceError: It does not, and no shape was given.
    """
    specs = _saved_specs(model)
    if not specs and input_shape is None:
        msg = (
            f"{path} does not say the shape of its input.\n"
            "Say the shape of one sample: --input-shape 224,224,3"
        )
        raise SourceError(msg)
    if not specs:
        given = library.Input(batch_shape=(None, *(input_shape or ())), name="input")
        return library.Model(given, model(given), name=model.name)
    inputs = [
        library.Input(
            batch_shape=fixed(tuple(spec.shape), input_shape, str(spec.name), path),
            dtype=spec.dtype.name,
            name=str(spec.name or f"input_{place}").replace("/", "_"),
        )
        for place, spec in enumerate(specs)
    ]
    return library.Model(inputs, model(graph.single(inputs)), name=model.name)


def _saved_specs(model: Any) -> list[Any]:
    """Return what a model of tf_keras was called on before it was saved, if it says."""
    spec = model.save_spec(dynamic_batch=True) if hasattr(model, "save_spec") else None
    found = graph.flat(list(spec[0])) if spec else []
    return [each for each in found if hasattr(each, "shape")]


def _example(sample: tuple[int | None, ...]) -> str:
    return _joined([size or (224 if len(sample) == 3 else 64) for size in sample])


def _joined(sizes: Sequence[int]) -> str:
    return ",".join(map(str, sizes))
