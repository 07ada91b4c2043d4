"""One text names one source."""

from pathlib import Path

import pytest

from edgekit.audio.sources import SOURCES, open_sound
from edgekit.errors import DataError


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("synthetic", "synthetic"),
        ("synthetic:3", "synthetic"),
        ("mic", "microphone"),
        ("mic:USB", "microphone"),
        ("{folder}", "folder"),
        ("{folder}/*.wav", "folder"),
        ("{folder}/mic.wav", "file"),
    ],
)
def test_each_text_has_its_source(tmp_path: Path, text: str, kind: str) -> None:
    (tmp_path / "mic.wav").touch()
    named = text.format(folder=tmp_path)
    found = [name for name, module in SOURCES.items() if module.accepts(named)]
    assert found[:1] == [kind]


@pytest.mark.parametrize("text", ["", "gone.wav", "microphone", "http://host/a.wav"])
def test_anything_else_is_refused_and_all_forms_are_named(text: str) -> None:
    with pytest.raises(DataError, match="There is no source") as caught:
        open_sound(text, 16_000)
    assert all(module.FORM in str(caught.value) for module in SOURCES.values())
