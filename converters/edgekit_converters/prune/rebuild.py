"""Build the smaller model: the same layers from their configs, with sliced weights."""

from collections.abc import Iterator
from typing import Any

import keras
from keras.src.saving.serialization_lib import SafeModeScope

from edgekit_converters.prune.book import Book, Kept
from edgekit_converters.prune.graph import Path


def rebuild(book: Book, kept: Kept) -> Any:
    """Build a model without the channels that are not kept.

    Args:
        book: The original.
        kept: Which atoms stay.

    Returns:
        A model of the same kind with the same layer names, its weights set.
    """
    original = book.graph.model
    config = original.get_config()
    counts = {
        path: {name: int(kept[labels].sum()) for name, labels in fields.items()}
        for path, fields in book.counts.items()
    }
    _shrink(config, (), counts)
    # The model is already in memory: what it holds was trusted when it was loaded.
    with SafeModeScope(safe_mode=False):
        pruned = type(original).from_config(config)
    for before, after in zip(_leaves(original), _leaves(pruned), strict=True):
        for old, new in zip(before.weights, after.weights, strict=True):
            new.assign(book.slice(old, kept))
    return pruned


def _shrink(config: dict[str, Any], path: Path, counts: dict[Path, dict[str, int]]) -> None:
    """Write the kept numbers into the configs of layers, at any depth."""
    if path:
        # A nested model takes the shape of what it is called on.
        config.pop("build_input_shape", None)
    for layer in config["layers"]:
        inner = layer["config"]
        where = (*path, inner["name"])
        # Layers remember the shape they were built for; the smaller one is found anew.
        layer.pop("build_config", None)
        for field, count in counts.get(where, {}).items():
            _set(inner, field, count)
        if "layers" in inner and isinstance(inner["layers"], list):
            _shrink(inner, where, counts)


def _set(config: dict[str, Any], field: str, count: int) -> None:
    """A shape ends with the number of channels; other fields are that number."""
    if field in {"batch_shape", "target_shape"}:
        config[field] = (*config[field][:-1], count)
    else:
        config[field] = count


def _leaves(model: Any) -> Iterator[Any]:
    """Layers with weights, nested models opened."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer
