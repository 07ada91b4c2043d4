"""The command line as others meet it: exit codes, what is printed where, light help."""

import json
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

from edgekit.cli.main import LazyGroup

JOBS = Path(__file__).parents[2] / "support"
PATHS = os.pathsep.join(filter(None, sys.path))
PROGRAM = [sys.executable, "-P", str(JOBS / "cli_jobs.py")]
CODES = {
    "ValueError": 1,
    "EdgekitError": 1,
    "UsageError": 2,
    "UnknownName": 2,
    "InputError": 3,
    "SourceError": 3,
    "DataError": 3,
    "RecordError": 3,
    "CrashError": 3,
    "TargetError": 4,
    "GateError": 5,
    "MissingExtra": 6,
    "DeviceError": 7,
}


def edgekit(*arguments: str | bytes, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=os.environ | {"PYTHONPATH": PATHS, "PYTHONIOENCODING": "utf-8"} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_each_error_has_its_exit_code_and_no_traceback(name: str, code: int) -> None:
    done = edgekit("fail", name, "--json")
    assert done.returncode == code
    assert "asked; found\ndo this" in done.stderr
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr
    if name != "GateError":
        assert done.stdout == ""


def test_a_traceback_comes_when_asked_for() -> None:
    assert "Traceback" in edgekit("fail", "ValueError", "--debug").stderr


def test_a_failed_gate_still_prints_its_document() -> None:
    done = edgekit("fail", "GateError", "--json")
    assert json.loads(done.stdout) == {"value": "rejected", "rejected": True}
    assert edgekit("fail", "GateError").stdout == "for people: rejected\n"


def test_json_is_exactly_one_document_on_standard_output() -> None:
    done = edgekit("give", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"value": "ü", "number": None}
    assert done.stderr == "warning: a warning\nGiving\n"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("-v", "warning: a warning\na detail\nGiving\n"),
        ("-q", ""),
        ("--debug", "warning: a warning\na detail\nGiving\n"),
    ],
)
def test_standard_error_says_as_much_as_is_wanted(option: str, expected: str) -> None:
    done = edgekit("give", option)
    assert (done.stdout, done.stderr) == ("for people: ü\n", expected)


def test_json_is_valid_whatever_the_encoding() -> None:
    done = edgekit("give", "--json", "größe", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert json.loads(done.stdout)["value"] == "größe"


@pytest.mark.skipif(sys.platform == "win32", reason="names of files are text there")
@pytest.mark.parametrize("option", ["--json", "--debug"])
def test_a_name_that_is_no_text_can_be_printed(option: str) -> None:
    done = edgekit("give", option, b"caf\xe9")
    assert done.returncode == 0, done.stderr
    assert "\\udce9" in done.stdout


@pytest.mark.parametrize("arguments", [["fly"], ["targets", "--fly"], []])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    done = edgekit(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [[], ["--guarded"]])
def test_an_interrupt_is_exit_code_130(number: signal.Signals, options: list[str]) -> None:
    child = subprocess.Popen(
        [*PROGRAM, "sleep", *options],
        env=os.environ | {"PYTHONPATH": PATHS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    assert child.stderr.readline() == "ready\n"
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert out == ""
    assert err.strip() == "interrupted; nothing was left half-written"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("command", ["long --json", "long", "--help"])
def test_a_reader_that_goes_away_is_no_failure(command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"$0" "$@" {command} | true; exit ${{PIPESTATUS[0]}}', *PROGRAM],
        env=os.environ | {"PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_told() -> None:
    if not list(distributions(name="edgekit")):
        pytest.skip("edgekit runs here without being installed")
    done = edgekit("--version")
    assert done.returncode == 0
    assert done.stdout == f"edgekit, version {version('edgekit')}\n"


@pytest.mark.parametrize("command", [None, *LazyGroup.places])
def test_help_answers_without_heavy_libraries(command: str | None) -> None:
    code = (
        "import sys\n"
        "from edgekit.cli.main import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(repr([each for each in\n"
        "    ('tensorflow', 'keras', 'tf_keras', 'cv2', 'scipy') if each in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *([command] if command else []), "--help"],
        env=os.environ | {"PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "[]")
    if command:
        assert re.search(f"^    edgekit {command}\\b", done.stdout, re.MULTILINE), "an example"
        assert "\\b" not in done.stdout
        assert all(
            each in done.stdout for each in ("--json", "--verbose", "--quiet", "--debug")
        )


def test_the_help_lists_every_command() -> None:
    shown = edgekit("--help").stdout
    assert all(f"\n  {name} " in shown for name in LazyGroup.places)
