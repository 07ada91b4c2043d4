"""A file is written whole or not at all."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit import files
from edgekit.errors import EdgekitError
from edgekit.files import JsonLines

MIB = 2**20


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of one MiB, which only root may."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no small disk can be mounted here")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=100) | st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_written_is_read(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "folder" / "file"
    files.atomic_write(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(path.parent) == ["file"]


def test_a_full_disk_is_told_and_leaves_the_file_that_was_there(small_disk: Path) -> None:
    path = small_disk / "model.tflite"
    files.atomic_write(path, b"before")
    with pytest.raises(EdgekitError, match=r"Cannot write .*model\.tflite: No space left"):
        files.atomic_write(path, bytes(2 * MIB))
    assert path.read_bytes() == b"before"
    assert names(small_disk) == ["model.tflite"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_a_file_size_limit_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """As on a full disk, where none can be mounted."""
    code = (
        "import resource, signal, sys; from pathlib import Path; from edgekit import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: files.atomic_write(Path(sys.argv[1]), bytes(5000))\n"
        "except files.EdgekitError as error: sys.exit(str(error))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "file")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Is there space" in done.stderr
    assert names(tmp_path) == []


def test_a_failure_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.atomic_write(tmp_path / "file", b"content")
    assert names(tmp_path) == []


@pytest.mark.parametrize("below", ["file/inside", "file/a/b"])
def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgekitError, match="Cannot write"):
        files.atomic_write(tmp_path / below, b"")


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(EdgekitError, match=r"Cannot write .*out: Is a directory"):
        files.atomic_write(tmp_path / "out", b"")
    assert names(tmp_path) == ["out"]


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    files.atomic_write(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_scratch_folder_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    with files.scratch_dir(tmp_path / "out") as folder:
        assert folder.parent == tmp_path / "out"
        (folder / "deep").mkdir()
        (folder / "deep/file").write_text("x")
    assert names(tmp_path) == []


def test_a_folder_that_holds_results_stays(tmp_path: Path) -> None:
    with files.scratch_dir(tmp_path / "out"):
        files.atomic_write(tmp_path / "out/result", b"")
    assert names(tmp_path / "out") == ["result"]


def test_a_scratch_folder_goes_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.scratch_dir(tmp_path):
        _ = 1 / 0
    assert names(tmp_path) == []


def test_a_scratch_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EdgekitError, match="Cannot write into"),
        files.scratch_dir(tmp_path / "file"),
    ):
        pass


def test_every_line_can_be_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with JsonLines(path) as lines:
        for number in range(3):
            lines.write({"frame": number})
            assert len(path.read_text().splitlines()) == number + 1
    assert [json.loads(line)["frame"] for line in path.read_text().splitlines()] == [0, 1, 2]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError, match=r"Cannot write .*out\.jsonl"):
        JsonLines(tmp_path / "nowhere" / "out.jsonl")
    with (
        pytest.raises(EdgekitError, match="Cannot write"),
        JsonLines(Path("/dev/full")) as full,
    ):
        full.write({"frame": 0})
