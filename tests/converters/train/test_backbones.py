"""Backbones are the published MobileNets, and take their weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import SourceError, UsageError

keras = pytest.importorskip("keras")
backbones = pytest.importorskip("edgekit_converters.train.backbones")
pytestmark = pytest.mark.tf

SIZE = 64


def built(name: str, *, whole: bool = True) -> Any:
    picture = keras.Input((SIZE, SIZE, 3))
    seen = backbones.build(name, picture, whole=whole)
    return keras.Model(picture, {"top": seen.top, **{str(s): x for s, x in seen.taps.items()}})


def published(name: str) -> Any:
    kind = keras.applications.MobileNet if "v1" in name else keras.applications.MobileNetV2
    width = float(name.rpartition("_")[2])
    keras.utils.set_random_seed(2)
    return kind((SIZE, SIZE, 3), alpha=width, weights=None, include_top=False)


@pytest.mark.parametrize("name", ["mobilenet_v1_0.25", "mobilenet_v2_0.35"])
def test_with_the_weights_of_the_published_net_it_sees_the_same(
    name: str, tmp_path: Path
) -> None:
    original, ours = published(name), built(name)
    original.save(tmp_path / "original.keras")
    weighted = [layer for layer in ours.layers if layer.weights]
    assert backbones.load_weights(ours, tmp_path / "original.keras") == len(weighted)
    x = np.random.default_rng(0).uniform(-1, 1, (2, SIZE, SIZE, 3)).astype(np.float32)
    expected = np.asarray(original(x))
    np.testing.assert_allclose(np.asarray(ours(x)["top"]), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["mobilenet_v1_0.25", "mobilenet_v2_1.0"])
@pytest.mark.parametrize("whole", [True, False])
def test_feature_maps_have_the_strides_that_they_are_called_by(name: str, whole: bool) -> None:
    net = built(name, whole=whole)
    for stride in backbones.STRIDES:
        assert net.output[str(stride)].shape[1:3] == (SIZE // stride, SIZE // stride)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v1_", "mobilenet_v1_0", ""])
def test_an_unknown_backbone_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=r"mobilenet_v1_0\.25"):
        built(name)


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(SourceError, match="no layer that fits"):
        backbones.load_weights(built("mobilenet_v1_0.25"), tmp_path / "other.keras")
