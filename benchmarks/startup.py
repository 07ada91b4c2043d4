"""Claim: the command line answers at once, and the light half never loads TensorFlow.

`edgekit --help` takes at most 0.25 s and `edgekit inspect` of a 4 MB model at most 0.6 s of
wall time, process start included; TensorFlow is in `sys.modules` after neither.

    python benchmarks/startup.py [--model MODEL.tflite] [--rounds 15] [--json]

Without --model a model of 4 MB with 60 operators is made. The median of the rounds counts;
the first round, which reads files from the disk, is left out. CPU time is told beside it:
where it is much less than the wall time, the machine was doing something else.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, pack
from edgekit.measure import machine
from edgekit.records import to_json

SCHEMA = 1
LIMITS_S = {"--help": 0.25, "inspect": 0.6}
_HEAVY = ("tensorflow", "keras", "tf_keras")
_PROGRAM = """
import sys
from edgekit.cli.main import main
try:
    main()
finally:
    sys.stdout.flush()
    found = [name for name in {heavy} if name in sys.modules]
    print("heavy:", *found, file=sys.stderr)
"""


def model_of_4_mb(path: Path, ops: int = 60, width: int = 264) -> Path:
    """Write a chain of FULLY_CONNECTED operators with int8 weights."""
    rng = np.random.default_rng(0)
    types, code = enum_values("TensorType"), enum_values("BuiltinOperator")["FULLY_CONNECTED"]

    def tensor(name: str, shape: tuple[int, ...], buffer: int) -> Table:
        steps = Table(
            "QuantizationParameters",
            scale=np.array([0.1], np.float32),
            zero_point=np.array([0], np.int64),
        )
        sizes = np.array(shape, np.int32)
        return Table(
            "Tensor",
            name=name,
            shape=sizes,
            type=types["INT8"],
            buffer=buffer,
            quantization=steps,
        )

    values = [tensor(f"x{i}", (1, width), 0) for i in range(ops + 1)]
    weights = [tensor(f"w{i}", (width, width), i + 1) for i in range(ops)]
    operators = [
        Table(
            "Operator",
            opcode_index=0,
            inputs=np.array([i, ops + 1 + i, -1], np.int32),
            outputs=np.array([i + 1], np.int32),
            builtin_options=Table("FullyConnectedOptions"),
        )
        for i in range(ops)
    ]
    graph = Table(
        "SubGraph",
        tensors=[*values, *weights],
        inputs=np.array([0], np.int32),
        outputs=np.array([ops], np.int32),
        operators=operators,
    )
    data = [rng.integers(0, 256, width * width, np.uint8) for _ in range(ops)]
    model = Table(
        "Model",
        version=3,
        operator_codes=[
            Table("OperatorCode", builtin_code=code, deprecated_builtin_code=code, version=4)
        ],
        subgraphs=[graph],
        buffers=[Table("Buffer"), *(Table("Buffer", data=each) for each in data)],
    )
    path.write_bytes(pack(model))
    return path


def run(*arguments: str) -> tuple[float, float, list[str]]:
    """Run the command line in a process of its own.

    Returns:
        Seconds of wall time, of CPU time, and the heavy modules that it loaded.
    """
    program = _PROGRAM.format(heavy=_HEAVY)
    spent, begin = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    wall, now = time.perf_counter() - begin, os.times()
    cpu = sum(now[2:4]) - sum(spent[2:4])  # of children, in user and system mode
    return wall, cpu, done.stderr.rpartition("heavy:")[2].split()


def measure(model: Path, rounds: int) -> dict[str, Any]:
    """Time both commands in turns."""
    calls = {"--help": ["--help"], "inspect": ["inspect", str(model), "--json"]}
    times: dict[str, list[float]] = {name: [] for name in calls}
    spent: dict[str, list[float]] = {name: [] for name in calls}
    heavy: set[str] = set()
    for _ in range(rounds + 1):
        for name, arguments in calls.items():
            wall, cpu, found = run(*arguments)
            times[name].append(wall)
            spent[name].append(cpu)
            heavy.update(found)
    rows = [
        {
            "command": name,
            "median_s": round(statistics.median(each[1:]), 4),
            "min_s": round(min(each[1:]), 4),
            "cpu_s": round(statistics.median(spent[name][1:]), 4),
            "limit_s": LIMITS_S[name],
            "within": statistics.median(each[1:]) <= LIMITS_S[name],
        }
        for name, each in times.items()
    ]
    return {
        "schema": SCHEMA,
        "model_bytes": model.stat().st_size,
        "rounds": rounds,
        "commands": rows,
        "heavy_modules": sorted(heavy),
        "machine": to_json(machine()),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or model_of_4_mb(Path(folder) / "made.tflite")
        found = measure(model, options.rounds)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        print(f"{'command':<12} {'median':>8} {'fastest':>8} {'CPU':>7} {'limit':>7}")
        for row in found["commands"]:
            keys = ("median_s", "min_s", "cpu_s", "limit_s")
            median, fastest, cpu, limit = (f"{row[key]:.2f} s" for key in keys)
            print(f"{row['command']:<12} {median:>8} {fastest:>8} {cpu:>7} {limit:>7}")
        print(f"heavy modules loaded: {', '.join(found['heavy_modules']) or 'none'}")
    kept = all(row["within"] for row in found["commands"]) and not found["heavy_modules"]
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
