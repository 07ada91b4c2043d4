"""A program that behaves like the Edge TPU compiler, for tests without it."""

import stat
import sys
from pathlib import Path

from edgekit.placement.edgetpu import statuses

HEAD = "Edge TPU Compiler version 16.0.384591198"
# What it says of a model of RELU and TANH of which it took RELU.
SUCCESS = f"""\
{HEAD}
Model compiled successfully in 9 ms.
On-chip memory used for caching model parameters: 2.00KiB
Off-chip memory used for streaming uncached model parameters: 0.00B

Operator                       Count      Status

RELU                           1          Mapped to Edge TPU
TANH                           1          {statuses.UNSPECIFIED}
"""


def stand_in(
    path: Path, said: str, *, code: int = 0, writes: Path | None = None, first: str = ""
) -> Path:
    """Write the program.

    Args:
        path: Where it goes.
        said: What it prints and writes into its log.
        code: Its exit code.
        writes: The file that it gives out as the compiled one; None for no file.
        first: Python lines that it runs first.
    """
    copy = f"made.write_bytes(pathlib.Path({str(writes)!r}).read_bytes())" if writes else ""
    path.write_text(
        f"#!{sys.executable}\n"
        "import os, pathlib, subprocess, sys, time\n"
        "folder, model = pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])\n"
        "assert sys.argv[1:3] == ['-s', '-o'] and model.exists()\n"
        f"{first}\n"
        f"print({said!r})\n"
        "made = folder / f'{model.stem}_edgetpu.tflite'\n"
        f"{copy}\n"
        f"made.with_suffix('.log').write_text({said!r})\n"
        f"sys.exit({code})\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
