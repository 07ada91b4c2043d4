"""The page: one document with style and script in it, and the policy that allows no more."""

import base64
import functools
import hashlib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Page:
    """A document and what it may load.

    Attributes:
        content: The HTML.
        policy: Its Content-Security-Policy: its own style and script by their digests,
            answers of its own server, nothing from elsewhere.
    """

    content: bytes
    policy: str


@functools.cache
def viewer() -> Page:
    """Return the page that shows what there is to see."""
    return _page("page.html", script=_text("page.js"))


@functools.cache
def door() -> Page:
    """Return the page that asks for the token."""
    return _page("door.html")


def _page(name: str, script: str = "") -> Page:
    style = _text("page.css")
    content = _text(name).replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    if script:
        policy += f"; script-src {_digest(script)}; connect-src 'self'"
    return Page(content.encode(), policy)


def _text(name: str) -> str:
    return resources.files("edgekit.preview").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
