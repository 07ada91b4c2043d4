"""A model may end at layers of one's choice, such as a detector's heads."""

from pathlib import Path

import numpy as np
import pairs
import pytest

from edgekit.errors import SourceError
from edgekit.runtime import load
from edgekit_converters.sources import Source, load_source
from edgekit_converters.sources.ending import ending_at

RNG = np.random.default_rng(0)
X = RNG.standard_normal((1, 6, 6, 3)).astype(np.float32)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """Return a float .tflite: two convolutions, then a third that decodes."""
    layers: pairs.Net = {
        "stem": pairs.conv(RNG.standard_normal((4, 3, 3, 3)), np.ones(4)),
        "heads": pairs.conv(RNG.standard_normal((5, 1, 1, 4)), np.zeros(5), "stem"),
        "decoded": pairs.conv(RNG.standard_normal((2, 1, 1, 5)), np.zeros(2), "heads"),
    }
    path = tmp_path / "net.tflite"
    content = pairs.pair_of(layers, X.shape, X[None]).float_graph.file.data
    path.write_bytes(content)
    return path


@pytest.fixture
def keras_net(tmp_path: Path) -> Source:
    """Return a Keras model of two heads and what decodes them."""
    import keras

    layers = keras.layers
    x = keras.Input((6, 6, 3))
    stem = layers.Conv2D(4, 3, name="stem")(x)
    boxes, scores = layers.Conv2D(4, 1, name="boxes")(stem), layers.Conv2D(2, 1, name="scores")
    decoded = layers.Concatenate(name="decoded")([boxes, scores(stem)])
    path = tmp_path / "net.keras"
    keras.Model(x, decoded).save(path)
    return load_source(path)


def test_a_tflite_ends_at_a_tensor_and_computes_the_same_up_to_there(
    net: Path, tmp_path: Path
) -> None:
    cut = ending_at(load_source(net), ["heads"], tmp_path)
    model = load(cut.model, probe=False)
    whole = ending_at(load_source(net), ["heads", "decoded"], tmp_path / "both")
    both = load(whole.model, probe=False)(X)
    assert [spec.shape for spec in model.outputs] == [(1, 6, 6, 5)]
    assert isinstance(both, dict)
    assert len(both) == 2
    np.testing.assert_allclose(np.asarray(model(X)), next(iter(both.values())), rtol=1e-6)


@pytest.mark.tf
def test_a_keras_model_ends_at_its_layers_in_the_order_given(
    keras_net: Source, tmp_path: Path
) -> None:
    cut = ending_at(keras_net, ["scores", "boxes"], tmp_path)
    assert [tuple(each.shape[1:]) for each in cut.model.outputs] == [(4, 4, 2), (4, 4, 4)]
    assert len(cut.outputs) == 2


def test_a_name_that_the_model_lacks_is_refused_with_those_near_it(
    net: Path, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=r"no tensor 'head' to end at.\nNear it: heads"):
        ending_at(load_source(net), ["head"], tmp_path)
