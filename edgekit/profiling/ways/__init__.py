"""Ways in: how a device is reached, and work is done on it.

A way is a module with the function `measure`; those that can run edgekit itself on the
device have `call`, too.
"""

from edgekit.profiling.ways.address import Address, parse
from edgekit.profiling.ways.errand import Errand
from edgekit.profiling.ways.fleet import Fleet, profile_fleet
from edgekit.profiling.ways.table import WAYS_IN, call_on, profile_on

__all__ = [
    "WAYS_IN",
    "Address",
    "Errand",
    "Fleet",
    "call_on",
    "parse",
    "profile_fleet",
    "profile_on",
]
