"""Networks: each takes the same features, and the streaming one gives the same in steps."""

from typing import Any

import numpy as np
import pytest

from edgekit.errors import UnknownName

keras = pytest.importorskip("keras")
networks = pytest.importorskip("edgekit_converters.train.keywords.networks")
streaming = pytest.importorskip("edgekit_converters.train.keywords.streaming")
pytestmark = pytest.mark.tf

FRAMES, FEATURES, CLASSES = 64, 20, 5
EVERY = 4


@pytest.mark.parametrize("name", list(networks.NETWORKS))
def test_a_window_of_features_becomes_probabilities(name: str) -> None:
    model = networks.build(name, FRAMES, FEATURES, CLASSES)
    assert model.input_shape == (None, FRAMES, FEATURES)
    given = np.random.default_rng(0).normal(size=(2, FRAMES, FEATURES)).astype(np.float32)
    found = np.asarray(model(given))
    assert found.shape == (2, CLASSES)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", list(networks.NETWORKS))
def test_networks_are_small(name: str) -> None:
    assert networks.build(name, FRAMES, 40, 6).count_params() < 90_000


def test_an_unknown_network_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"No network named 'vgg'\. Known: .*tc-resnet"):
        networks.build("vgg", FRAMES, FEATURES, CLASSES)


@pytest.fixture(scope="module")
def window() -> Any:
    """Return a streaming network whose weights, and statistics, are random."""
    keras.utils.set_random_seed(0)
    model = networks.build("streaming", FRAMES, FEATURES, CLASSES)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights(
                [rng.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()]
            )
    return model


def test_steps_give_what_windows_give(window: Any) -> None:
    step = streaming.step_model(window, EVERY)
    rows = np.random.default_rng(2).normal(size=(120, FEATURES)).astype(np.float32)
    names = [each.name for each in step.model.inputs[1:]]
    assert list(step.states) == names
    state = [np.zeros((1, *each.shape[1:]), np.float32) for each in step.model.inputs[1:]]
    for end in range(EVERY, len(rows) + 1, EVERY):
        given = [rows[np.newaxis, end - EVERY : end], *state]
        scores, *state = step.model.predict_on_batch(given)
        if end >= FRAMES:
            whole = window(rows[np.newaxis, end - FRAMES : end])
            np.testing.assert_allclose(scores, whole, atol=1e-5)


def test_typical_steps_are_inputs_of_the_step_model(window: Any) -> None:
    step = streaming.step_model(window, EVERY)
    rows = np.random.default_rng(2).normal(size=(400, FEATURES)).astype(np.float32)
    typical = streaming.typical_steps(step, rows, EVERY, 10)
    for each in step.model.inputs:
        values = typical[each.name]
        assert values.shape == (10, *each.shape[1:])
        assert values.reshape(10, -1).any(axis=1).all()
