"""Every known model is stated exactly, at an address that cannot change."""

import csv
import re
from pathlib import Path

import pytest

from edgekit import measure
from edgekit.errors import InputError, RecordError, UnknownName
from edgekit.known import table
from edgekit.known.table import (
    TABLE,
    KnownModel,
    known_file,
    known_model,
    known_models,
    path_or_known,
)
from edgekit_demos.models import model_names

NAME = "micro-speech-int8"
ADDRESS = re.compile(r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/(.+)")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgekit" / "models"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownModel:
    """Let a model of five bytes be the only one known."""
    content = tmp_path / "content"
    content.write_bytes(b"hello")
    fields = {
        "task": "classify",
        "file": "small.h5",
        "about": "five bytes",
        "licence": "MIT",
        "sha256": measure.sha256(content),
        "source": "http://127.0.0.1:9/small.h5",
    }
    lines = [f'{key} = "{value}"' for key, value in fields.items()]
    mine = tmp_path / "mine.toml"
    mine.write_text("\n".join(["[small]", "bytes = 5", *lines]))
    found = known_models(mine)
    monkeypatch.setattr(table, "known_models", lambda: found)
    return found["small"]


@pytest.mark.parametrize("model", known_models().values(), ids=lambda model: model.name)
def test_a_known_model_is_stated_exactly(model: KnownModel) -> None:
    address = ADDRESS.fullmatch(model.source)
    assert address, "an address of one commit"
    assert Path(address[1]).name == model.file
    assert re.fullmatch(r"[0-9a-f]{64}", model.sha256)
    assert 0 < model.bytes < 10_000_000
    assert model.licence
    assert model.about
    assert re.fullmatch(r"[a-z0-9.-]+", model.name)


def test_no_two_have_the_same_name_file_or_digest() -> None:
    known = known_models().values()
    for what in ("file", "sha256", "source"):
        assert len({getattr(model, what) for model in known}) == len(known)
    assert not known_models().keys() & set(model_names())


@pytest.mark.data
@pytest.mark.parametrize("model", known_models().values(), ids=lambda model: model.name)
def test_the_digest_is_that_of_the_file_from_that_address(
    model: KnownModel, data_dir: Path
) -> None:
    with (data_dir / "SOURCES.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        (path,) = {
            data_dir / row["path"]
            for row in rows
            if model.source.endswith(f"/{row['repo']}/{row['commit']}/{row['repo_path']}")
        }
    assert path.stat().st_size == model.bytes
    assert measure.sha256(path) == model.sha256


def test_a_damaged_table_names_the_model_and_the_field(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(TABLE.read_text(encoding="utf-8").replace("sha256 =", "sha265 =", 1))
    with pytest.raises(RecordError, match=r"mine\.toml: mobilenet-v1-0\.25 has unknown sha265"):
        known_models(mine)
    mine.write_text("number = 1")
    with pytest.raises(RecordError, match=r"number must be a table"):
        known_models(mine)


def test_the_cache_is_where_the_environment_says(cache: Path) -> None:
    assert known_model(NAME).place == cache / "micro_speech_quantized.tflite"


def test_a_model_is_found_once_it_lies_in_the_cache(small: KnownModel, cache: Path) -> None:
    assert small.cached() is None
    cache.mkdir(parents=True)
    (cache / "small.h5").write_bytes(b"hello")
    assert small.cached() == known_file("small") == cache / "small.h5"
    assert path_or_known(Path("small")) == cache / "small.h5"


@pytest.mark.parametrize("content", [b"", b"hell", b"hallo", b"hello!"])
def test_a_damaged_file_is_not_taken_for_the_model(
    small: KnownModel, cache: Path, content: bytes
) -> None:
    cache.mkdir(parents=True)
    (cache / "small.h5").write_bytes(content)
    assert small.cached() is None
    with pytest.raises(InputError, match=r"is damaged\.\nDownload it: edgekit models small"):
        known_file("small")


def test_what_was_not_downloaded_says_how_to(small: KnownModel) -> None:
    with pytest.raises(InputError, match=r"not on this machine\.\nDownload it: .* --download"):
        path_or_known(Path(small.name))


def test_a_path_goes_before_a_name(
    small: KnownModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(small.name).write_bytes(b"")
    assert path_or_known(Path(small.name)) == Path(small.name)
    assert path_or_known(Path("folder/other.h5")) == Path("folder/other.h5")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"No known model named 'x'\. Known: .*coco-ssd"):
        known_model("x")
