"""The carried models: small, described, and what their cards say."""

import zipfile
from pathlib import Path

import pytest

from edgekit.artifact import read_manifest
from edgekit.errors import UnknownName
from edgekit_demos import shapes
from edgekit_demos.models import model_names, model_path, read_card


def test_the_float_model_is_carried() -> None:
    assert "shapes" in model_names()
    assert model_path("shapes").name == "shapes.keras"


@pytest.mark.parametrize("name", model_names())
def test_every_model_is_small_and_has_a_card(name: str) -> None:
    path = model_path(name)
    assert path.stat().st_size <= 500_000
    card = path.with_name(name.partition(".")[0] + ".md").read_text(encoding="utf-8")
    for part in ("## Data", "## Accuracy", "## How to make it again", "Apache-2.0"):
        assert part in card


@pytest.mark.parametrize("name", [each for each in model_names() if each.startswith("shapes")])
def test_every_model_of_shapes_knows_its_classes(name: str) -> None:
    manifest = read_manifest(model_path(name))
    assert manifest is not None
    assert manifest.task == "classify"
    assert manifest.labels == shapes.CLASSES
    assert manifest.preprocessing is not None
    assert manifest.preprocessing.input_range == (0.0, 1.0)


def test_the_card_gives_the_size_of_the_file() -> None:
    path = model_path("shapes")
    assert f"{path.stat().st_size:,} bytes" in path.with_suffix(".md").read_text(
        encoding="utf-8"
    )


def test_the_float_model_carries_no_optimizer() -> None:
    with zipfile.ZipFile(model_path("shapes")) as archive:
        assert b"optimizer" not in archive.read("model.weights.h5")


@pytest.mark.parametrize("name", model_names())
def test_a_card_says_what_it_is_and_how_good(name: str) -> None:
    card = read_card(name)
    assert card.about
    assert card.licence == "Apache-2.0"
    assert any(each.isdigit() for each in card.accuracy)
    assert card.text.startswith(f"# {name.partition('.')[0]}\n")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        UnknownName, match=r"No carried model named 'squares'\. Known: .*shapes"
    ):
        model_path("squares")


@pytest.mark.tf
@pytest.mark.slow
def test_the_float_model_is_as_good_as_its_card_says(tmp_path: Path) -> None:
    from edgekit.evaluation.evaluate import evaluate

    shapes.write_npz(tmp_path / "held-out.npz", 2000, seed=2)
    found = evaluate(model_path("shapes"), tmp_path / "held-out.npz")
    assert found.value is not None
    assert found.value == pytest.approx(0.989, abs=0.003)
