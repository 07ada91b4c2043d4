"""Laws of channel pruning, on small models of every family."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgekit.errors import EdgekitError, SourceError, UnknownName, UsageError
from edgekit_converters.prune import Pruned, prune
from edgekit_converters.prune.graph import Graph
from edgekit_converters.prune.groups import find
from edgekit_converters.prune.rebuild import rebuild
from edgekit_converters.prune.reference import prove
from edgekit_converters.prune.rules import read
from edgekit_converters.prune.select import per_mac

pytestmark = pytest.mark.tf

AMOUNTS = ("channels:0.5", "macs:0.4")
Build = Callable[[str, int], Any]


def numbers(variable: Any) -> Any:
    return keras.ops.convert_to_numpy(variable).copy()


@pytest.mark.parametrize("amount", AMOUNTS)
def test_the_pruned_model_equals_the_masked_original(
    build: Build, family: str, amount: str
) -> None:
    model = build(family, 5)
    before = [numbers(weight) for weight in model.weights]
    pruned = prune(model, amount, seed=3)
    assert pruned.proof_difference is not None
    assert pruned.proof_difference <= 1e-4
    assert [x.shape for x in pruned.model.outputs] == [x.shape for x in model.outputs]
    assert [x.shape for x in pruned.model.inputs] == [x.shape for x in model.inputs]
    assert pruned.after.parameters < pruned.before.parameters
    assert pruned.after.parameters == pruned.model.count_params()
    assert pruned.after.macs < pruned.before.macs
    for group in pruned.thinned:
        assert group.after == group.before or group.after % 8 == 0
        assert group.after >= min(8, group.before)
    if amount == "macs:0.4":
        assert pruned.after.macs <= 0.6 * pruned.before.macs
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, numbers(new), "the original has changed")


def test_random_channels_may_go_too(build: Build, family: str) -> None:
    """The proof holds for any choice, not only for the one that importance makes."""
    assert drop_at_random(build(family, 1), seed=len(family)) <= 1e-4


@pytest.mark.parametrize("seed", range(8))
def test_random_channels_of_random_graphs_may_go(build: Build, seed: int) -> None:
    assert drop_at_random(build("random", seed), seed) <= 1e-4


def test_open_sizes_stay_open() -> None:
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(16, 3, padding="same")(layers.Conv2D(24, 3, strides=2)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    pruned = prune(model, "0.5")
    assert pruned.model.inputs[0].shape == (None, None, None, 3)
    assert pruned.after.macs < pruned.before.macs


def drop_at_random(model: Any, seed: int) -> float:
    """Prune channels at random, in any number, and return the difference of the proof."""
    book = read(Graph(model))
    rng = np.random.default_rng(seed)
    kept = book.everything()
    units = book.atoms.roots(np.arange(len(book.atoms)))
    for group in find(book):
        count = len(group.units)
        if not group.reasons and count > 1:
            gone = rng.choice(group.units, int(rng.integers(1, count)), replace=False)
            kept &= ~np.isin(units, gone)
    return prove(book, kept, rebuild(book, kept))


@pytest.mark.parametrize("name", ["nested", "several_ways", "operations"])
def test_a_pruned_model_survives_a_file(
    build: Build, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = prune(build(name, 3), "0.5").model
    path = tmp_path_factory.mktemp("models") / "pruned.keras"
    model.save(path)
    again = keras.models.load_model(path, compile=False)
    for old, new in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(numbers(old), numbers(new))


@pytest.mark.parametrize("name", ["residual", "inception", "flattened", "nested", "sequence"])
def test_the_proof_notices_every_misplaced_kernel(build: Build, name: str) -> None:
    """The channels of one kernel after the other are rotated by one."""
    model = build(name, 4)
    book = read(Graph(model))
    kept = book.everything()
    pruned = rebuild(book, kept)
    assert prove(book, kept, pruned) <= 1e-4
    for kernel in (weight for weight in pruned.weights if len(weight.shape) > 1):
        right = numbers(kernel)
        kernel.assign(np.roll(right, 1, axis=-1 if right.shape[-1] > 1 else -2))
        with pytest.raises(EdgekitError, match="differs from the masked original"):
            prove(book, kept, pruned)
        kernel.assign(right)


def test_macs_are_those_of_the_formula() -> None:
    model = keras.Sequential(
        [keras.Input((10, 10, 3)), layers.Conv2D(16, 3), layers.Flatten(), layers.Dense(5)]
    )
    pruned = prune(model, "0.5")
    assert pruned.before.macs == 8 * 8 * 9 * 3 * 16 + 8 * 8 * 16 * 5
    assert pruned.after.macs == pruned.before.macs // 2


@pytest.mark.parametrize("ranking", ["layer", "global"])
@pytest.mark.parametrize("measure", ["l1", "l2", "batchnorm"])
def test_the_least_important_channels_go(measure: str, ranking: Any) -> None:
    """Channels made small on purpose are those that go."""
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(16, 3, name="conv")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    big = np.tile([1.0, 0.01], 8)
    conv, bn = model.get_layer("conv"), model.get_layer("bn")
    conv.kernel.assign(numbers(conv.kernel) * (1 if measure == "batchnorm" else big))
    bn.gamma.assign(big if measure == "batchnorm" else np.ones(16))
    pruned = prune(model, "0.5", importance=measure, ranking=ranking).model
    np.testing.assert_array_equal(
        numbers(pruned.get_layer("conv").kernel), numbers(conv.kernel)[..., ::2]
    )


def test_of_equally_important_channels_those_go_first_that_save_most(build: Build) -> None:
    """A channel of the first layer is worth its 9 x 3 weights, and 9 x 32 of the next one."""
    book = read(Graph(build("plain", 1)))
    groups = find(book)[:2]
    first, second = per_mac(book, groups, [np.ones(len(group.units)) for group in groups])
    assert np.ptp(first) == np.ptp(second) == 0
    saved = 10 * 10 * 9 * 3 + 3 * 3 * 9 * 32, 3 * 3 * 9 * 24 + 20
    np.testing.assert_allclose([1 / first[0], 1 / second[0]], saved)


def test_batch_norm_falls_back_on_the_norm(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    pruned = prune(build("plain", 1), "0.5", importance="batchnorm")
    assert pruned.after.macs < pruned.before.macs
    assert "No BatchNorm after conv2d" in caplog.text


def frozen_reasons(pruned: Pruned) -> dict[str, str]:
    return {layer: frozen.reason for frozen in pruned.frozen for layer in frozen.layers}


def test_what_is_frozen_is_named_with_its_reason() -> None:
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(16, 3, name="free")(inputs)
    x = layers.Conv2D(16, 3, name="before_groups")(x)
    x = layers.Conv2D(16, 3, groups=2, name="grouped")(x)
    x = layers.Conv2D(16, 3, name="before_sequence")(x)
    x = layers.Reshape((16, 16))(x)
    y = layers.MultiHeadAttention(2, 8, name="attention")(x, x)
    y = layers.Dense(16, name="before_lambda")(layers.LSTM(16, name="lstm")(y))
    y = layers.Lambda(lambda value: value * 2.0, output_shape=(16,), name="code")(y)
    y = layers.Dense(16, activation="softmax", name="gate")(y)
    y = layers.Dense(16, name="before_group_norm")(y)
    y = layers.GroupNormalization(4, name="group_norm")(y)
    model = keras.Model(inputs, layers.Dense(3, name="last")(y))
    pruned = prune(model, "0.5")
    assert [group.layers for group in pruned.thinned] == [("free",)]
    reasons = frozen_reasons(pruned)
    assert reasons["before_groups"] == reasons["grouped"] == "grouped is a grouped convolution"
    assert reasons["before_sequence"] == "attention is attention"
    assert reasons["lstm"] == "lstm is a recurrent cell"
    assert reasons["before_lambda"].startswith("code is a Lambda")
    assert reasons["gate"] == "gate has an activation over all channels"
    assert reasons["before_group_norm"].startswith("group_norm is normalization")
    assert reasons["last"] == "it is an output of the model"


def test_a_shared_layer_is_frozen(build: Build) -> None:
    reasons = frozen_reasons(prune(build("shared", 1), "0.5"))
    assert reasons["twin"] == "twin is called more than once"
    assert "alone" not in reasons


def test_a_nested_model_called_twice_is_frozen() -> None:
    part = keras.Sequential([keras.Input((8, 8, 16)), layers.Conv2D(16, 1)], name="part")
    inputs = keras.Input((8, 8, 3))
    x = part(part(layers.Conv2D(16, 1, name="first")(inputs)))
    x = layers.Conv2D(24, 1, name="free")(x)
    pruned = prune(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))), "0.5")
    assert [group.layers for group in pruned.thinned] == [("free",)]
    assert frozen_reasons(pruned)["first"] == "part is called more than once"


def test_a_subclass_of_a_known_layer_is_not_trusted() -> None:
    class Odd(layers.Conv2D):  # type: ignore[misc] # keras has no types
        def call(self, inputs: Any) -> Any:
            return super().call(inputs)[..., ::-1]

    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 1, name="free")(Odd(16, 1, name="odd")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    with keras.utils.custom_object_scope({"Odd": Odd}):
        reasons = frozen_reasons(prune(model, "0.5"))
    assert reasons["odd"] == "odd is a Odd, which the pruner does not look into"


def test_channels_first_are_left_alone() -> None:
    inputs = keras.Input((3, 8, 8))
    x = layers.Conv2D(16, 3, data_format="channels_first", name="first")(inputs)
    x = layers.Dense(16, name="free")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    assert frozen_reasons(prune(model, "0.5"))["first"] == "first has its channels first"


class Subclass(keras.Model):  # type: ignore[misc] # keras has no types
    def call(self, inputs: Any) -> Any:
        return inputs


@pytest.mark.parametrize(
    ("model", "match"),
    [
        pytest.param(Subclass, "code of its own", id="subclass"),
        pytest.param(
            lambda: keras.Sequential([layers.Dense(4)]), "Sequential without one", id="no shape"
        ),
        pytest.param(
            lambda: keras.Sequential([keras.Input((4,)), layers.Dense(8), layers.Dense(16)]),
            "No channel of .* can be pruned",
            id="nothing to prune",
        ),
    ],
)
def test_models_that_cannot_be_pruned_are_refused(model: Any, match: str) -> None:
    with pytest.raises(SourceError, match=match):
        prune(model(), "0.5")


def test_too_many_macs_are_refused_with_what_is_possible(build: Build) -> None:
    with pytest.raises(UsageError, match=r"can lose \d\d%"):
        prune(build("shared", 1), "macs:0.95")


def test_an_unknown_importance_lists_the_known_ones(build: Build) -> None:
    with pytest.raises(UnknownName, match="l1, l2, batchnorm, taylor"):
        prune(build("plain", 1), "0.5", importance="luck")


@pytest.mark.parametrize(
    "options", [{"epochs": 1}, {"importance": "taylor"}], ids=["fine-tuning", "taylor"]
)
def test_what_needs_data_says_so(build: Build, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="needs data"):
        prune(build("plain", 1), "0.5", **options)


def test_the_proof_is_relative_for_large_values() -> None:
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Conv2D(16, 3), layers.Flatten(), layers.Dense(2)]
    )
    for weight in model.weights:
        weight.assign(numbers(weight) * 1e4)
    difference = prune(model, "0.5").proof_difference
    assert difference is not None
    assert math.isfinite(difference)
    assert difference <= 1e-4
