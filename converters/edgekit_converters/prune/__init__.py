"""Pruning for Keras 3: take channels out of a model and prove that the rest is unchanged.

`prune` is the front door; it loads Keras on first use. The steps, one module each:

1. `graph`: the model as a flat list of calls, nested models opened.
2. `rules` walk through it and write into the `book` how channels (`atoms`) hang together.
3. `groups`: channels that stand or fall together; some are frozen, with the reason.
4. `importance` scores them, `select` chooses which go, as the `amount` asks.
5. `rebuild` makes the smaller model, `reference` proves it equal to the masked original.
6. `training` fine-tunes it, from labels, from the original's outputs, or both.

`command` does all of it with files, in a child process, and measures what it bought.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit_converters.prune.channels import ModelCost, Pruned, prune
    from edgekit_converters.prune.training import finetune

__all__ = ["ModelCost", "Pruned", "finetune", "prune"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from edgekit.extras import need

    module = "training" if name == "finetune" else "channels"
    return getattr(need(f"edgekit_converters.prune.{module}", "prune models"), name)
