"""The quickstart, with TensorFlow and without."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgekit.cli.main import cli
from edgekit_demos import quickstart


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take few pictures and train shortly."""
    data = {name: (60, seed) for name, (_, seed) in quickstart.DATA.items()}
    monkeypatch.setattr(quickstart, "DATA", data)
    monkeypatch.setattr(quickstart, "EPOCHS", 1)


@pytest.fixture
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> Any:
        return None if name in quickstart.HEAVY else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)


def call(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["quickstart", "-o", str(folder), *options])


@pytest.mark.usefixtures("small", "without_tensorflow")
def test_without_tensorflow_the_carried_artifacts_are_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = call(tmp_path / "tour")
    assert done.exit_code == 0, done.output
    assert "Left out: pruning and conversion, which need tensorflow" in caplog.text
    assert "pip install 'edgekit[convert]'" in caplog.text
    for table in ("accuracy", "17 edgetpu", "Measured latency"):
        assert table in done.stdout


@pytest.mark.usefixtures("small", "without_tensorflow")
def test_the_json_of_the_contract_without_tensorflow(tmp_path: Path) -> None:
    done = call(tmp_path / "tour", "--json", "--quiet")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [each["target"] for each in found["artifacts"]] == list(quickstart.TARGETS)
    for each in found["artifacts"]:
        assert Path(each["path"]).stat().st_size == each["bytes"]
        assert each["fully_integer"]
        assert each["quantized"]["value"] > 0.9
    assert [each["io"] for each in found["artifacts"]] == ["float32", "int8", "uint8"]
    assert Path(found["report"]).read_text(encoding="utf-8").startswith("<!")
    assert len(found["left_out"]) == 2


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_whole_flow(tmp_path: Path) -> None:
    done = call(tmp_path / "tour", "--json", "--quiet")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["left_out"] == []
    assert [each["target"] for each in found["artifacts"]] == list(quickstart.TARGETS)
    before, after = found["pruning"]["before"], found["pruning"]["after"]
    assert after["macs"] <= 0.5 * before["macs"]
    assert after["bytes"] < before["bytes"]
    assert before["value"] > 0.9
    assert all(each["fully_integer"] for each in found["artifacts"])
    assert len(found["profiles"]) == 3
    names = {path.name for path in (tmp_path / "tour").iterdir()}
    assert {"run.json", "recipe.toml", "report.html", "shapes.keras"} <= names


def test_no_two_data_sets_share_a_seed() -> None:
    seeds = [seed for _, seed in quickstart.DATA.values()]
    assert len({*seeds, 1, 2}) == len(seeds) + 2, "1 and 2 are those of the carried model"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = call(tmp_path / "file")
    assert done.exit_code == 2
    assert "is a file" in done.output
