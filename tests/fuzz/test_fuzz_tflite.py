"""However a .tflite file is damaged: no traceback, no crash, no hang."""

import contextlib
import io
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fuzz_jobs
import pytest
from mutations import complaint, damage, damage_tables

from edgekit import guard
from edgekit.cli.main import cli

WAYS = {"bytes": damage, "tables": damage_tables}


def cases(seeds: dict[str, bytes], count: int, folder: Path) -> Iterator[Path]:
    """Write damaged files, by turns from each seed and in each way."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        name = list(seeds)[i % len(seeds)]
        way = list(WAYS)[i // len(seeds) % len(WAYS)]
        path = folder / f"{name}-{way}-{i}.tflite"
        path.write_bytes(WAYS[way](seeds[name], random.Random(f"{name} {way} {i}")))
        yield path


def inspect(*arguments: str) -> None:
    """Run the command in this process; what it prints is of no interest."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        cli(["inspect", *arguments], standalone_mode=False)


def test_seeds_are_sound(tflite_seeds: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in tflite_seeds.items():
        (tmp_path / f"{name}.tflite").write_bytes(content)
        inspect(str(tmp_path / f"{name}.tflite"), "--json")


@pytest.mark.parametrize("options", [["--json"], ["--target", "coral-usb"]], ids=str)
def test_inspect_refuses_in_words(
    tflite_seeds: dict[str, bytes], tmp_path: Path, fuzz_rounds: int, options: list[str]
) -> None:
    complaints = []
    for path in cases(tflite_seeds, 2 * fuzz_rounds, tmp_path):
        if found := complaint(lambda path=path: inspect(str(path), *options)):  # type: ignore[misc] # a default binds the name
            complaints.append(f"{path}: {found}")
        else:
            path.unlink()
    assert not complaints, "\n".join(complaints[:10])


def test_loading_and_running_refuses_in_words(
    tflite_seeds: dict[str, bytes], tmp_path: Path, fuzz_rounds: int
) -> None:
    """As a user's program does; it must survive what kills the trial run in its child."""
    paths = [str(each) for each in cases(tflite_seeds, fuzz_rounds // 2, tmp_path)]
    log = tmp_path / "log"
    guard.call(f"{fuzz_jobs.__name__}:probe_each", doing="loading", paths=paths, log=str(log))
    outcomes = [json.loads(line) for line in log.read_text().splitlines()]
    assert [each for each in outcomes if each.get("complaint")] == []


@pytest.mark.parametrize("command", ["inspect", "run", "profile", "evaluate", "compare"])
def test_commands_end_with_a_message(
    tflite_seeds: dict[str, bytes], tmp_path: Path, fuzz_rounds: int, command: str
) -> None:
    pixels = tmp_path / "x.npy"
    pixels.write_bytes(b"no numpy array")
    rest = {
        "inspect": ["--json"],
        "run": [str(pixels)],
        "profile": ["--runs", "1", "--json"],
        "evaluate": [str(pixels)],
        "compare": [str(pixels), "--data", str(tmp_path)],
    }[command]
    for path in cases(tflite_seeds, max(2, fuzz_rounds // 30), tmp_path / "cases"):
        done = subprocess.run(
            [sys.executable, "-m", "edgekit", command, str(path), *rest],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in {0, 2, 3, 4, 5, 6, 7}, (path, done)
        assert "Traceback" not in done.stderr, (path, done)
        assert done.returncode == 0 or (done.stderr and not done.stdout), (path, done)
