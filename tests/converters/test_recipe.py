"""A recipe repeats a run: it survives being written, and refuses what makes no sense."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import RecordError, UsageError
from edgekit.manifest import Overrides
from edgekit.records import from_json, to_json
from edgekit_converters.recipe import Recipe, read_recipe, with_absolute_paths, write_recipe

recipes = st.builds(
    Recipe,
    model=st.text(min_size=1),
    targets=st.lists(st.sampled_from(["host", "coral-usb", "android"]), min_size=1).map(tuple),
    scheme=st.sampled_from([None, "int8", "float16"]),
    io=st.sampled_from([None, "int8", "uint8"]),
    calibrate=st.none() | st.text(min_size=1),
    evaluate=st.just("labelled"),
    samples=st.integers(1, 10_000),
    seed=st.integers(0, 2**31),
    max_drop=st.none() | st.floats(0, 100),
    preprocessing=st.builds(Overrides, color=st.sampled_from([None, "bgr"])),
    input_shape=st.none() | st.lists(st.integers(1, 512), min_size=1, max_size=4).map(tuple),
)


@given(recipe=recipes)
def test_a_written_recipe_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, recipe: Recipe
) -> None:
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(write_recipe(recipe), encoding="utf-8")
    assert from_json(Recipe, read_recipe(path), "here") == recipe


def test_the_record_of_a_run_is_a_recipe_too(tmp_path: Path) -> None:
    recipe = Recipe(model="a.keras", calibrate="photos")
    (tmp_path / "run.json").write_text(json.dumps({"recipe": to_json(recipe)}))
    assert from_json(Recipe, read_recipe(tmp_path / "run.json"), "here") == recipe


def test_a_json_file_that_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[1, 2]")
    with pytest.raises(RecordError, match="no record of a run"):
        read_recipe(tmp_path / "other.json")


def test_an_unknown_field_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('model = "a.keras"\nsampels = 3\n')
    with pytest.raises(RecordError, match="unknown sampels"):
        read_recipe(tmp_path / "mine.toml")


def test_a_gate_without_evaluation_data_is_refused() -> None:
    with pytest.raises(UsageError, match="--evaluate"):
        Recipe(model="a.keras", max_drop=1.0)


def test_what_a_model_carries_names_no_folder_of_this_machine() -> None:
    recipe = Recipe(model="/home/me/a.keras", calibrate="/data/photos", samples=50)
    assert recipe.to_carry() == {"model": "a.keras", "calibrate": "photos", "samples": 50}


def test_relative_paths_are_made_absolute_and_names_of_targets_stay(tmp_path: Path) -> None:
    recipe = Recipe(model="a.keras", targets=("coral-usb", "mine.toml"))
    whole = with_absolute_paths(recipe, tmp_path)
    assert whole.model == str(tmp_path / "a.keras")
    assert whole.targets == ("coral-usb", str(tmp_path / "mine.toml"))


def test_a_search_for_float_layers_needs_a_limit() -> None:
    with pytest.raises(UsageError, match="--max-drop POINTS"):
        Recipe(model="a.keras", auto_keep_float=True)


def test_training_for_integers_and_float_layers_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--keep-float"):
        Recipe(model="a.keras", qat=1, data="labelled", keep_float=("head",))
