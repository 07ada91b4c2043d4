"""Commands of the light half in this process: tables, JSON, exit codes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny
from click.testing import CliRunner, Result

from edgekit import errors
from edgekit.cli.main import cli
from edgekit.manifest import Manifest, Preprocessing

COMMANDS = ("bundle", "compare", "evaluate", "inspect", "profile", "report", "run", "targets")


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def document(*arguments: str | Path) -> Any:
    """Return the one JSON document on standard output."""
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    manifest = Manifest(labels=("blue", "green", "red"), preprocessing=Preprocessing())
    return tiny.write_colors(tmp_path / "m.tflite", quantized=True, manifest=manifest)


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    return tiny.write_arrays(tmp_path / "colors.npz")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples(name: str) -> None:
    done = call(name, "--help")
    assert done.exit_code == 0
    assert f"edgekit {name}" in done.stdout.partition("Examples:")[2]


def test_evaluate_prints_a_table_and_the_json_of_the_contract(
    model: Path, arrays: Path
) -> None:
    assert "accuracy  100.0 %" in call("evaluate", model, arrays).stdout
    found = document("evaluate", model, arrays, "--limit", "6")
    assert (found["metric"], found["value"], found["samples"]) == ("accuracy", 1.0, 6)
    assert found["per_class"] == {"blue": 1.0, "green": 1.0, "red": 1.0}


def test_evaluate_takes_labels_from_a_file(tmp_path: Path, arrays: Path) -> None:
    model = tiny.write_colors(tmp_path / "plain.tflite")
    (tmp_path / "labels.txt").write_text("sky\ngrass\nrose\n")
    found = document("evaluate", model, arrays, "--labels", tmp_path / "labels.txt")
    assert list(found["per_class"]) == ["sky", "grass", "rose"]


def test_compare_prints_a_table_and_the_json_of_the_contract(
    tmp_path: Path, model: Path, arrays: Path
) -> None:
    plain = tiny.write_colors(tmp_path / "plain.tflite")
    assert (
        "agreement             100.0 %"
        in call("compare", plain, model, "--data", arrays).stdout
    )
    found = document("compare", plain, model, "--data", arrays)
    assert {"agreement", "a", "b", "max_abs_diff"} <= found.keys()
    assert found["a"]["value"] == found["b"]["value"] == 1.0


def test_compare_of_data_without_classes_shows_no_accuracy(tmp_path: Path, model: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, 4, 4, 3), np.float32))
    shown = call("compare", model, model, "--data", tmp_path / "x.npy").stdout
    assert "accuracy" not in shown
    assert "equal" in shown


def test_run_says_the_result_in_words_and_leaves_out_what_the_task_has_not(
    model: Path, arrays: Path
) -> None:
    assert "blue" in call("run", model, arrays).stdout
    first = document("run", model, arrays)["results"][0]
    assert first["top"][0]["label"] == "blue"
    assert set(first) == {"input", "top"}


def test_run_sums_up_other_outputs(tmp_path: Path) -> None:
    path = tmp_path / "copy.tflite"
    path.write_bytes(tiny.dense(np.eye(6, dtype=np.float32), (1, 6)))
    np.save(tmp_path / "x.npy", np.arange(6, dtype=np.float32))
    done = call("run", path, tmp_path / "x.npy")
    assert "0 1 2 3" in done.stdout
    assert set(document("run", path, tmp_path / "x.npy")["results"][0]) == {"input", "outputs"}


def test_inspect_shows_operators_and_on_a_target_where_they_run(model: Path) -> None:
    assert "FULLY_CONNECTED" in call("inspect", model).stdout
    done = call("inspect", model, "--target", "coral-usb")
    assert "runs on" in done.stdout
    found = document("inspect", model, "--target", "raspberry-pi-4")
    assert found["summary"]["cpu"] == 1


def test_profile_measures_one_model_and_several(tmp_path: Path, model: Path) -> None:
    assert "median" in call("profile", model, "--runs", "5").stdout
    found = document("profile", model, "--runs", "5", "--threads", "1")
    assert (found["kind"], found["runs"], found["threads"]) == ("measured", 5, 1)
    other = tiny.write_colors(tmp_path / "other.tflite")
    both = document("profile", model, other, "--runs", "5")
    assert [each["model"] for each in both["profiles"]] == [str(model), str(other)]


def test_targets_lists_all_and_shows_one_in_full() -> None:
    names = [each["name"] for each in document("targets")]
    assert {"host", "raspberry-pi-4", "coral-usb", "android"} <= set(names)
    assert all(name in call("targets").stdout for name in names)
    assert document("targets", "coral-usb")["delegate"] == "edgetpu"
    assert "https://" in call("targets", "coral-usb").stdout


def test_a_target_of_ones_own_is_a_file(tmp_path: Path) -> None:
    from edgekit.targets import targets_dir

    text = (targets_dir() / "host.toml").read_text()
    (tmp_path / "mine.toml").write_text(text)
    assert document("targets", tmp_path / "mine.toml")["name"] == "mine"


def test_report_writes_the_page_it_names(tmp_path: Path) -> None:
    run = {"artifacts": [{"path": "m.host.tflite", "target": "host", "bytes": 5}]}
    (tmp_path / "run.json").write_text(json.dumps(run))
    page = tmp_path / "r.html"
    assert document("report", tmp_path / "run.json", "-o", page)["path"] == str(page)
    assert page.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(["targets", "toaster"], errors.UnknownName, id="target"),
        pytest.param(
            ["evaluate", "{m}", "{x}", "--metric", "f1"], errors.UnknownName, id="metric"
        ),
        pytest.param(["evaluate", "{m}", "nothing"], errors.DataError, id="data"),
        pytest.param(["evaluate", "nothing.tflite", "{x}"], errors.InputError, id="model"),
        pytest.param(["inspect", "{x}"], errors.InputError, id="no model"),
        pytest.param(["profile", "{x}"], errors.InputError, id="nothing to measure"),
        pytest.param(["run", "{m}", "nothing.jpg"], errors.InputError, id="input"),
        pytest.param(["report", "{x}"], errors.RecordError, id="no run"),
    ],
)
def test_bad_input_is_one_deliberate_error(
    model: Path, arrays: Path, arguments: list[str], error: type[errors.EdgekitError]
) -> None:
    done = call(*(each.format(m=model, x=arrays) for each in arguments), "--json")
    assert type(done.exception) is error
    assert done.stdout == ""


@pytest.mark.parametrize("option", ["--mean", "--std"])
def test_two_ways_of_saying_the_range_are_a_wrong_usage(
    model: Path, arrays: Path, option: str
) -> None:
    done = call("evaluate", model, arrays, "--input-range", "0,1", option, "1")
    assert done.exit_code == 2
