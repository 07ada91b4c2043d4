"""Activations that accelerators lack, replaced by ReLU.

The Edge TPU and many NPUs know ReLU and the sigmoid, and no HARD_SWISH, LEAKY_RELU or ELU.
What a net loses by another activation it wins back by fine-tuning.
"""

from typing import Any

from keras.src.saving.serialization_lib import SafeModeScope

from edgekit.errors import SourceError
from edgekit_converters.prune.graph import Graph
from edgekit_converters.prune.job import Job, Pruned, cost
from edgekit_converters.prune.training import finetune

LACKED = frozenset(
    {"celu", "elu", "gelu", "hard_silu", "hard_swish", "leaky_relu", "mish", "selu"}
)
_LAYERS = frozenset({"ELU", "LeakyReLU"})


def replace(model: Any, job: Job) -> Pruned:
    """Give a copy of a model ReLU where its activation is one of `LACKED`.

    Args:
        model: A Keras 3 model; it is left as it is.
        job: With data and epochs the copy is fine-tuned.

    Raises:
        SourceError: The model is no graph of layers, or has no such activation.
    """
    Graph(model)  # refuses what is no graph of layers
    config = model.get_config()
    names = tuple(_changed(config, ""))
    if not names:
        msg = (
            f"{model.name} has no activation to replace by ReLU.\n"
            f"Known are {', '.join(sorted(LACKED))}, by name or as a layer."
        )
        raise SourceError(msg)
    # The model is already in memory: what it holds was trusted when it was loaded.
    with SafeModeScope(safe_mode=False):
        copy = type(model).from_config(config)
    copy.set_weights(model.get_weights())
    if job.epochs and job.data is not None:
        finetune(
            copy,
            job.data,
            job.epochs,
            teacher=model if job.distill else None,
            learning_rate=job.learning_rate,
            seed=job.seed,
            augment=job.augment,
        )
    return Pruned(
        model=copy, before=cost(model), after=cost(copy), frozen=(), activations=names
    )


def _changed(config: dict[str, Any], around: str) -> list[str]:
    """Write ReLU into the configs of layers, at any depth; return their names."""
    found = []
    for layer in config["layers"]:
        inner = layer["config"]
        name = f"{around}{inner['name']}"
        if isinstance(inner.get("layers"), list):
            found += _changed(inner, f"{name}/")
        elif layer["class_name"] in _LAYERS:
            layer["class_name"] = "ReLU"
            layer["config"] = {
                key: inner[key] for key in ("name", "trainable", "dtype") if key in inner
            }
            found.append(name)
        elif inner.get("activation") in LACKED:
            inner["activation"] = "relu"
            found.append(name)
    return found
