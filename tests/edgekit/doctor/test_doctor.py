"""What the doctor says of machines in every state."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from edgekit import guard, measure
from edgekit.cli.main import cli
from edgekit.doctor import Diagnosis, Finding, diagnose, diagnosis, hardware, software
from edgekit.errors import CrashError, MissingExtra
from edgekit.placement import ethos
from edgekit.records import from_json
from edgekit.runtime import edgetpu
from edgekit.runtime.backends import Backend

Check = Callable[[], Iterator[Finding]]
MACHINE = measure.machine()


def _only(check: Check, code: str) -> Finding:
    (found,) = (each for each in check() if each.code == code)
    return found


def _raises(error: Exception) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    return refuse


@pytest.fixture
def litert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ai-edge-litert 2.3.0 installed."""
    backend = Backend("ai-edge-litert", "2.3.0", SimpleNamespace, SimpleNamespace, {})
    monkeypatch.setattr(hardware, "open_backend", lambda: backend)


def test_the_command_prints_one_document_with_a_remedy_for_every_problem() -> None:
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    found = from_json(Diagnosis, document, "the answer")
    assert found.healthy == all(each.level != "problem" for each in found.findings)
    assert all(each.remedy for each in found.findings if each.level == "problem")
    assert found.versions["numpy"]
    assert {"python", "interpreter", "edgetpu-library"} <= {
        each.code for each in found.findings
    }


def test_the_command_shows_problems_first(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = (
        Finding(code="a", level="ok", text="All is well."),
        Finding(code="b", level="problem", text="It broke.", remedy="Mend it."),
    )
    monkeypatch.setattr(diagnosis, "CHECKS", {"all": lambda: iter(findings)})
    lines = CliRunner().invoke(cli, ["doctor"]).stdout.splitlines()
    assert [line.strip() for line in lines if line] == [
        "!  It broke.",
        "Mend it.",
        "ok  All is well.",
        "1 problem.",
    ]


def test_a_problem_makes_a_machine_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    for level, healthy in (("note", True), ("problem", False)):
        finding = Finding(code="x", level=level, text="x", remedy="y")  # type: ignore[arg-type] # both are levels
        monkeypatch.setattr(diagnosis, "CHECKS", {"x": lambda each=finding: iter([each])})
        assert diagnose().healthy is healthy


def test_the_interpreter_runs_a_model_for_real() -> None:
    assert _only(software.interpreter, "interpreter").level == "ok"


@pytest.mark.parametrize(
    "error",
    [
        MissingExtra("No interpreter can run this model.\nInstall it with: pip install it"),
        CrashError("The process died from SIGILL.\nInstall it with: pip install it"),
    ],
    ids=["missing", "crashing"],
)
def test_an_interpreter_that_does_not_work_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(software, "load", _raises(error))
    found = _only(software.interpreter, "interpreter")
    assert (found.level, found.remedy) == ("problem", "Install it with: pip install it")


def test_two_opencvs_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"opencv-python": "5.0", "opencv-contrib-python": "5.0"}
    monkeypatch.setattr(software, "library_versions", lambda _: both)
    monkeypatch.setattr(guard, "call", lambda *_, **__: "5.0")
    found = _only(software.opencv, "opencv-twice")
    assert found.remedy is not None
    assert found.remedy.startswith("pip uninstall -y opencv-python opencv-contrib-python")


@pytest.mark.parametrize(
    ("installed", "level"), [({}, "note"), ({"opencv-python": "5.0"}, "problem")]
)
def test_an_opencv_that_does_not_load_is_a_problem_only_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], level: str
) -> None:
    monkeypatch.setattr(software, "library_versions", lambda _: installed)
    broken = MissingExtra("cv2 cannot be loaded: libGL.so.1.\nInstall it anew")
    monkeypatch.setattr(guard, "call", _raises(broken))
    assert _only(software.opencv, "opencv").level == level


def test_sounddevice_without_its_library_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "library_versions", lambda _: {"sounddevice": "0.5"})
    monkeypatch.setattr(software, "_lacks_portaudio", lambda: True)
    assert _only(software.optional, "portaudio").remedy == "sudo apt install libportaudio2"


