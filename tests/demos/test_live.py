"""`edgekit demo detect` and `demo classify` as people run them."""

import hashlib
import json
import os
import signal
import socket
import threading
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_detectors as tiny
from demo_runs import ENVIRONMENT, edgekit, started, wait_for
from streams import Camera, picture, pictures, write_film

from edgekit.errors import CrashError, InputError
from edgekit.files import atomic_write
from edgekit.known import table
from edgekit.known.table import known_model
from edgekit.vision.sources import open_source
from edgekit_demos.classify import MODEL, classify
from edgekit_demos.frames import Request, Run
from edgekit_demos.live import find_model, run
from edgekit_demos.models import model_path

pytest.importorskip("cv2")

STAGES = ["capture", "preprocess", "inference", "postprocess", "total"]
SYNTHETIC = ("--source", "synthetic:320x240", "--headless")


@pytest.fixture
def spots(tmp_path: Path) -> Path:
    return tiny.write_spots(tmp_path / "spots.tflite")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        place = {(0, number % 3): "red"}
        (folder / f"{number}.png").write_bytes(tiny.spot_picture(place, scale=10))
    return folder


def test_detect_writes_a_line_a_frame_as_the_contract_says(spots: Path, photos: Path) -> None:
    done = edgekit("detect", "--model", spots, "--source", photos, "--headless", "--jsonl", "-")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == [0, 1, 2, 3]
    assert [line["t"] for line in lines] == [0, 1, 2, 3]
    assert all(list(line["ms"]) == STAGES for line in lines)
    (first,) = lines[0]["detections"]
    assert (first["label"], first["id"]) == ("red", 1)
    assert first["score"] > 0.5
    assert first["box"] == pytest.approx([0, 0, 80, 80], abs=0.1)


def test_the_summary_is_one_document(spots: Path, photos: Path, tmp_path: Path) -> None:
    jsonl, film = tmp_path / "out.jsonl", tmp_path / "seen.mp4"
    shown = ("--jsonl", jsonl, "--save", film, "--json")
    done = edgekit("detect", "--model", spots, "--source", photos, "--headless", *shown)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["frames"], found["dropped"], found["interrupted"]) == (4, 0, False)
    assert found["seen"] == {"red": 4}
    assert list(found["ms"]) == STAGES
    assert all(0 <= each["p50"] <= each["p95"] for each in found["ms"].values())
    assert (found["jsonl"], found["saved"]) == (str(jsonl), str(film))
    assert len(jsonl.read_text().splitlines()) == 4
    with open_source(str(film)) as source:
        frames = list(source.frames())
    assert [frame.t for frame in frames] == pytest.approx([0, 1, 2, 3])


def test_people_get_a_table() -> None:
    done = edgekit("classify", *SYNTHETIC, "--frames", 5)
    assert done.returncode == 0, done.stderr
    assert "frames a second" in done.stdout
    for stage in STAGES:
        assert stage in done.stdout
    assert "Watching synthetic cards, 320 x 240 (5 frames)" in done.stderr


def test_classify_tells_the_best_classes_of_each_frame() -> None:
    threshold = ("--threshold", "0.2")
    done = edgekit("classify", *SYNTHETIC, "--frames", 3, "--jsonl", "-", *threshold)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == [0, 1, 2]
    for line in lines:
        scores = [each["score"] for each in line["top"]]
        assert len(scores) == 5
        assert scores == sorted(scores, reverse=True)
        assert len(line["detections"]) == sum(score >= 0.2 for score in scores)
        assert all(each["box"] == [0, 0, 320, 240] for each in line["detections"])


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("classify", "--source", "987"), 7, "Camera 987 cannot be opened"),
        (("classify", "--source", "http://127.0.0.1:9/"), 7, "cannot be reached"),
        (("classify", "--source", "tcp://127.0.0.1:9"), 7, "cannot be opened as a stream"),
        (("classify", "--source", "nowhere.mp4"), 3, "There is no source 'nowhere.mp4'"),
        (("classify", "--source", __file__), 3, "is not a film"),
        (("classify", "--model", "nowhere.tflite"), 3, "none of the carried"),
        (("classify", "--model", __file__), 3, "test_live.py"),
        (("detect", "--model", MODEL, *SYNTHETIC), 4, "no outputs of a detector"),
        (("classify", *SYNTHETIC, "--frames", "0"), 2, "--frames"),
        (("classify", *SYNTHETIC, "--json", "--jsonl", "-"), 2, "both want standard output"),
        (("classify", *SYNTHETIC, "--save", "film.avi"), 2, "Use film.mp4"),
        (("classify", *SYNTHETIC, "--preview", "nonsense"), 2, "nonsense"),
    ],
)
def test_what_cannot_be_done_is_one_message(
    arguments: tuple[str, ...], code: int, text: str
) -> None:
    done = edgekit(*arguments, *([] if "--source" in arguments else SYNTHETIC))
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_labels_that_do_not_match_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    done = edgekit("classify", *SYNTHETIC, "--labels", tmp_path / "labels.txt")
    assert done.returncode == 2
    assert "2 labels were given" in done.stderr


