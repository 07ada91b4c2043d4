"""A child process gives its result, or dies alone."""

import logging
import math
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit import guard, guarded, progress
from edgekit.errors import (
    CrashError,
    EdgekitError,
    GateError,
    MissingExtra,
    SourceError,
    UnknownName,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def call(job: str, **arguments: Any) -> Any:
    return guard.call(f"guard_jobs:{job}", doing="testing", **arguments)


class Notes:
    """A display that remembers."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def begin(self, label: str, total: int | None, unit: str) -> None:
        self.seen.append((label, total, unit))

    def advance(self, steps: int) -> None:
        self.seen.append(steps)

    def level(self, share: float, text: str) -> None:
        self.seen.append((share, text))

    def end(self) -> None:
        self.seen.append("end")


@pytest.fixture
def notes() -> Iterator[Notes]:
    display = Notes()
    progress.show_on(display)
    yield display
    progress.show_on(progress.Silent())


def no_number_is_none(value: object) -> object:
    """Return what JSON makes of a value."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [no_number_is_none(each) for each in value]
    if isinstance(value, dict):
        return {key: no_number_is_none(each) for key, each in value.items()}
    return value


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(json_values, max_size=20))
def test_arguments_and_results_travel_unchanged(values: list[object]) -> None:
    assert call("echo", value=values) == no_number_is_none(values)


def test_a_long_result_travels_whole() -> None:
    text = "x" * 3_000_000
    assert call("echo", value=text) == text


def test_prints_of_the_child_do_not_disturb_the_channel(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert call("noisy", count=20_000) == 20_000
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("source", SourceError("line one\nline two")),
        ("unknown", UnknownName("target", "toaster", ["host"], "Or a path.")),
        ("gate", GateError("dropped too far")),
        ("of a class of its own", EdgekitError("home-made")),
    ],
)
def test_an_error_arrives_with_its_class_text_and_exit_code(
    kind: str, expected: EdgekitError
) -> None:
    with pytest.raises(EdgekitError) as caught:
        call("refuse", kind=kind)
    assert type(caught.value) is type(expected)
    assert str(caught.value) == str(expected)
    assert caught.value.exit_code == expected.exit_code


def test_a_failed_gate_brings_its_document() -> None:
    with pytest.raises(GateError) as caught:
        call("refuse", kind="gate")
    assert caught.value.document == {"drop": 3.5, "rejected": True}


def test_a_defect_is_named_without_a_traceback() -> None:
    with pytest.raises(EdgekitError, match="Unexpected ValueError: a defect") as caught:
        call("blunder")
    assert "Traceback" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_crash_is_told_with_the_last_words() -> None:
    with pytest.raises(
        CrashError, match=r"testing died from SIGSEGV(?s:.*)\| famous last words"
    ):
        call("crash", words="famous last words")


def test_a_crash_is_told_with_the_hint_of_the_child() -> None:
    with pytest.raises(CrashError, match=r"SIGABRT(?s:.*)Unroll the cell\."):
        call("abort_with_hint", hint="Unroll the cell.")


def test_a_child_that_leaves_early_is_told() -> None:
    with pytest.raises(CrashError, match="ended with code 4 before it gave a result"):
        call("leave", code=4)


def test_half_a_message_is_no_answer() -> None:
    with pytest.raises(CrashError, match="ended with code 3"):
        call("die_mid_sentence")


def test_a_child_that_takes_too_long_is_stopped() -> None:
    begun = time.monotonic()
    with pytest.raises(CrashError, match=r"testing did not end within 0\.8 s"):
        call("sleep", seconds=60, timeout_s=0.8)
    assert time.monotonic() - begun < 10


def test_a_limit_on_time_that_is_kept_changes_nothing() -> None:
    assert call("echo", value=1, timeout_s=60) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux")
def test_a_child_that_wants_too_much_memory_is_refused() -> None:
    assert call("allocate", mib=10, memory_mb=500) == 10 * 2**20
    with pytest.raises(EdgekitError, match="not enough memory"):
        call("allocate", mib=1000, memory_mb=500)


def test_a_module_that_is_not_there_is_told() -> None:
    with pytest.raises(EdgekitError, match="No module named 'edgekit_nowhere'"):
        guard.call("edgekit_nowhere:f", doing="testing")


