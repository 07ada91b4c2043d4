"""The page in a real browser: the picture moves, boxes lie where they belong, it recovers."""

import contextlib
import functools
import math
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.preview import Preview, Roll, color_of

pytest.importorskip("cv2")
api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "google-chrome"])), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")

PHONE, LAPTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
LABELS = ["ten", "jack"]
WIDE, HIGH = 640, 360
PATIENCE_MS = 20_000
# The picture's mean, and the colours of the boxes' layer: at the box, inside it, elsewhere.
PICTURE = """() => {
  const {canvas} = document.getElementById('picture').getContext('2d');
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return [canvas.width, canvas.height, pixels.reduce((sum, each) => sum + each, 0)];
}"""
BOX_LAYER = """points => points.map(([x, y]) => {
  const canvas = document.getElementById('boxes');
  const pixel = canvas.getContext('2d').getImageData(
    Math.round(x * canvas.width), Math.round(y * canvas.height), 1, 1).data;
  return [...pixel];
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("EDGEKIT_TEST_ARTIFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def opened(browser: Any, url: str, size: dict[str, int] = LAPTOP, **more: Any) -> Iterator[Any]:
    """Open a page that must load nothing from elsewhere and say nothing to the console."""
    context = browser.new_context(viewport=size, **more)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.extend(outside(url, request.url)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if "Policy" in said.text else None,
    )
    page.goto(url)
    yield page
    context.close()
    assert complaints == []


def outside(home: str, asked: str) -> list[str]:
    return [] if asked.startswith((home.partition("?")[0], "data:")) else [asked]


def frame(number: int) -> Any:
    """Draw a bright card that moves on a dark ground."""
    pixels = np.full((HIGH, WIDE, 3), 40 + number % 20, np.uint8)
    left = 200 + round(80 * math.sin(number / 10))
    pixels[120:240, left : left + 80] = 230
    return pixels


def found(number: int) -> list[dict[str, Any]]:
    left = 200 + round(80 * math.sin(number / 10))
    card = {"label": "jack", "score": 0.93, "box": [left, 120, left + 80, 240], "id": 4}
    still = {"label": "ten", "score": 0.71, "box": [480, 60, 600, 300], "id": 5}
    return [card, still]


# In one go, as the page may replace its rows meanwhile.
STAGES = """() => [...document.querySelectorAll('#stages li')]
  .map(each => each.firstChild.textContent)"""
# Where in its bar the mark of each score is.
LIMITS = """() => [...document.querySelectorAll('#found .bar')].map(bar => {
  const whole = bar.getBoundingClientRect();
  return (bar.querySelector('.limit').getBoundingClientRect().x - whole.x) / whole.width;
})"""
STEP_S, ROW_S, ROWS = 0.02, 0.03, 50


def hear(preview: Preview, roll: Roll, number: int) -> None:
    """Let a tenth of a second be heard; each second in its middle a word."""
    rows = np.arange(5 * number, 5 * number + 5)
    loud = np.abs(rows % 50 - 25) < 10
    features = np.outer(loud, np.arange(40)).astype(np.float32)
    scores = np.stack([loud * 0.8, np.full(5, 0.1)], axis=1).astype(np.float32)
    times = rows.astype(np.float64) * STEP_S + ROW_S
    word = [(float(times[0]), "ten", 0.8)] if rows[0] % 50 == 25 else []
    roll.add(features, scores, times, word)
    preview.hear(roll.strip(), ms={"total": 0.4}, counts={"level": f"-{number % 60} dB"})


@contextlib.contextmanager
def heard(preview: Preview) -> Iterator[threading.Event]:
    """Let sound be heard until the end; none while the event is set."""
    with repeated(functools.partial(hear, preview, new_roll())) as paused:
        yield paused


def new_roll() -> Roll:
    return Roll(LABELS, [0.5, 0.7], features=40, step_s=STEP_S, row_s=ROW_S, rows=ROWS)


@contextlib.contextmanager
def fed(preview: Preview) -> Iterator[threading.Event]:
    """Show frames until the end; none while the event is set."""

    def show(number: int) -> None:
        times = {"capture": 3.0, "inference": 12.0 + number % 5, "total": 18.0}
        counts = {"dropped": number // 10}
        preview.show(frame(number), detections=found(number), ms=times, counts=counts)

    with repeated(show) as paused:
        yield paused


@contextlib.contextmanager
def repeated(show: Callable[[int], None]) -> Iterator[threading.Event]:
    """Show one thing after the other in a thread; none while the event is set."""
    over, paused = threading.Event(), threading.Event()

    def feed() -> None:
        number = 0
        while not over.wait(0.04):
            if not paused.is_set():
                show(number)
                number += 1

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield paused
    finally:
        over.set()
        feeder.join()


@pytest.fixture
def preview() -> Iterator[Preview]:
    with Preview(title="Cards", model="m.tflite", source="test", labels=LABELS) as made:
        yield made


def wait_for(page: Any, state: str) -> None:
    page.wait_for_selector(f"#connection.{state}", timeout=PATIENCE_MS)


def changes(page: Any, look: Callable[[], Any], before: Any) -> bool:
    """Tell whether something on the page changes soon; its policy forbids to ask in there."""
    for _ in range(PATIENCE_MS // 50):
        if look() != before:
            return True
        page.wait_for_timeout(50)
    return False


def test_the_picture_changes_and_the_numbers_move(
    browser: Any, preview: Preview, artifacts: Path
) -> None:
    with fed(preview), opened(browser, preview.url) as page:
        wait_for(page, "live")
        first = page.evaluate(PICTURE)
        numbers = page.inner_text("#numbers")
        assert first[:2] == [WIDE, HIGH]
        assert changes(page, lambda: page.evaluate(PICTURE), first)
        assert changes(page, lambda: page.inner_text("#numbers"), numbers)
        page.wait_for_selector("#stages li")
        assert page.evaluate(STAGES) == ["capture", "inference"]
        assert "18 ms" in page.inner_text("#numbers").replace("\n", " "), "the whole"
        assert "jack #4" in page.inner_text("#events")
        assert page.inner_text("#about") == "m.tflite · test"
        page.screenshot(path=artifacts / "preview.png")
        assert (artifacts / "preview.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("size", "scale"),
    [pytest.param(LAPTOP, 1.0, id="laptop"), pytest.param(PHONE, 2.0, id="phone")],
)
def test_boxes_lie_where_they_belong_in_the_label_s_colour(
    browser: Any, preview: Preview, size: dict[str, int], scale: float
) -> None:
    preview.show(frame(0), detections=found(0))
    with opened(browser, preview.url, size, device_scale_factor=scale) as page:
        page.wait_for_selector("#found .chip")
        points = [(600 / WIDE, 200 / HIGH), (540 / WIDE, 200 / HIGH), (0.05, 0.9)]
        at_the_box, inside, elsewhere = page.evaluate(BOX_LAYER, points)
        assert at_the_box == [*color_of("ten", LABELS), 255]
        assert inside[3] == elsewhere[3] == 0, "the picture shows through"
        drawn, shown = page.evaluate(
            "() => [document.getElementById('boxes').width,"
            " document.getElementById('frame').clientWidth]"
        )
        assert drawn == round(shown * scale), "a pixel of the layer is one of the screen"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_two_viewers_watch_and_each_is_live(browser: Any, preview: Preview) -> None:
    with (
        fed(preview),
        opened(browser, preview.url) as first,
        opened(browser, preview.url, PHONE, color_scheme="dark") as second,
    ):
        for page in (first, second):
            wait_for(page, "live")
            before = page.evaluate(PICTURE)
            assert changes(page, functools.partial(page.evaluate, PICTURE), before)


def test_a_stream_that_stops_is_said_and_comes_back_by_itself(
    browser: Any, preview: Preview
) -> None:
    with fed(preview) as paused, opened(browser, preview.url) as page:
        wait_for(page, "live")
        paused.set()
        wait_for(page, "waiting")
        assert "No picture for" in page.inner_text("#waiting")
        paused.clear()
        wait_for(page, "live")


def test_a_page_survives_the_end_of_its_server(browser: Any) -> None:
    with contextlib.ExitStack() as stack:
        with Preview(labels=LABELS) as first:
            first.show(frame(0), detections=found(0))
            page = stack.enter_context(opened(browser, first.url))
            wait_for(page, "live")
        wait_for(page, "lost")
        assert page.inner_text("#connection") == "reconnecting"
        second = stack.enter_context(Preview(port=first.port, title="Again", labels=LABELS))
        stack.enter_context(fed(second))
        wait_for(page, "live")
        assert page.inner_text("#title") == "Again"


def test_whoever_types_the_token_gets_in_and_stays_in(browser: Any) -> None:
    with Preview("0.0.0.0", labels=LABELS) as preview, fed(preview):
        home, _, token = preview.url.partition("?token=")
        with opened(browser, home, PHONE) as page:
            page.fill("#token", "not-this-one")
            page.click("button")
            page.fill("#token", token.upper())
            page.click("button")
            wait_for(page, "live")
            assert page.url == home, "the token left the address"
            page.reload()
            wait_for(page, "live")


def test_names_are_text_whatever_they_hold(browser: Any) -> None:
    evil = "<img src=x onerror=\"document.title='gone'\">" * 3
    with Preview(title=evil, model=evil, source=evil) as preview:
        preview.show(
            frame(0), detections=[{"label": evil, "score": 1.0, "box": [9, 9, 90, 90]}]
        )
        preview.tell(evil)
        with opened(browser, preview.url, PHONE) as page:
            wait_for(page, "live")
            assert page.inner_text("#title") == evil == page.title()
            assert page.locator("img").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_sound_is_shown_with_its_words_and_scores(
    browser: Any, artifacts: Path, size: dict[str, int]
) -> None:
    with (
        Preview(title="Words", model="m", source="mic", labels=LABELS, kind="sound") as preview,
        heard(preview),
        opened(browser, preview.url, size) as page,
    ):
        wait_for(page, "live")
        first = page.evaluate(PICTURE)
        assert first[:2] == [300, 40], "a row is a column of the picture"
        assert changes(page, lambda: page.evaluate(PICTURE), first)
        assert page.locator("#found .name").all_inner_texts() == LABELS
        shares = page.evaluate(LIMITS)
        assert shares == pytest.approx([0.5, 0.7], abs=0.01)
        numbers = page.inner_text("#numbers")
        assert " dB" in numbers
        assert "fps" not in numbers
        assert "In view" not in page.inner_text("main")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.screenshot(path=artifacts / f"sound-{size['width']}.png")


def test_a_word_is_framed_where_it_was_heard_and_its_curve_lies_below(browser: Any) -> None:
    with Preview(labels=LABELS, kind="sound") as preview:
        roll = new_roll()
        for number in range(51):  # the last word ends in row 225 of 255
            hear(preview, roll, number)
        right, left = 1 - 29 / 300, 1 - (29 + ROWS) / 300
        with opened(browser, preview.url) as page:
            page.wait_for_selector("#found .chip")
            high = page.evaluate("document.getElementById('frame').clientHeight")
            at_80_percent = 0.65 + (4 + 0.2 * (0.35 * high - 8)) / high
            middle = (left + right) / 2
            points = [
                (right, 0.4),
                (left, 0.4),
                (middle, 0.4),
                (0.9, at_80_percent),
                (0.9, 0.9),
            ]
            at_right, at_left, inside, curve, below = page.evaluate(BOX_LAYER, points)
            assert at_right == at_left == [*color_of("ten", LABELS), 255]
            assert curve == pytest.approx(at_right, abs=60), "smoothed at its edge"
            assert inside[3] == below[3] == 0, "the sound shows through"


def test_a_sound_that_stops_is_said(browser: Any) -> None:
    with (
        Preview(labels=LABELS, kind="sound") as preview,
        heard(preview) as paused,
        opened(browser, preview.url) as page,
    ):
        wait_for(page, "live")
        paused.set()
        wait_for(page, "waiting")
        assert "No sound for" in page.inner_text("#waiting")
