"""Every Keras file in the data folder becomes a verified integer artifact for each target."""

from pathlib import Path

import pytest
from real_models import MODELS, TARGETS, Model, convert

from edgekit.runtime import load

IO = dict(zip(TARGETS, ("float32", "int8", "uint8"), strict=True))

pytestmark = [pytest.mark.tf, pytest.mark.data, pytest.mark.slow]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_published_keras_file_converts_for_every_target(
    model: Model, data_dir: Path, tmp_path: Path
) -> None:
    made = convert(model, data_dir, tmp_path)
    assert made.source.loaded_by == model.loaded_by
    assert made.import_difference <= 1e-4
    for each in made.artifacts:
        assert each.fully_integer
        assert load(each.path).inputs[0].dtype == IO[each.target]
        assert min(each.sqnr_db.values()) > 5
        assert each.agreement is None or each.agreement >= 0.7
    if model.published:
        published = (data_dir / model.published).stat().st_size
        assert made.artifacts[1].bytes <= 1.16 * published