def test_a_missing_extra_is_named() -> None:
    with pytest.raises(MissingExtra) as caught:
        call("import_missing")
    assert "sounddevice is needed to finish testing" in str(caught.value)
    assert "pip install 'edgekit[audio]'" in str(caught.value)


def test_progress_of_the_child_is_shown_by_the_parent(notes: Notes) -> None:
    assert call("work", steps=3) == 3
    assert notes.seen == [("Counting", 3, "step"), 1, 1, 1, "end"]


def test_a_task_in_a_task_is_shown_in_order(notes: Notes) -> None:
    call("two_tasks")
    assert notes.seen == [("Outer", 2, "step"), ("Inner", 1, "step"), 1, "end", 1, "end"]


def test_a_task_that_a_crash_cut_off_ends(notes: Notes) -> None:
    with pytest.raises(CrashError):
        call("die_in_task")
    assert notes.seen == [("Doomed", None, "step"), "end"]


FAMILY = ["edgekit", "edgekit_converters", "edgekit_demos"]


@pytest.mark.parametrize("level", [logging.WARNING, logging.INFO])
def test_messages_of_the_child_are_logged_by_the_parent(
    caplog: pytest.LogCaptureFixture, level: int
) -> None:
    for name in FAMILY:
        caplog.set_level(level, logger=name)
    call("work", steps=0)
    said = [(each.name, each.getMessage()) for each in caplog.records]
    warnings = [(f"{name}.x", f"said by {name}.x") for name in FAMILY]
    whispers = [(f"{name}.x", "whispered") for name in FAMILY if level == logging.INFO]
    assert sorted(said) == sorted(warnings + whispers)


def test_another_interpreter_brings_its_own_libraries(tmp_path: Path) -> None:
    """As with tflite-runtime, which needs another numpy than ours."""
    venv.create(tmp_path, symlinks=True)
    site_packages = next(tmp_path.glob("lib/*/site-packages"))
    (site_packages / "numpy.py").write_text("def name() -> str: return __file__")
    python = str(tmp_path / "bin/python")
    found = guard.call("numpy:name", doing="testing", python=python)
    assert found == str(site_packages / "numpy.py")
    with pytest.raises(EdgekitError, match="No module named 'click'"):
        guard.call("click:style", doing="testing", python=python)


def test_the_working_folder_is_not_searched_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the working folder')")
    monkeypatch.chdir(tmp_path)
    assert call("echo", value=1) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux")
@pytest.mark.parametrize("job", ["sleep", "nested_sleep"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_its_parent(tmp_path: Path, number: signal.Signals, job: str) -> None:
    pid_file = tmp_path / "pid"
    code = (
        f"from edgekit import guard\n"
        f"guard.call('guard_jobs:{job}', doing='x', seconds=120, pid_file={str(pid_file)!r})"
    )
    paths = os.pathsep.join(filter(None, sys.path))
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": paths},
        stderr=subprocess.DEVNULL,
    )
    until(pid_file.exists)
    child = int(pid_file.read_text())
    assert alive(child)
    parent.send_signal(number)
    parent.wait(20)
    until(lambda: not alive(child))


def until(done: Any, patience_s: float = 20) -> None:
    end = time.monotonic() + patience_s
    while not done():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_news_arrive_in_order_and_before_the_answer() -> None:
    heard: list[object] = []
    assert call("report", count=5, hear=heard.append) == "done"
    assert heard == [{"number": number} for number in range(5)]


def test_after_ctrl_c_the_child_ends_its_work_and_its_answer_is_returned() -> None:
    heard: list[object] = []

    def hear(news: object) -> None:
        heard.append(news)
        if len(heard) == 3:
            raise KeyboardInterrupt

    answer = call("report", count=10_000, hear=hear, grace_s=20.0)
    assert answer.startswith("ended after ")
    assert len(heard) < 1000


def test_a_child_that_does_not_end_in_its_time_of_grace_is_ended(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def interrupt(_news: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call("deaf", pid_file=str(pid_file), hear=interrupt, grace_s=0.2)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_child_whose_news_nobody_reads_may_end_its_work(tmp_path: Path) -> None:
    def hear(_news: object) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        call("report", count=10_000, pid_file=str(tmp_path / "pid"), hear=hear, grace_s=20.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_without_a_parent_news_go_nowhere_and_no_end_is_wanted() -> None:
    guarded.tell({"number": 1})
    assert not guarded.end_wanted().is_set()
