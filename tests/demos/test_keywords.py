"""`edgekit demo keywords` as people run it."""

import functools
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import demo_runs
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from demo_runs import ENVIRONMENT, wait_for
from tiny_spotters import FRONT_END, RATE, manifest, silence, tone, write_words

from edgekit.cli.main import cli
from edgekit.data.frontend import PRESETS
from edgekit.errors import CrashError
from edgekit_demos.keywords import MODEL, Request, Run, keywords
from edgekit_demos.live import find_model, run
from edgekit_demos.models import model_names, model_path

edgekit = functools.partial(demo_runs.edgekit, "keywords")
started = functools.partial(demo_runs.started, "keywords")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("model") / "tones.tflite")


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a folder with one recording of 4.1 seconds."""
    wave = [silence(1.0), tone("low"), silence(1.5), tone("high"), silence(1.0)]
    folder = tmp_path_factory.mktemp("talk")
    soundfile.write(folder / "talk.wav", np.concatenate(wave), RATE)
    return folder / "talk.wav"


def test_a_word_is_a_line_as_the_contract_says(model: Path, talk: Path) -> None:
    done = edgekit("--model", model, "--source", talk, "--jsonl", "-")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["keyword"] for line in lines] == ["low", "high"]
    assert [line["t"] for line in lines] == pytest.approx([1.2, 3.0], abs=0.2)
    assert all(0.5 <= line["score"] <= 1 for line in lines)
    assert all(line["file"] == str(talk) for line in lines)


def test_the_summary_is_one_document(model: Path, talk: Path, tmp_path: Path) -> None:
    jsonl = tmp_path / "out.jsonl"
    done = edgekit("--model", model, "--source", talk.parent, "--jsonl", jsonl, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["heard"] == {"low": 1, "high": 1}
    assert found["seconds"] == pytest.approx(4.6, abs=0.06), "with half a second behind it"
    assert 0 < found["real_time_factor"] < 1
    assert 0 < found["ms"]["total"]["p50"] <= found["ms"]["total"]["p95"]
    assert (found["lost_s"], found["interrupted"]) == (0.0, False)
    assert (found["model"], found["jsonl"]) == (str(model), str(jsonl))
    assert len(jsonl.read_text().splitlines()) == 2


def test_people_see_each_word_and_a_table(model: Path, talk: Path) -> None:
    done = edgekit("--model", model, "--source", talk)
    assert done.returncode == 0, done.stderr
    words = [line.split() for line in done.stdout.splitlines()[:2]]
    assert [(line[1], line[2]) for line in words] == [("s", "low"), ("s", "high")]
    assert "4.6 s of sound" in done.stdout
    assert done.stderr == f"Listening to {talk} (5 seconds)\n"


def test_it_ends_when_as_much_was_heard_as_was_asked_for(model: Path, talk: Path) -> None:
    done = edgekit("--model", model, "--source", talk, "--seconds", "2", "--json")
    found = json.loads(done.stdout)
    assert found["seconds"] == pytest.approx(2.0, abs=0.06)
    assert found["heard"] == {"low": 1, "high": 0}


def test_a_threshold_holds_for_every_word(model: Path, talk: Path) -> None:
    done = edgekit("--model", model, "--source", talk, "--threshold", "0.99", "--json")
    assert json.loads(done.stdout)["heard"] == {"low": 0, "high": 0}


def test_a_model_that_does_not_say_its_front_end_is_told_it(tmp_path: Path, talk: Path) -> None:
    silent = write_words(tmp_path / "silent.tflite", manifest(front_end=None))
    done = edgekit("--model", silent, "--source", talk)
    assert done.returncode == 4
    assert all(name in done.stderr for name in ("--front-end", *PRESETS))
    assert FRONT_END.bins != PRESETS["log-mel"].bins
    done = edgekit("--model", silent, "--source", talk, "--front-end", "log-mel")
    assert done.returncode == 4, "it does not fit"
    done = edgekit("--model", silent, "--source", talk, "--front-end", "nonsense")
    assert done.returncode == 2
    assert "log-mel" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--source", "nowhere.wav"), 3, "There is no source 'nowhere.wav'"),
        (("--source", __file__), 3, "test_keywords.py"),
        (("--model", "nowhere.tflite"), 3, "none of the carried"),
        (("--model", __file__), 3, "test_keywords.py"),
        (("--model", find_model("shapes.raspberry-pi-4")), 4, "--front-end"),
        (("--seconds", "0"), 2, "--seconds"),
        (("--threshold", "2"), 2, "--threshold"),
        (("--json", "--jsonl", "-"), 2, "both want standard output"),
        (("--preview", "nonsense"), 2, "nonsense"),
    ],
)
def test_what_cannot_be_done_is_one_message(
    model: Path, talk: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    usual = {"--model": model, "--source": talk}
    more = [each for pair in usual.items() if pair[0] not in arguments for each in pair]
    done = edgekit(*arguments, *more)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_devices_are_listed_or_it_is_said_what_is_missing() -> None:
    done = edgekit("--list-devices", "--json")
    assert done.returncode in {0, 6, 7}, done.stderr
    if done.returncode == 0:
        for device in json.loads(done.stdout)["devices"]:
            assert {"name", "index", "channels", "rate_hz", "default"} <= set(device)
    assert "ALSA" not in done.stderr, "libraries talk into the child's ear"


def device(index: int, name: str, *, default: bool) -> dict[str, Any]:
    known = {"channels": 2, "rate_hz": 48_000} if default else {"channels": 0, "rate_hz": 0}
    return {"name": name, "index": index, "default": default, **known}


def test_devices_are_shown_as_source_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [device(0, "HDA Intel", default=False), device(3, "USB Audio", default=True)]
    monkeypatch.setattr("edgekit_demos.keywords.devices", lambda: found)
    lines = CliRunner().invoke(cli, ["demo", "keywords", "--list-devices"]).output.splitlines()
    assert lines[2].split() == ["mic:0", "HDA", "Intel", "-", "-"]
    assert lines[3].split() == ["mic:3", "or", "mic", "USB", "Audio", "2", "48000", "Hz"]
    monkeypatch.setattr("edgekit_demos.keywords.devices", list)
    shown = CliRunner().invoke(cli, ["demo", "keywords", "--list-devices"])
    assert shown.output == "There is no microphone.\n"


def test_a_port_in_use_is_told(model: Path, talk: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = edgekit("--model", model, "--source", talk, "--preview", f"127.0.0.1:{port}")
    assert done.returncode == 7, done.stderr
    assert str(port) in done.stderr


def test_the_page_shows_a_recording_at_its_own_pace(model: Path, talk: Path) -> None:
    begun = time.monotonic()
    with started("--model", model, "--source", talk, "--preview", "127.0.0.1:0") as child:
        assert child.stderr is not None
        address = next(line for line in child.stderr if "Watch it at" in line).split()[-1]
        heard: dict[str, Any] = {}
        picture = b""
        while len(heard.get("boxes", ())) < 2:
            with urllib.request.urlopen(f"{address}next?seen=x", timeout=10) as answer:
                line, _, picture = answer.read().partition(b"\n")
            heard = json.loads(line)
            assert time.monotonic() - begun < 60
        told, _ = child.communicate(timeout=30)
    assert time.monotonic() - begun > 4.0
    assert (heard["kind"], heard["model"], heard["source"]) == ("sound", "tones", str(talk))
    assert [each["label"] for each in heard["scores"]] == ["low", "high"]
    assert heard["events"][-1]["text"].endswith(" % at 1.2 s")
    assert [word["label"] for word in heard["boxes"]] == ["low", "high"]
    assert heard["counts"].keys() == {"heard", "level", "busy"}
    assert picture.startswith(b"\x89PNG")
    assert child.returncode == 0
    assert "4.6 s of sound" in told


def test_without_opencv_it_hears_and_shows_all_the_same(
    model: Path, talk: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['cv2'] = None")
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    shown = ("--model", model, "--source", talk, "--preview", "127.0.0.1:0", "--json")
    done = edgekit(*shown, environment=ENVIRONMENT | {"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["heard"] == {"low": 1, "high": 1}


# What a microphone does, with a stand-in for it: see listen_jobs.py.
STAND_IN = """
import sys
from unittest import mock
from edgekit_demos import keywords, live
run = live.run
def of_jobs(worker, *rest, **more):
    return run("listen_jobs:worker", *rest, **more)
