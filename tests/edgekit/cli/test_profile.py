"""`edgekit profile`: what is shown of operators, settings and a long run."""

import json
from pathlib import Path

import pytest
import tiny_models as tiny
from click.testing import CliRunner, Result

from edgekit.cli.main import cli


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write_colors(tmp_path / "colors.tflite")


def call(*arguments: str | Path) -> Result:
    fast = ["--runs", "5", "--warm-up", "0.05"]
    return CliRunner().invoke(cli, ["profile", *map(str, arguments), *fast])


def test_operators_are_a_table_with_the_sum_beside_the_whole(model: Path) -> None:
    done = call(model, "--per-op", "--per-op-by", "cut")
    assert done.exit_code == 0, done.output
    assert "FULLY_CONNECTED" in done.stdout
    assert "overhead" in done.stdout
    assert "cut: each operator alone, 5 runs" in done.stdout


def test_settings_and_a_long_run_are_tables(model: Path) -> None:
    done = call(model, "--sweep", "--seconds", "0.2", "--threads", "1")
    assert done.exit_code == 0, done.output
    assert "recommended" in done.stdout
    assert "Without pause" in done.stdout


def test_node_data_are_written_for_model_explorer(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "times.json"
    done = call(model, "--per-op", "--node-data", path, "--json")
    assert done.exit_code == 0, done.output
    assert set(json.loads(path.read_text())["results"]) == {"scores"}
    document = json.loads(done.stdout)
    assert sum(each["share"] for each in document["ops"]) == pytest.approx(1.0)
    assert document["per_op"]["whole_ms"] > 0


def test_node_data_without_operators_are_wrong_usage(tmp_path: Path, model: Path) -> None:
    done = call(model, "--node-data", tmp_path / "times.json")
    assert done.exit_code == 2
    assert "--per-op" in done.output
