"""The Coral Edge TPU: what its compiler does with a model, predicted or as it said.

prediction.py  where each operator will run, from rules.toml and checks.py
memory.py      how many bytes of parameters it packs, and which of them stay on the chip
package.py     what a compiled file holds
log.py         what the compiler wrote
compiler.py    running it where it is installed, and how the prediction compares
"""

from edgekit.placement.edgetpu.prediction import is_compiled, judge, predict

__all__ = ["is_compiled", "judge", "predict"]