with mock.patch.object(keywords, "run", of_jobs):
    from edgekit.cli.main import main
    sys.argv[1:1] = ["demo", "keywords"]
    main()
"""


def test_on_a_terminal_a_meter_shows_how_loud_it_is(model: Path) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", STAND_IN, "--model", str(model), "--seconds", "3"],
        env=ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while part := read(ours):
        shown += part
    told = child.communicate(timeout=60)[0].decode()
    assert child.returncode == 0, shown.decode()
    text = shown.decode()
    assert "Listening to stand-in" in text
    assert "-80 dB" in text
    assert "-9 dB" in text
    assert "low 0." in text
    assert text.endswith("\x1b[?25h\r") or "\x1b[?25h" in text, "the cursor is back"
    assert "s  low  0." in told, "words go where standard output goes"
    assert "lost" in told


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # what Linux says at the end of a terminal
        return b""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_after_ctrl_c_the_summary_is_told(
    model: Path, tmp_path: Path, how: signal.Signals
) -> None:
    jsonl = tmp_path / "out.jsonl"
    child = subprocess.Popen(
        [sys.executable, "-c", STAND_IN, "--model", str(model), "--jsonl", str(jsonl)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: jsonl.exists() and jsonl.stat().st_size)
    child.send_signal(how)
    told, said = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "s of sound" in told
    assert "lost    0.25 s" in told
    assert "interrupted" in said


def test_a_crash_is_one_message(model: Path) -> None:
    with pytest.raises(CrashError, match="died from SIGSEGV"):
        run("listen_jobs:worker", Request(model=str(model), source="dying"), Run)


def test_in_python_it_is_a_function_with_news(model: Path, talk: Path) -> None:
    told: list[dict[str, Any]] = []
    found = keywords(Request(model=str(model), source=str(talk)), hear=told.append)
    assert found.heard == {"low": 1, "high": 1}
    assert [each["heard"]["keyword"] for each in told] == ["low", "high"]


WORDS = model_path(MODEL) if MODEL in model_names() else None
needs_words = pytest.mark.skipif(WORDS is None, reason="edgekit carries no model of words")


@needs_words
def test_straight_after_installation_it_hears_the_words_it_carries() -> None:
    done = edgekit("--source", "synthetic", "--seconds", "60", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["heard"]) == {"alexa", "computer", "jarvis", "snowboy"}
    assert all(count >= 2 for count in found["heard"].values())


@needs_words
def test_the_page_in_a_browser_shows_what_it_hears(tmp_path: Path) -> None:
    """Also makes the picture of docs/listen.md: EDGEKIT_TEST_ARTIFACTS=docs."""
    api = pytest.importorskip("playwright.sync_api")
    chromium = next(filter(None, map(shutil.which, ["chromium", "google-chrome"])), None)
    if chromium is None:
        pytest.skip("there is no chromium")
    picture = Path(os.environ.get("EDGEKIT_TEST_ARTIFACTS", tmp_path)) / "listen.png"
    with (
        started("--source", "synthetic", "--preview", "127.0.0.1:0") as child,
        api.sync_playwright() as playwright,
    ):
        assert child.stderr is not None
        address = next(line for line in child.stderr if "Watch it at" in line).split()[-1]
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 620})
        page.goto(address)
        page.wait_for_selector("#events li:nth-child(4)", timeout=60_000)  # four words heard
        page.wait_for_timeout(400)  # so that the last one stands in the picture
        assert page.locator("#found .name").count() == 4
        page.screenshot(path=picture)
        browser.close()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)
    assert picture.stat().st_size > 10_000


def test_speech_without_end_is_heard_at_its_own_pace(model: Path, tmp_path: Path) -> None:
    jsonl = tmp_path / "out.jsonl"
    listening = ("--model", model, "--source", "synthetic", "--threshold", "0")
    with started(*listening, "--jsonl", jsonl, "--json") as child:
        wait_for(lambda: jsonl.exists() and jsonl.stat().st_size)
        time.sleep(1.0)
        t = [json.loads(line)["t"] for line in jsonl.read_text().splitlines()]
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)
    assert max(t) < 10


def test_without_a_model_it_takes_the_carried_one(tmp_path: Path) -> None:
    (tmp_path / MODEL).mkdir()  # a folder of that name is no model
    done = subprocess.run(
        demo_runs.command("keywords", "--source", "nowhere.wav"),
        env=ENVIRONMENT,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert f"no model {MODEL}" in done.stderr or "no source" in done.stderr


def test_help_has_examples_and_the_contracts_options() -> None:
    done = edgekit("--help")
    for option in ("--model", "--source", "--jsonl", "--preview", "--json", "Examples"):
        assert option in done.stdout
    for option in ("--list-devices", "--seconds", "--threshold", "--front-end"):
        assert option in done.stdout
