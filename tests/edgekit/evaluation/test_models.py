"""How inputs and outputs of two models are matched, and which output holds class scores."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import InputError, UsageError
from edgekit.evaluation.models import class_output, match, open_model, sample_shapes
from edgekit.manifest import Manifest, Output
from edgekit.runtime import TensorSpec


def spec(name: str, shape: tuple[int, ...]) -> TensorSpec:
    return TensorSpec(name, shape, "float32")


@dataclass(frozen=True)
class Model:
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    manifest: Manifest | None = None

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError


specs = st.lists(
    st.builds(spec, st.text("abcdef", min_size=1), st.tuples(st.just(1), st.integers(1, 5))),
    min_size=1,
    max_size=5,
    unique_by=lambda each: each.name,
)


@given(first=specs, order=st.randoms(use_true_random=False))
def test_tensors_are_matched_by_name_whatever_their_order(
    first: list[TensorSpec], order: Any
) -> None:
    second = [spec(f"serving_default_{each.name}:0", each.shape) for each in first]
    order.shuffle(second)
    found = match(first, second, "inputs")
    assert found == {each.name: f"serving_default_{each.name}:0" for each in first}


def test_tensors_of_other_names_are_matched_by_place_if_the_shapes_agree() -> None:
    first, second = [spec("a", (1, 4)), spec("b", (1, 2))], [spec("x", (4,)), spec("y", (2,))]
    assert match(first, second, "outputs") == {"a": "x", "b": "y"}


def test_tensors_that_were_reordered_are_matched_by_shapes_that_occur_once() -> None:
    first = [spec("a", (1, 4)), spec("b", (1, 2))]
    second = [spec("x", (1, 2)), spec("y", (1, 4))]
    assert match(first, second, "outputs") == {"a": "y", "b": "x"}


def test_tensors_that_do_not_fit_are_refused_with_their_shapes() -> None:
    with pytest.raises(UsageError, match=r"outputs are \(1, 4\) and \(1, 3\)"):
        match([spec("a", (1, 4))], [spec("a", (1, 3))], "outputs")


IMAGE = (spec("image", (1, 8, 8, 3)),)


@pytest.mark.parametrize(
    ("outputs", "manifest", "found"),
    [
        pytest.param([spec("y", (1, 10))], None, "y", id="a vector"),
        pytest.param([spec("y", (1, 1, 1, 10))], None, "y", id="a vector with ones"),
        pytest.param([spec("y", (1, 1))], None, None, id="one value"),
        pytest.param([spec("y", (1, 8, 8, 3))], None, None, id="a picture"),
        pytest.param([spec("y", (1, 10)), spec("z", (1, 4))], None, None, id="two outputs"),
        pytest.param(
            [spec("z", (1, 4)), spec("y", (1, 10))],
            Manifest(outputs=(Output(name="y", role="logits"), Output(name="z"))),
            "y",
            id="the manifest says which",
        ),
        pytest.param(
            [spec("y", (1, 10))],
            Manifest(outputs=(Output(name="y", role="values"),)),
            None,
            id="the manifest says none",
        ),
    ],
)
def test_which_output_holds_class_scores(
    outputs: list[TensorSpec], manifest: Manifest | None, found: str | None
) -> None:
    assert class_output(Model(IMAGE, tuple(outputs), manifest)) == found


def test_an_autoencoder_has_no_class_scores() -> None:
    assert class_output(Model((spec("x", (1, 640)),), (spec("y", (1, 640)),))) is None


def test_a_sample_has_no_batch_unless_the_model_has_none() -> None:
    model = Model((spec("a", (1, 8, 8, 3)), spec("b", (16000,))), ())
    assert sample_shapes(model) == {"a": (8, 8, 3), "b": (16000,)}


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.tflite"):
        open_model(tmp_path / "nothing.tflite")
