"""What the documents say is what the code does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgekit import manifest
from edgekit.cli.main import LazyGroup, cli
from edgekit.vision.outputs.find import FAMILIES
from edgekit.vision.outputs.ssd import Coding

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


def test_the_readme_lists_every_command_in_the_order_of_the_work() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Commands")[2].partition("##")[0]
    assert re.findall(r"^\| `edgekit ([a-z-]+)`", table, re.MULTILINE) == list(LazyGroup.places)


def test_the_page_of_targets_is_what_the_command_makes() -> None:
    made = CliRunner().invoke(cli, ["targets", "--markdown"])
    assert made.output == (ROOT / "docs/targets.md").read_text(encoding="utf-8"), (
        "Make it again: edgekit targets --markdown > docs/targets.md"
    )


def test_every_file_that_a_document_names_exists() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "targets/README.md"):
        text = page.read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#:]+)\)|src=\"([^\":]+)\"", text)
        scripts = re.findall(r"python (benchmarks/\w+\.py)", text)
        named = [page.parent / (link or source) for link, source in links]
        missing = [
            each for each in (*named, *(ROOT / each for each in scripts)) if not each.exists()
        ]
        assert missing == [], page


def test_the_page_of_detectors_names_every_family_and_every_field_of_the_decoding() -> None:
    text = (ROOT / "docs/detectors.md").read_text(encoding="utf-8")
    wanted = [*FAMILIES, *(field.name for field in fields(Coding))]
    assert [name for name in wanted if f"| `{name}` |" not in text] == []
