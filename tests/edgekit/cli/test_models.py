"""`edgekit models`: what is carried, what is known, and what a download ends in."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from publisher import Answer, published, small_model, status, whole

from edgekit.cli import models as command
from edgekit.cli.main import cli
from edgekit.errors import DeviceError, InputError, UnknownName, UsageError
from edgekit.known import download
from edgekit.known.table import known_models
from edgekit_demos.models import model_names, model_path

CONTENT = b"a model"
KEYS = {"name", "task", "bytes", "carried", "path", "licence", "source"}


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["models", *arguments])


def document(*arguments: str) -> Any:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("http_proxy", raising=False)
    return tmp_path / "edgekit" / "models"


def test_all_carried_and_known_models_are_listed() -> None:
    found = document()["models"]
    assert [each["name"] for each in found] == [*model_names(), *known_models()]
    assert all(each.keys() >= KEYS for each in found)
    assert [each["name"] for each in found if each["carried"]] == model_names()
    shown = call().stdout
    assert all(each["name"] in shown for each in found)


def test_a_carried_model_is_described_by_its_file_and_its_card() -> None:
    cards = next(each for each in document()["models"] if each["name"] == "cards")
    assert cards["path"] == str(model_path("cards"))
    assert cards["bytes"] == model_path("cards").stat().st_size
    assert cards["task"] == "detect"
    assert set(cards["labels"]) == {"ace", "jack", "king", "nine", "queen", "ten"}
    assert cards["licence"] == "Apache-2.0"
    assert cards["accuracy"].startswith("mAP@.5 .9")


def test_a_known_model_that_is_not_here_has_no_path() -> None:
    found = [each for each in document()["models"] if not each["carried"]]
    assert {each["path"] for each in found} == {None}
    assert all(each["source"].startswith("https://") for each in found)


@pytest.mark.parametrize("name", model_names())
def test_a_carried_model_is_shown_with_its_card(name: str) -> None:
    shown = call(name).stdout
    assert str(model_path(name).name) in "".join(shown.split())
    assert "## Accuracy" in shown
    assert document(name)["card"].startswith("# ")


def test_a_known_model_is_shown_with_address_digest_and_how_to_get_it() -> None:
    coco = known_models()["coco-ssd"]
    shown = call("coco-ssd").stdout
    assert coco.source in "".join(shown.split())
    assert coco.sha256 in shown
    assert "edgekit models coco-ssd --download" in shown
    assert document("coco-ssd") == {
        "models": [
            {
                "name": "coco-ssd",
                "task": "detect",
                "bytes": coco.bytes,
                "carried": False,
                "path": None,
                "licence": coco.licence,
                "source": coco.source,
                "about": coco.about,
                "labels": [],
                "accuracy": None,
                "sha256": coco.sha256,
            }
        ],
        "card": None,
    }


def downloaded(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> Result:
    """Run the command with one model known, which this machine publishes."""
    monkeypatch.setattr(download, "_persist", lambda model, _pauses: download._receive(model))
    with published(answer) as publisher:
        model = small_model(CONTENT, publisher.url)
        monkeypatch.setattr(command, "known_models", lambda: {model.name: model})
        return call("small", "--download", "--json")


def test_a_download_prints_where_the_model_lies(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    done = downloaded(monkeypatch, whole(CONTENT))
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["models"]
    assert found["path"] == str(cache / "small.tflite")
    assert Path(found["path"]).read_bytes() == CONTENT
    assert "Downloading small (7 bytes)" in done.stderr


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(whole(b"others!"), InputError, id="another file"),
        pytest.param(status(404), InputError, id="gone"),
        pytest.param(status(500), DeviceError, id="out of order"),
    ],
)
def test_a_failed_download_prints_no_document(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[Exception]
) -> None:
    done = downloaded(monkeypatch, answer)
    assert isinstance(done.exception, error)
    assert done.stdout == ""


def test_a_carried_model_needs_no_download() -> None:
    (found,) = document("cards", "--download")["models"]
    assert found["carried"]


def test_a_download_of_nothing_is_refused() -> None:
    assert isinstance(call("--download").exception, UsageError)


def test_an_unknown_name_lists_both_kinds() -> None:
    error = call("nothing").exception
    assert isinstance(error, UnknownName)
    assert "cards" in str(error)
    assert "coco-ssd" in str(error)


def test_help_has_examples() -> None:
    assert "edgekit models" in call("--help").stdout.partition("Examples:")[2]
