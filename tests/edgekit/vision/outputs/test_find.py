"""Whatever a model's outputs are, they are decoded to boxes or refused in words."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import EdgekitError, TargetError
from edgekit.manifest import Manifest, Output
from edgekit.runtime import TensorSpec
from edgekit.vision.outputs.find import FAMILIES, open_decoder

SIZE = (32, 64)
CELLS = 4 * 8 + 2 * 4 + 1 * 2
lengths = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 16, CELLS, 3 * CELLS, 896])
shapes = st.tuples(st.just(1), lengths, lengths) | st.lists(lengths, max_size=4).map(tuple)
roles = st.sampled_from(["boxes", "scores", "classes", "count", "values"])
decodings = st.none() | st.fixed_dictionaries(
    {"kind": st.sampled_from(["ssd", "postprocess", "?"])},
    optional={
        "levels": st.lists(
            st.fixed_dictionaries(
                {
                    "stride": st.integers(-1, 32),
                    "sizes": st.lists(
                        st.lists(st.integers(0, 9), min_size=2, max_size=2), max_size=2
                    ),
                }
            ),
            max_size=2,
        ),
        "background": st.booleans(),
        "per_class": st.booleans(),
        "score": st.sampled_from(["sigmoid", "none", 3]),
        "threshold": st.sampled_from([0.0, 0.5, "x", None]),
        "iou": st.sampled_from([0.0, 0.5, -1]),
    },
)


@settings(max_examples=400)
@given(
    outputs=st.lists(st.tuples(shapes, roles), min_size=1, max_size=4),
    decoding=decodings,
    labels=st.integers(0, 4),
    seed=st.integers(0, 9),
)
def test_any_outputs_become_finite_boxes_or_one_clear_error(
    outputs: list[tuple[tuple[int, ...], str]], decoding: Any, labels: int, seed: int
) -> None:
    specs = [TensorSpec(f"y{i}", shape, "float32") for i, (shape, _) in enumerate(outputs)]
    said = tuple(Output(name=f"y{i}", role=role) for i, (_, role) in enumerate(outputs))
    try:
        manifest = Manifest(outputs=said, decoding=decoding)
        decoder = open_decoder(specs, SIZE, manifest, labels=labels)
    except EdgekitError:
        return
    rng = np.random.default_rng(seed)
    values = {spec.name: rng.normal(0, 3, spec.shape).astype(np.float32) for spec in specs}
    for each in values.values():
        each[rng.random(each.shape) < 0.1] = rng.choice([np.nan, np.inf, -np.inf, 1e38])
    for threshold in (None, 0.0, 1.0):
        found = decoder.decode(values, threshold)
        assert np.isfinite(found.boxes).all()
        assert (np.diff(found.scores) <= 0).all()
        assert (found.classes >= 0).all()


def test_what_was_found_and_what_is_known_are_named() -> None:
    specs = [TensorSpec("y", (1, 7), "float32"), TensorSpec("z", (1, 2, 2, 1), "float32")]
    with pytest.raises(TargetError) as caught:
        open_decoder(specs, SIZE)
    assert "y [1, 7]\n  z [1, 2, 2, 1]" in str(caught.value)
    assert all(name in str(caught.value) for name in FAMILIES)
    assert caught.value.exit_code == 4
