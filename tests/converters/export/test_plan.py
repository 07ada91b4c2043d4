"""What a target cannot do is refused before anything is converted."""

from typing import Any

import pytest

from edgekit.errors import EdgekitError, TargetError, UsageError
from edgekit_converters.export.plan import plans
from edgekit_converters.recipe import Recipe

AUTO: dict[str, Any] = {"auto_keep_float": True, "evaluate": "labelled", "max_drop": 1.0}


@pytest.mark.parametrize(
    ("wishes", "error", "words"),
    [
        pytest.param(
            {"targets": ("coral-usb",), "keep_float": ("head",)},
            TargetError,
            "integers only.*--keep-float",
            id="float layer, integer target",
        ),
        pytest.param(
            {"targets": ("coral-usb",), **AUTO},
            TargetError,
            "integers only.*--auto-keep-float",
            id="search for float layers, integer target",
        ),
        pytest.param(
            {"scheme": "dynamic", "keep_float": ("head",)},
            UsageError,
            "computes in float anyway",
            id="float layer, float scheme",
        ),
        pytest.param(
            {"scheme": "float16", "diagnose": True}, UsageError, "--scheme int8", id="diagnose"
        ),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(
    wishes: dict[str, Any], error: type[EdgekitError], words: str
) -> None:
    with pytest.raises(error, match=f"(?s){words}") as caught:
        plans(Recipe(model="m.keras", calibrate="photos", **wishes))
    assert caught.value.exit_code == (4 if error is TargetError else 2)


def test_float_layers_are_for_targets_that_have_floats() -> None:
    recipe = Recipe(
        model="m.keras", calibrate="x", targets=("raspberry-pi-4",), keep_float=("a",)
    )
    assert [plan.scheme for plan in plans(recipe)] == ["int8"]
