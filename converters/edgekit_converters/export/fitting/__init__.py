"""A finished model fitted to its target: operators that would stay off it, written anew.

Each rewriting works on the quantized file, changes no range, and is kept only where the
target then takes more of the model. What it costs is measured: both files run on the same
random inputs.
"""

from edgekit_converters.export.fitting.fit import Rewritten, fit

__all__ = ["Rewritten", "fit"]
