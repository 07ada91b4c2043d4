"""What the documents say is what the code does."""

from dataclasses import fields
from pathlib import Path

import pytest

from edgekit import manifest

ROOT = Path(__file__).resolve().parents[1]
RECORDS = (
    manifest.Manifest,
    manifest.Preprocessing,
    manifest.Output,
    manifest.Source,
    manifest.Calibration,
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_field_of_the_manifest_is_described(record: type) -> None:
    text = (ROOT / "docs/manifest.md").read_text(encoding="utf-8")
    missing = [field.name for field in fields(record) if f"`{field.name}`" not in text]
    assert missing == []
