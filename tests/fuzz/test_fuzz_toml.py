"""However a target's or a recipe's file is damaged: it is refused in words, or it is sound."""

import random
from pathlib import Path
from typing import Any

import pytest
from mutations import complaint, damage_text

from edgekit.records import to_json
from edgekit.targets import load_target, target_names, targets_dir


def refusals(read: Any, content: bytes, count: int, folder: Path, name: str) -> list[str]:
    """Read damaged copies of a file; return what is wrong with how that ends."""
    found = []
    for i in range(count):
        path = folder / f"case-{i}{Path(name).suffix}"
        path.write_bytes(damage_text(content, random.Random(f"{name} {i}")))
        if text := complaint(lambda path=path: to_json(read(path)), 5):  # type: ignore[misc] # a default binds the name
            found.append(f"{path}: {text}")
        else:
            path.unlink()
    return found


@pytest.mark.parametrize("name", target_names())
def test_a_damaged_target_is_refused_in_words(
    name: str, tmp_path: Path, fuzz_rounds: int
) -> None:
    content = (targets_dir() / f"{name}.toml").read_bytes()

    def read(case: Path) -> object:
        return load_target(str(case))

    found = refusals(read, content, fuzz_rounds // 3, tmp_path, f"{name}.toml")
    assert not found, "\n".join(found[:10])


def test_a_damaged_recipe_is_refused_in_words(tmp_path: Path, fuzz_rounds: int) -> None:
    recipe = pytest.importorskip("edgekit_converters.recipe")
    content = recipe.write_recipe(
        recipe.Recipe(model="a.keras", calibrate="photos", targets=("host",), samples=50)
    ).encode()
    found = refusals(recipe.read_recipe, content, 2 * fuzz_rounds, tmp_path, "recipe.toml")
    assert not found, "\n".join(found[:10])
