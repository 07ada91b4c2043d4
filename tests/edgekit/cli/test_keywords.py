"""Commands on keyword models: tables, JSON, exit codes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tiny_spotters import manifest, silence, tone, write_sound, write_words

from edgekit.cli.main import cli
from edgekit.errors import TargetError, UnknownName, UsageError


def call(*arguments: str | Path, check: bool = False) -> Result:
    return CliRunner().invoke(
        cli, [str(each) for each in arguments], catch_exceptions=not check
    )


def document(*arguments: str | Path) -> Any:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("models") / "words.tflite")


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording with low at 2 s and high at 4.3 s, which marks say."""
    parts = [silence(2), tone("low"), silence(2), tone("high"), silence(2)]
    path = tmp_path_factory.mktemp("recordings") / "evening.wav"
    path.with_suffix(".txt").write_text("2.0\t2.3\tlow\n4.3\t4.6\thigh\n")
    return write_sound(path, np.concatenate(parts))


def test_run_prints_words_and_times_and_the_json_of_the_contract(
    words: Path, evening: Path
) -> None:
    shown = call("run", words, evening).stdout.splitlines()
    assert [line.split()[0] for line in shown if line.startswith("  ")] == [
        "keyword",
        "low",
        "high",
    ]
    (result,) = document("run", words, evening)["results"]
    assert result["input"] == str(evening)
    assert [each["keyword"] for each in result["keywords"]] == ["low", "high"]
    assert set(result["keywords"][0]) == {"t", "keyword", "score"}
    assert "top" not in result


def test_run_says_when_nothing_is_heard(words: Path, tmp_path: Path) -> None:
    quiet = write_sound(tmp_path / "a.wav", silence(1))
    assert "nothing heard" in call("run", words, quiet).stdout


def test_evaluate_prints_misses_and_alarms_and_draws_them(
    words: Path, evening: Path, tmp_path: Path
) -> None:
    done = call("evaluate", words, evening, "--det", tmp_path / "det.svg")
    assert done.exit_code == 0
    assert "false_rejects  0.0 %" in done.stdout
    assert "0 (none heard; with 95 % confidence not above 1634)" in done.stdout
    assert (tmp_path / "det.svg").read_text().startswith("<svg")


def test_evaluate_gives_the_json_of_the_contract(words: Path, evening: Path) -> None:
    found = document("evaluate", words, evening, "--false-alarms-per-hour", "0.5")
    assert (found["metric"], found["value"], found["samples"]) == ("false_rejects", 0.0, 2)
    assert found["per_class"] == {"low": 0.0, "high": 0.0}
    assert found["spotting"]["budget"] == 0.5
    assert [each["found"] for each in found["spotting"]["words"]] == [1, 1]
    assert set(found["spotting"]["det"]) == {"low", "high"}


def test_a_front_end_is_given_by_name(tmp_path: Path, evening: Path) -> None:
    bare = write_words(tmp_path / "bare.tflite", manifest(front_end=None))
    for text, error, arguments in (
        (r"--front-end NAME \(log-mel", TargetError, ("evaluate", bare, evening)),
        ("gives 49 rows of 40", TargetError, ("run", bare, evening, "--front-end", "log-mel")),
        ("front end named 'bark'", UnknownName, ("run", bare, evening, "--front-end", "bark")),
    ):
        with pytest.raises(error, match=text):
            call(*arguments, check=True)


def test_a_picture_of_clips_is_wrong_usage(words: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((1, 20, 8), np.float32), y=[0])
    with pytest.raises(UsageError, match="needs recordings of a keyword model"):
        call("evaluate", words, tmp_path / "x.npz", "--det", tmp_path / "det.svg", check=True)
