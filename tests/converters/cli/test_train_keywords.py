"""`edgekit train keywords` on the command line: what it asks for, and what it refuses."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from edgekit.cli.main import cli
from edgekit.errors import DataError, UsageError
from edgekit_converters.cli import train_keywords
from edgekit_converters.train.keywords import request

RESULT = {
    "path": "words.keras",
    "metric": "accuracy",
    "value": 0.95,
    "per_class": {"alexa": 0.9, "jarvis": 1.0},
    "epochs": 200,
    "seconds": 700.0,
    "parameters": 79_000,
    "trained_on": 400,
    "held_out": ["alexa/1.flac"] * 100,
    "files": ["words.step.keras"],
}


def test_the_help_shows_the_networks_and_the_defaults() -> None:
    shown = " ".join(CliRunner().invoke(cli, ["train", "keywords", "--help"]).output.split())
    assert "[tc-resnet|ds-cnn|streaming|lstm]" in shown
    assert f"[default: {request.EPOCHS}; x>=1]" in shown


@pytest.mark.tf
def test_the_networks_of_the_help_are_those_there_are() -> None:
    networks = pytest.importorskip("edgekit_converters.train.keywords.networks")
    assert tuple(networks.NETWORKS) == train_keywords.NETWORKS


def test_the_summary_names_what_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    train_keywords.show(RESULT)
    said = " ".join(capsys.readouterr().out.split())
    assert "alexa 90.0 %" in said
    assert "95.0 % on 100 recordings held out; learned from 400" in said
    assert "Wrote words.keras (79.0 k parameters), words.step.keras." in said


def test_another_ending_is_refused(tmp_path: Path) -> None:
    command = ["train", "keywords", str(tmp_path), "-o", str(tmp_path / "words.tflite")]
    with pytest.raises(UsageError, match=r"written as \.keras"):
        CliRunner().invoke(cli, command, catch_exceptions=False)


@pytest.mark.tf
def test_a_missing_folder_is_refused_in_words(tmp_path: Path) -> None:
    command = ["train", "keywords", str(tmp_path / "no"), "-o", str(tmp_path / "words.keras")]
    with pytest.raises(DataError, match="is no folder"):
        CliRunner().invoke(cli, command, catch_exceptions=False)
