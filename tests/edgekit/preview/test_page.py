"""The pages load nothing, and nothing that is shown can become markup or script."""

import base64
import hashlib
import re

import pytest

from edgekit.preview.page import Page, door, viewer

LARGEST = 32 * 1024
PAGES = [pytest.param(viewer(), id="viewer"), pytest.param(door(), id="door")]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_no_other_place(page: Page) -> None:
    text = page.content.decode()
    places = set(re.findall(r"https?:\S+?(?=[\s'\"])", text))
    assert places <= {"http://www.w3.org/2000/svg"}, "a name of the icon's language, not loaded"
    assert not re.search(r"<(?:script|img|iframe|link)[^>]+(?:src|href)=\"(?!data:)", text)
    assert "@import" not in text
    assert "url(" not in text


@pytest.mark.parametrize("page", PAGES)
def test_the_policy_allows_what_is_in_the_page_and_no_more(page: Page) -> None:
    text, policy = page.content.decode(), page.policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "*" not in policy
    for element in re.findall(r"<(?:style|script)>(.*?)</", text, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(element.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert " style=" not in text
    assert not re.search(r"\son\w+=", text)


def test_the_page_never_writes_markup() -> None:
    text = viewer().content.decode()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_small_and_whole(page: Page) -> None:
    assert len(page.content) < LARGEST
    assert b"/*STYLE*/" not in page.content
    assert b"/*SCRIPT*/" not in page.content
