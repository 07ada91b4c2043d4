"""Keras files of others can be pruned, and the proof holds for each."""

from pathlib import Path

import pytest

from edgekit_converters.prune import prune
from edgekit_converters.sources import load_source

pytestmark = [pytest.mark.tf, pytest.mark.data, pytest.mark.slow]

FILES = (
    "mlperf_tiny/**/vww_96.h5",
    "mlperf_tiny/**/pretrainedResnet.h5",
    "mlperf_tiny/**/ad01.h5",
    "mlperf_tiny/**/str_ww_ref_model.h5",
    "st_modelzoo/**/mobilenet_v1_0.25_224.h5",
    "face_classification/**/*.hdf5",
)


@pytest.mark.parametrize("pattern", FILES)
def test_half_the_work_goes_and_the_rest_is_unchanged(data_dir: Path, pattern: str) -> None:
    (path,) = (data_dir / "models" / "keras").glob(pattern)
    source = load_source(path)
    assert source.kind == "keras"
    pruned = prune(source.model, "macs:0.5")
    assert pruned.proof_difference is not None
    assert pruned.proof_difference <= 1e-4
    assert 0.4 <= pruned.after.macs / pruned.before.macs <= 0.5
    assert len(pruned.frozen) == 1, "only the output stays whole"
