"""The page of the front end names what there is."""

from dataclasses import fields
from pathlib import Path

import pytest

from edgekit.data.frontend import PRESETS, FrontEnd
from edgekit.data.frontend.record import Adaptation

PAGE = Path(__file__).resolve().parents[4] / "docs/front-end.md"


def test_every_parameter_is_described() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [each.name for each in fields(FrontEnd) if f"`{each.name}`" not in text] == []
    assert [each.name for each in fields(Adaptation) if each.name not in text] == []


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_in_the_table(name: str) -> None:
    preset = PRESETS[name]
    frame, step = (
        1000 * each // preset.sample_rate_hz
        for each in (preset.frame_samples, preset.step_samples)
    )
    row = (
        f"| `{name}` | `{preset.kind}` | {frame} ms, {step} ms | "
        f"{preset.frames} x {preset.features} |"
    )
    assert row in PAGE.read_text(encoding="utf-8")
