"""The page in a real browser: on a phone nothing is cut off, and dark pages are dark."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reported import (
    calibrated,
    difference,
    estimate,
    fleet,
    inspection,
    per_op,
    profile,
    pruning,
    thorough,
    write_page,
)

api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "google-chrome"])), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")

LONG = "a_long_name_without_a_place_to_break_it_" * 3
DOCUMENTS: list[Any] = [
    {
        "artifacts": [
            {
                "path": f"out/{LONG}.tflite",
                "target": "coral-usb",
                "scheme": "int8",
                "bytes": 98_496,
                "gzip_bytes": 61_000,
                "float": {"metric": "accuracy", "value": 0.87},
                "quantized": {"metric": "accuracy", "value": 0.86},
                "drop": 0.01,
                "warnings": [LONG],
            }
        ],
        "source": LONG,
    },
    profile(LONG),
    per_op(),
    thorough(),
    estimate(),
    estimate("calibrated", "raspberry-pi-4"),
    inspection("edgetpu", "cpu", "uncertain", "gpu", "npu"),
    pruning("0.5", 0.5),
    pruning("0.7", 0.3),
    difference(),
    calibrated(),
    fleet(),
]
# Elements that reach beyond the window and cannot be scrolled into it.
CUT_OFF = """() => [...document.querySelectorAll('main *')]
  .filter(each => !each.closest('pre') && each.getBoundingClientRect().right > innerWidth + 1)
  .map(each => each.outerHTML.slice(0, 80))"""
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"
SMALL = """() => [...document.querySelectorAll('svg.plot text')]
  .map(each => each.getBoundingClientRect().height)"""
DARKNESS = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_page(tmp_path_factory.mktemp("report"), *DOCUMENTS).as_uri()


def opened(browser: Any, address: str, width: int, scheme: str) -> tuple[Any, list[str]]:
    context = browser.new_context(viewport={"width": width, "height": 840}, color_scheme=scheme)
    page = context.new_page()
    trouble: list[str] = []
    page.on("request", lambda asked: trouble.append(asked.url))
    page.on("console", lambda said: trouble.append(said.text))
    page.goto(address)
    folder = os.environ.get("EDGEKIT_TEST_ARTIFACTS")
    if folder:
        page.screenshot(path=Path(folder) / f"report-{width}-{scheme}.png", full_page=True)
    return page, [each for each in trouble if each != address]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_and_nothing_is_loaded(
    browser: Any, address: str, width: int, scheme: str
) -> None:
    page, trouble = opened(browser, address, width, scheme)
    assert trouble == []
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(CUT_OFF) == []
    assert min(page.evaluate(SMALL)) >= 10
    assert (max(page.evaluate(DARKNESS)) < 80) == (scheme == "dark")
    page.context.close()
