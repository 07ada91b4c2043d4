"""A bundle: its files, its refusals, and that it comes out the same each time."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
import tiny_models as tiny

from edgekit.bundle import bundle
from edgekit.errors import TargetError, UnknownName, UsageError
from edgekit.flatbuffer.tables import pack, read_model
from edgekit.manifest import Manifest
from edgekit.records import to_json


@pytest.fixture
def model(tmp_path: Path) -> Path:
    manifest = Manifest(target="raspberry-pi-4")
    return tiny.write_colors(tmp_path / "colors.tflite", quantized=True, manifest=manifest)


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_holds_all_that_a_device_needs_in_one_folder(model: Path, tmp_path: Path) -> None:
    made = bundle([model], output=tmp_path / "pi.zip")
    files = contents(tmp_path / "pi.zip")
    assert list(files) == [
        "pi/README.txt",
        "pi/bundle.json",
        "pi/models/colors.tflite",
        "pi/requirements.txt",
        "pi/run.sh",
        "pi/settings.sh",
        f"pi/wheels/edgekit-{made.edgekit}-py3-none-any.whl",
    ]
    assert files["pi/models/colors.tflite"] == model.read_bytes()
    lines = files["pi/requirements.txt"].decode().splitlines()
    assert tuple(line for line in lines if not line.startswith("#")) == made.requirements
    assert "sh run.sh inspect models/colors.tflite" in files["pi/README.txt"].decode()


def test_it_says_what_is_in_it(model: Path, tmp_path: Path) -> None:
    made = bundle([model], output=tmp_path / "pi.zip")
    files = contents(tmp_path / "pi.zip")
    document = to_json(made)
    assert (document.pop("bundle"), document.pop("bytes")) == (
        str(tmp_path / "pi.zip"),
        (tmp_path / "pi.zip").stat().st_size,
    )
    assert json.loads(files["pi/bundle.json"]) == document
    for packed in (*made.models, *made.wheels):
        content = files[f"pi/{packed.file}"]
        assert (packed.bytes, packed.sha256) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )


def test_it_comes_out_the_same_each_time(model: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        bundle([model], output=tmp_path / folder / "pi.zip")
    assert (tmp_path / "a/pi.zip").read_bytes() == (tmp_path / "b/pi.zip").read_bytes()


def test_its_name_is_the_targets(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert bundle([model]).bundle == "edgekit-raspberry-pi-4.zip"
    assert bundle([model], target="raspberry-pi-5").target == "raspberry-pi-5"
    assert (tmp_path / "edgekit-raspberry-pi-5.zip").is_file()


def test_on_a_32_bit_pi_it_names_the_packages_of_the_system(
    model: Path, tmp_path: Path
) -> None:
    made = bundle([model], target="raspberry-pi-32bit", output=tmp_path / "pi.zip")
    line = "sudo apt install python3-numpy python3-opencv python3-cffi libsndfile1"
    assert line in made.warnings[-1]
    files = contents(tmp_path / "pi.zip")
    assert line in files["pi/requirements.txt"].decode()
    assert line in files["pi/README.txt"].decode()


def test_an_earlier_bundle_is_replaced(model: Path, tmp_path: Path) -> None:
    bundle([model], output=tmp_path / "pi.zip")
    made = bundle([model], target="raspberry-pi-5", output=tmp_path / "pi.zip")
    assert json.loads(contents(Path(made.bundle))["pi/bundle.json"])["target"] == (
        "raspberry-pi-5"
    )


@pytest.mark.parametrize("what", ["text", "other zip"])
def test_a_file_of_others_is_not_replaced(what: str, model: Path, tmp_path: Path) -> None:
    place = tmp_path / "pi.zip"
    if what == "text":
        place.write_text("mine")
    else:
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr("mine", "mine")
    before = place.read_bytes()
    with pytest.raises(UsageError, match="was not made by"):
        bundle([model], output=place)
    assert place.read_bytes() == before


def test_a_folder_is_not_replaced(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        bundle([model], output=tmp_path)


def test_an_unknown_target_lists_the_known_ones(model: Path) -> None:
    with pytest.raises(UnknownName, match=r"Known: .*raspberry-pi-4"):
        bundle([model], target="raspberry-pi-9")


def test_every_reason_is_given_at_once_and_nothing_is_left_behind(
    model: Path, tmp_path: Path
) -> None:
    future = tiny.write_colors(tmp_path / "future.tflite")
    table = read_model(future).model
    table.operator_codes[0].version = 99
    future.write_bytes(pack(table))
    place = tmp_path / "out" / "pi.zip"
    with pytest.raises(TargetError) as raised:
        bundle([model, future], target="raspberry-pi-4", pythons=["3.9", "3.10"], output=place)
    reasons = str(raised.value).splitlines()[1:]
    assert ["3.9" in reasons[0], "3.10" in reasons[1], "future.tflite" in reasons[2]] == [
        True
    ] * 3
    assert not place.parent.exists()


def test_a_place_that_cannot_be_written_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="Cannot write"):
        bundle([model], output=tmp_path / "file" / "pi.zip")
