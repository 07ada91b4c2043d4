"""Claim: profiling through ssh adds at most 3 s to the run itself, from the second visit on.

An OpenSSH server of its own is started on 127.0.0.1, with its own keys and an empty home
folder. `edgekit profile MODEL --on ssh://...` and `edgekit profile MODEL` run in turns, each in
a process of its own; what ssh adds is the difference of the medians. The first visit, which
brings edgekit there, is timed beside it. With --on a device of yours is measured instead; the
run itself is then what its own record says.

    python benchmarks/ssh_overhead.py MODEL.tflite [--rounds 9] [--runs 50] [--json]
    python benchmarks/ssh_overhead.py MODEL.tflite --on ssh://pi@raspberrypi.local

It needs the package index once, for the wheels of the first visit.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.measure import machine
from edgekit.profiling.ways.ssh.connection import VARIABLE
from edgekit.records import to_json

ROOT = Path(__file__).parents[1]
SCHEMA = 1
LIMIT_S = 3.0


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start a server of our own; its address, with ssh told how to reach it."""
    sys.path.insert(0, str(ROOT / "tests/support"))
    from own_sshd import own_sshd

    with tempfile.TemporaryDirectory() as folder, own_sshd(Path(folder) / "ssh") as found:
        os.environ[VARIABLE] = found.ssh
        yield found.address


def run(*arguments: str) -> tuple[float, dict[str, Any]]:
    """Run `edgekit profile` in a process of its own.

    Returns:
        Seconds of wall time, and its document.
    """
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "profile", *arguments, "--json", "-q"],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return time.perf_counter() - begin, json.loads(done.stdout)


def measure(model: Path, address: str, rounds: int, runs: int, *, here: bool) -> dict[str, Any]:
    """Visit once, then measure through ssh and, on this machine, without, in turns."""
    how = [str(model), "--runs", str(runs), "--warm-up", "0"]
    first_s, _ = run(*how, "--on", address)
    through, without = [], []
    for _ in range(rounds):
        seconds, found = run(*how, "--on", address)
        through.append(seconds)
        ran = (found["load_ms"] + found["first_ms"]) / 1000
        ran += runs * found["latency_ms"]["median"] / 1000
        without.append(run(*how)[0] if here else ran)
    added = statistics.median(through) - statistics.median(without)
    return {
        "schema": SCHEMA,
        "model": model.name,
        "rounds": rounds,
        "runs": runs,
        "compared_with": "edgekit profile here" if here else "load, first run and runs there",
        "first_visit_s": round(first_s, 3),
        "through_ssh_s": round(statistics.median(through), 3),
        "without_s": round(statistics.median(without), 3),
        "added_s": round(added, 3),
        "added_min_s": round(min(through) - min(without), 3),
        "limit_s": LIMIT_S,
        "within": added <= LIMIT_S,
        "machine": to_json(machine()),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--on", help="A device; default: a server of our own on 127.0.0.1.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with contextlib.nullcontext(options.on) if options.on else server() as address:
        found = measure(
            options.model, address, options.rounds, options.runs, here=options.on is None
        )
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for name in ("first_visit_s", "through_ssh_s", "without_s", "added_s", "limit_s"):
            print(f"{name.removesuffix('_s').replace('_', ' '):<14} {found[name]:>8.2f} s")
        print(f"without: {found['compared_with']}")
    sys.exit(0 if found["within"] else 1)


if __name__ == "__main__":
    main()
