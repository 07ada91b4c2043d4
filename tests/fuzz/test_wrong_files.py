"""Whatever stands in the place of a file: one message, and the exit code that fits."""

import contextlib
import io
import random
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from mutations import complaint
from small import small_model

from edgekit.cli.main import cli
from edgekit.errors import UsageError

CONTENTS = {
    "empty": b"",
    "noise": random.Random(0).randbytes(3000),
    "text": "Grüße\n".encode() * 20,
    "one-byte": b"\x00",
    "lfs-pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "archive": b"PK\x03\x04" + bytes(100),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "tflite-header": b"\x1c\x00\x00\x00TFL3" + bytes(40),
    "zeros": bytes(100_000),
    "json": b'{"recipe": {"model": 3}, "kind": []}',
    "toml": b'title = "x"\n[runtime]\n',
}
# What is asked, with FILE in the place of each file; GOOD is a sound model, DATA sound data.
PLACES = {
    "inspect": "inspect FILE",
    "inspect-target": "inspect GOOD --target FILE",
    "targets": "targets FILE",
    "run-model": "run FILE DATA",
    "run-input": "run GOOD FILE",
    "profile": "profile FILE --runs 1",
    "evaluate-model": "evaluate FILE DATA",
    "evaluate-data": "evaluate GOOD FILE",
    "evaluate-labels": "evaluate GOOD DATA --labels FILE",
    "compare-model": "compare GOOD FILE --data DATA",
    "compare-data": "compare GOOD GOOD --data FILE",
    "report": "report FILE -o OUT",
    "convert-model": "convert FILE --target host --calibrate DATA -o OUT",
    "convert-target": "convert GOOD --target FILE --calibrate DATA -o OUT",
    "convert-recipe": "convert --recipe FILE -o OUT",
    "quantize-model": "quantize FILE --calibrate DATA -o OUT",
    "prune-model": "prune FILE --amount 0.5 -o OUT",
}
# These endings are tried with each content; the first is what the command expects.
SUFFIXES = {
    "inspect-target": ".toml",
    "targets": ".toml",
    "run-input": ".npy",
    "evaluate-data": ".npz",
    "evaluate-labels": ".txt",
    "compare-data": ".npz",
    "report": ".json",
    "convert-model": ".keras",
    "convert-target": ".toml",
    "convert-recipe": ".toml",
    "quantize-model": ".h5",
    "prune-model": ".keras",
}


def run(arguments: list[str]) -> None:
    """Run a command in this process; what it prints is of no interest."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            cli(arguments, standalone_mode=False)
        except click.UsageError as error:
            raise UsageError(error.format_message()) from error


def wrong_files(folder: Path, suffix: str) -> Iterator[Path]:
    """Make files of the wrong content, and what is no file at all."""
    for name, content in CONTENTS.items():
        path = folder / f"{name}{suffix}"
        path.write_bytes(content)
        yield path
    (folder / f"folder{suffix}").mkdir()
    (folder / f"loop{suffix}").symlink_to(folder / f"loop{suffix}")
    yield from (folder / f"{name}{suffix}" for name in ("folder", "loop", "missing"))
    yield from (folder / "no" / "folder" / f"file{suffix}", Path("/dev/null"))


STARTS_TENSORFLOW = ("convert-model", "quantize-model")


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(place, marks=[pytest.mark.slow] if place in STARTS_TENSORFLOW else [])
        for place in PLACES
    ],
)
def test_a_wrong_file_is_refused_in_words(place: str, tmp_path: Path) -> None:
    (tmp_path / "good.tflite").write_bytes(small_model())
    x = np.zeros((6, 4), np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(6) % 3)
    (tmp_path / "files").mkdir()
    words = {
        "GOOD": str(tmp_path / "good.tflite"),
        "DATA": str(tmp_path / "data.npz"),
        "OUT": str(tmp_path / "out"),
    }
    found = []
    for path in wrong_files(tmp_path / "files", SUFFIXES.get(place, ".tflite")):
        words["FILE"] = str(path)
        arguments = [words.get(word, word) for word in PLACES[place].split()]
        if text := complaint(lambda arguments=arguments: run(arguments), 60):  # type: ignore[misc] # a default binds the name
            found.append(f"{path.name}: {text}")
        assert not (tmp_path / "out").exists(), path
    assert not found, "\n".join(found)
