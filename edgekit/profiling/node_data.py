"""Times of operators as Model Explorer shows them: a colour and a number on each node.

Load the file in its window with "Load per-node data" beside the same model.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from edgekit.errors import UsageError
from edgekit.profiling.perop.records import OpTime
from edgekit.profiling.profile import Profile

_GRADIENT = (
    {"stop": 0, "bgColor": "#ffffff"},
    {"stop": 0.2, "bgColor": "#ffe8a3"},
    {"stop": 1, "bgColor": "#e4572e"},
)


def node_data(ops: Sequence[OpTime]) -> dict[str, Any]:
    """Return the document of milliseconds of each operator, keyed by its output tensor.

    Operators whose tensor has no name, or shares it with another, cannot be found by it and
    are left out.

    Args:
        ops: As `per_op` returns them.
    """
    named = Counter(each.name for each in ops if each.index >= 0)
    return {
        "results": {
            each.name: {"value": round(each.ms, 6)}
            for each in ops
            if each.index >= 0 and each.name and named[each.name] == 1
        },
        "gradient": list(_GRADIENT),
    }


def node_data_text(found: Sequence[Profile]) -> str:
    """Return the text of a node-data file for one model.

    Args:
        found: What was measured.

    Raises:
        UsageError: It is not one model, or its operators were not measured.
    """
    if len(found) != 1 or not found[0].ops:
        msg = (
            f"Node data are of one model with --per-op; found {len(found)} models"
            f"{'' if len(found) != 1 else ' without times of its operators'}."
        )
        raise UsageError(msg)
    return json.dumps(node_data(found[0].ops), indent=1) + "\n"