def test_a_variable_that_names_nothing_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ethos.VARIABLE, "/nowhere/vela")
    found = _only(software.compilers, ethos.VARIABLE)
    assert (found.level, "/nowhere/vela" in found.text) == ("problem", True)


@pytest.mark.usefixtures("litert")
@pytest.mark.parametrize(
    ("library", "level", "words"),
    [
        pytest.param(None, "note", "16.0TF2.19.1-1", id="none"),
        pytest.param(("libedgetpu1-std", "16.0tf2.19.1-1.bookworm"), "ok", "", id="fits"),
        pytest.param(
            ("libedgetpu1-max", "16.0"), "problem", "take build 16.0TF2.19.1-1", id="too old"
        ),
        pytest.param((None, None), "note", "take build", id="unknown build"),
    ],
)
def test_the_library_of_the_edge_tpu_is_judged_by_the_interpreter(
    monkeypatch: pytest.MonkeyPatch, library: Any, level: str, words: str
) -> None:
    found = library and edgetpu.Library(
        path="libedgetpu.so.1", package=library[0], version=library[1]
    )
    monkeypatch.setattr(edgetpu, "installed_library", lambda: found)
    monkeypatch.setattr(edgetpu, "devices", lambda: ())
    said = _only(hardware.edge_tpu, "edgetpu-library")
    assert said.level == level
    assert words in (said.remedy or "")


@pytest.mark.usefixtures("litert")
def test_a_missing_library_is_a_problem_once_a_device_is_attached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stick = edgetpu.Device(name="usb:0", node="/dev/x", allowed=True, speed_mbit=480)
    monkeypatch.setattr(edgetpu, "devices", lambda: (stick,))
    monkeypatch.setattr(edgetpu, "installed_library", lambda: None)
    levels = {each.code: each.level for each in hardware.edge_tpu()}
    assert levels == {
        "edgetpu-device": "ok",
        "edgetpu-port": "note",
        "edgetpu-library": "problem",
    }


@pytest.mark.usefixtures("litert")
def test_a_device_that_may_not_be_opened_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    stick = edgetpu.Device(name="usb:0", node="/dev/x", allowed=False, speed_mbit=5000)
    monkeypatch.setattr(edgetpu, "devices", lambda: (stick,))
    said = _only(hardware.edge_tpu, "edgetpu-device")
    assert (said.level, "plugdev" in (said.remedy or "")) == ("problem", True)


@pytest.mark.skipif(os.name != "posix", reason="needs the files of Linux")
def test_cameras_and_microphones_are_found_by_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(hardware, "_DEV", tmp_path)
    monkeypatch.setattr(hardware, "_PROC", tmp_path)
    assert _only(hardware.cameras, "camera").level == "note"
    assert _only(hardware.microphones, "microphone").level == "note"
    for name in ("video0", "video10", "video2"):
        (tmp_path / name).touch()
    (tmp_path / "asound").mkdir()
    (tmp_path / "asound/pcm").write_text(
        "00-00: HDMI : HDMI : playback 1\n01-00: USB Audio : USB : playback 1 : capture 1\n"
    )
    assert _only(hardware.cameras, "camera").text == "Video devices: video0, video2, video10."
    assert _only(hardware.microphones, "microphone").text == "Devices that record: USB Audio."
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "usermod -aG video" in (_only(hardware.cameras, "camera").remedy or "")


@pytest.mark.parametrize(
    ("state", "code", "level"),
    [
        ({"temperature_c": 85.0}, "temperature", "problem"),
        ({"temperature_c": 45.0}, "temperature", "ok"),
        ({"throttled": ("under-voltage",)}, "power", "problem"),
        ({"governor": "ondemand"}, "governor", "note"),
        ({"memory_mb": 256.0}, "memory", "note"),
    ],
    ids=["hot", "cool", "weak supply", "clock", "memory"],
)
def test_the_machine_itself_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], code: str, level: str
) -> None:
    monkeypatch.setattr(hardware, "machine", lambda: replace(MACHINE, **state))
    assert _only(hardware.health, code).level == level


def test_a_full_disk_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert "1 MiB left" in _only(hardware.health, "disk").text
