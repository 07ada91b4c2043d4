"""A window where there is a desktop; where there is none, the reason."""

import sys
from types import SimpleNamespace

import pytest
from streams import picture

from edgekit.vision.window import Window, open_window


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stand in for an OpenCV with windows."""
    found = SimpleNamespace(shown=[], key=255, visible=1.0, open=True, error=RuntimeError)
    found.WINDOW_AUTOSIZE = found.WND_PROP_VISIBLE = 1
    found.namedWindow = lambda title, _: found.shown.append(title)
    found.imshow = lambda title, pixels: found.shown.append((title, pixels.shape))
    found.waitKey = lambda _: found.key
    found.getWindowProperty = lambda *_: found.visible
    found.destroyAllWindows = lambda: setattr(found, "open", False)
    monkeypatch.setitem(sys.modules, "cv2", found)
    monkeypatch.setenv("DISPLAY", ":0")
    return found


def test_frames_are_shown_until_it_is_closed(desktop: SimpleNamespace) -> None:
    window = open_window("cards")
    assert isinstance(window, Window)
    with window:
        assert window.show(picture(0))
        desktop.visible = 0.0
        assert not window.show(picture(0))
    assert desktop.shown == ["cards", *[("cards", (48, 64, 3))] * 2]
    assert not desktop.open


@pytest.mark.parametrize("key", [ord("q"), 27])
def test_a_key_ends_it(desktop: SimpleNamespace, key: int) -> None:
    window = open_window("cards")
    assert isinstance(window, Window)
    desktop.key = key
    assert not window.show(picture(0))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have a desktop always")
def test_without_a_display_opencv_is_not_even_asked(
    desktop: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY")
    assert open_window("cards") == "there is no display"
    assert desktop.shown == []


def test_an_opencv_without_windows_is_told(
    desktop: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(desktop, "namedWindow", refuse)
    assert "edgekit[window]" in str(open_window("cards"))
