"""Which operator runs where, and why; which versions of operators a runtime knows."""

from edgekit.placement.op_versions import op_version_problems, version_table, who_knows
from edgekit.placement.placer import Placement, place, placed

__all__ = ["Placement", "op_version_problems", "place", "placed", "version_table", "who_knows"]
