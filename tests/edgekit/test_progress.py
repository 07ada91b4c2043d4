"""Progress is shown where a person watches, and nowhere else."""

import io
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import progress


@given(items=st.lists(st.integers(), max_size=10))
def test_tracking_changes_nothing(items: list[int]) -> None:
    assert list(progress.track(items, "Counting", len(items))) == items


def test_a_library_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with progress.task("Working", 2) as advance:
        advance(2)
    assert capfd.readouterr() == ("", "")


def test_a_pipe_gets_one_line_a_task_on_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    progress.show_on(progress.terminal())
    for _ in progress.track([1, 2, 3], "Calibrating", 3, "image"):
        with progress.task("Looking"):
            pass
    assert capfd.readouterr() == ("", "Calibrating (3 images)\nLooking\nLooking\nLooking\n")


def test_a_task_ends_when_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []
    display = progress.Lines()
    monkeypatch.setattr(display, "end", lambda: ended.append(True))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    progress.show_on(display)
    with pytest.raises(ZeroDivisionError), progress.task("Dividing"):
        _ = 1 / 0
    assert ended == [True]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_gets_bars_that_go_away() -> None:
    shown = on_a_terminal(
        "import time\n"
        "for _ in progress.track(range(3), 'Outer', 3, 'model'):\n"
        "    for _ in progress.track(range(2), 'Inner', 2, 'image'):\n"
        "        time.sleep(0.06)\n"
        "with progress.task('Of unknown length') as advance:\n"
        "    advance(1); time.sleep(0.2)\n"
    )
    for text in ("Outer", "Inner", "image", "Of unknown length"):
        assert text in shown
    assert "\x1b[?25h" in shown, "the cursor is back"
    assert re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", shown.rpartition("\x1b[2K")[2]).strip() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_message_while_a_bar_is_shown_is_kept() -> None:
    shown = on_a_terminal(
        "import sys\nwith progress.task('Working', 5):\n    sys.stderr.write('a warning\\n')\n"
    )
    assert "a warning" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_what_goes_into_a_pipe_gets_there_while_a_bar_is_shown(tmp_path: Path) -> None:
    piped = tmp_path / "out.txt"
    with piped.open("wb") as pipe:
        shown = on_a_terminal("with progress.task('Working', 5):\n    print('a line')\n", pipe)
    assert piped.read_text() == "a line\n"
    assert "a line" not in shown


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_meter_shows_a_level_and_a_text() -> None:
    shown = on_a_terminal(
        "import time\n"
        "with progress.meter('Listening') as level:\n"
        "    level(0.5, '-30 dB'); time.sleep(0.3)\n"
        "with progress.task('Working', 5) as advance:\n"
        "    advance(1); time.sleep(0.2)\n"
    )
    assert "Listening" in shown
    assert "-30 dB" in shown
    assert "20%" in shown, "what comes after it is no meter"


def test_a_pipe_gets_no_levels(capfd: pytest.CaptureFixture[str]) -> None:
    for display in (progress.terminal(), progress.Silent()):
        progress.show_on(display)
        with progress.meter("Listening") as level:
            level(0.5, "-30 dB")
    assert capfd.readouterr() == ("", "Listening\n")


def test_a_muted_thread_shows_nothing_and_others_do(capfd: pytest.CaptureFixture[str]) -> None:
    progress.show_on(progress.Lines())

    def beside() -> None:
        with progress.task("Beside"):
            pass

    with progress.muted(), progress.task("Muted"):
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()
    with progress.task("After"):
        pass
    assert capfd.readouterr().err == "Beside\nAfter\n"


def on_a_terminal(code: str, stdout: IO[bytes] | None = None) -> str:
    """Run code in a process whose standard error is a terminal; return what was shown."""
    ours, theirs = pty.openpty()
    begin = "from edgekit import progress; progress.show_on(progress.terminal())\n"
    child = subprocess.Popen(
        [sys.executable, "-c", begin + code],
        stdout=stdout,
        stderr=theirs,
        env=os.environ
        | {"TERM": "xterm", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # what Linux says at the end of a terminal
        pass
    finally:
        os.close(ours)
    assert child.wait(20) == 0, shown.decode()
    return shown.decode()
