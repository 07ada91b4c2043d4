"""Pruning for Keras 3: of channels, proved right, and of single weights, checked.

`prune` is the front door (`front`, with the table of methods); it loads Keras on first
use. `amount` reads what is asked, `job` holds it and what comes out.

Taking channels out (`channels`), one module each step:

1. `graph`: the model as a flat list of calls, nested models opened.
2. `rules` walk through it and write into the `book` how channels (`atoms`) hang together.
3. `groups`: channels that stand or fall together; some are frozen, with the reason.
4. `importance` scores them, `select` chooses which go, as the `amount` asks.
5. `rebuild` makes the smaller model, `reference` proves it equal to the masked original.
6. `repair`: the weights that are left make up for what is gone, on typical samples.
7. `training` fine-tunes it, from labels, from the original's outputs, or both, on the
   samples as they are or on other views of them (`augment`).

Where a share of the latency should go, `latency` finds the share of MACs that does it.

Single weights (`sparse`): `kernels` finds where they are, `masks` chooses which become
zero, `repair` lets the others make up for them, or `schedule` does so while the model
learns; `cluster` leaves few different values.

`command` does all of it with files, in a child process, and measures what it bought.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit_converters.prune.front import prune
    from edgekit_converters.prune.job import ModelCost, Pruned
    from edgekit_converters.prune.training import finetune

__all__ = ["ModelCost", "Pruned", "finetune", "prune"]

_HOMES = {"ModelCost": "job", "Pruned": "job", "finetune": "training", "prune": "front"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from edgekit.extras import need

    return getattr(need(f"edgekit_converters.prune.{_HOMES[name]}", "prune models"), name)