def test_without_opencv_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['cv2'] = None")
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    done = edgekit("classify", *SYNTHETIC, environment=ENVIRONMENT | {"PYTHONPATH": path})
    assert done.returncode == 6
    assert "edgekit[camera]" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_after_ctrl_c_the_film_is_finished_and_the_summary_told(
    tmp_path: Path, how: signal.Signals
) -> None:
    jsonl, film = tmp_path / "out.jsonl", tmp_path / "seen.mp4"
    with started("classify", *SYNTHETIC, "--jsonl", jsonl, "--save", film) as child:
        wait_for(lambda: jsonl.exists() and jsonl.stat().st_size > 2000)
        child.send_signal(how)
        told, said = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "frames a second" in told
    assert "interrupted" in said
    lines = jsonl.read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))
    with open_source(str(film)) as source:
        assert len(list(source.frames())) == len(lines)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.jsonl", "seen.mp4"]


def test_ctrl_c_ends_a_live_source_that_waits() -> None:
    over = threading.Event()

    def silent(write: Any) -> None:
        pictures(2)(write)
        over.wait(60)

    camera = Camera(silent)
    with started("classify", "--source", camera.url, "--headless", "--jsonl", "-") as child:
        assert child.stdout is not None
        json.loads(child.stdout.readline())
        begun = time.monotonic()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)
    over.set()
    camera.close()
    assert child.returncode == 130
    assert time.monotonic() - begun < 8


def test_a_reader_that_goes_away_ends_it_in_peace(tmp_path: Path) -> None:
    film = tmp_path / "seen.mp4"
    with started("classify", *SYNTHETIC, "--jsonl", "-", "--save", film) as child:
        assert child.stdout is not None
        json.loads(child.stdout.readline())
        child.stdout.close()
        assert child.wait(timeout=30) == 0
        assert child.stderr is not None
        assert "Traceback" not in child.stderr.read()
    with open_source(str(film)) as source:
        assert next(source.frames()).index == 0


def test_the_page_shows_what_is_found(spots: Path, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", 200, fps=20)
    with started(
        *("detect", "--model", spots, "--source", film),
        *("--headless", "--preview", "127.0.0.1:0", "--jsonl", tmp_path / "out.jsonl"),
    ) as child:
        assert child.stderr is not None
        address = next(line for line in child.stderr if "Watch it at" in line).split()[-1]
        with urllib.request.urlopen(address, timeout=10) as page:
            assert b"<html" in page.read().lower()
        wait_for(lambda: (tmp_path / "out.jsonl").stat().st_size > 0)
        begun = time.monotonic()
        lines = (tmp_path / "out.jsonl").read_text().splitlines()
        assert json.loads(lines[-1])["t"] <= time.monotonic() - begun + 10
        with open_source(f"{address}stream.mjpg") as again:  # from one edgekit to another
            assert next(again.frames()).size == (48, 64)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)
    assert child.returncode == 130


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = edgekit("classify", *SYNTHETIC, "--preview", f"127.0.0.1:{port}")
    assert done.returncode == 7, done.stderr
    assert str(port) in done.stderr


def test_a_crash_in_the_middle_is_one_message() -> None:
    request = Request(model=str(model_path(MODEL)), source="synthetic:320x240", headless=True)
    with pytest.raises(CrashError, match="died from SIGSEGV"):
        run("live_jobs:dying", request, Run)


def test_in_python_it_is_a_function_with_news() -> None:
    heard: list[dict[str, Any]] = []
    request = Request(
        model=MODEL, source="synthetic:320x240", headless=True, frames=4, jsonl="-"
    )
    found = classify(request, hear=heard.append)
    assert found.frames == 4
    assert [each["line"]["frame"] for each in heard] == [0, 1, 2, 3]


def test_a_model_is_found_by_path_and_by_name(spots: Path) -> None:
    assert find_model(str(spots)) == spots
    assert find_model(MODEL) == model_path(MODEL)
    with pytest.raises(InputError, match=r"none of the carried .*shapes\.raspberry-pi-4"):
        find_model("nothing")


def test_a_known_model_is_found_by_name_once_it_was_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match="edgekit models coco-ssd --download"):
        find_model("coco-ssd")
    known = known_model("coco-ssd")
    content = b"a detector"
    model = replace(known, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(table, "known_models", lambda: {model.name: model})
    atomic_write(model.place, content)
    assert find_model("coco-ssd") == model.place


@pytest.mark.data
def test_a_downloaded_detector_looks_by_its_name(tmp_path: Path, data_dir: Path) -> None:
    model = known_model("coco-ssd")
    (original,) = (data_dir / "models").rglob(model.file)
    atomic_write(tmp_path / "edgekit" / "models" / model.file, original.read_bytes())
    wishes = ("--model", model.name, *SYNTHETIC, "--frames", "3", "--json")
    environment = ENVIRONMENT | {"XDG_CACHE_HOME": str(tmp_path)}
    done = edgekit("detect", *wishes, environment=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 3


def test_help_has_examples_and_the_contracts_options() -> None:
    done = edgekit("detect", "--help")
    for option in ("--model", "--source", "--headless", "--frames", "--threshold"):
        assert option in done.stdout
    for option in ("--jsonl", "--save", "--preview", "--json", "Examples"):
        assert option in done.stdout


def test_a_gray_film_is_no_spot(spots: Path, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", 3)
    assert picture(0).shape == (48, 64, 3)
    done = edgekit(
        "detect", "--model", spots, "--source", film, "--headless", "--json", "--threshold", "1"
    )
    assert json.loads(done.stdout)["seen"] == {}
