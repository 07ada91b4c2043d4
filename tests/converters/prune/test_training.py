"""Fine-tuning, distillation and data-driven importance, on data that a tiny net can learn."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgekit.data import Dataset, open_dataset
from edgekit.errors import DataError, UsageError
from edgekit_converters.prune import finetune, prune
from edgekit_converters.prune.training import lesson

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore::UserWarning:keras.*")]

SHAPE = (4, 4, 2)


def net(last: str | None = "softmax", outputs: int = 2) -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input(SHAPE, name="x"),
            layers.Conv2D(24, 3, padding="same", activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(outputs, activation=last),
        ]
    )


def dataset(folder: Path, n: int = 128, *, labelled: bool = True) -> Dataset:
    """Noise whose first or second channel is raised: that channel is the class."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    x = rng.normal(size=(n, *SHAPE)).astype(np.float32)
    x[np.arange(n), :, :, y] += 1.5
    np.savez(folder / "data.npz", **({"x": x, "y": y} if labelled else {"x": x}))
    return open_dataset(
        folder / "data.npz", shapes={"x": SHAPE}, preprocessing=None, labelled=labelled
    )


def accuracy(model: Any, data: Dataset) -> float:
    right = 0
    for sample in data:
        scores = np.asarray(model(sample.inputs["x"][None], training=False))[0]
        found = (
            scores.argmax() if len(scores) > 1 else scores[0] > (0.5 if scores[0] >= 0 else 0)
        )
        right += int(found == sample.label)
    return right / len(data)


@pytest.mark.parametrize(
    ("last", "outputs"),
    [("softmax", 2), (None, 2), ("sigmoid", 1)],
    ids=["probabilities", "logits", "one probability"],
)
def test_a_pruned_classifier_learns_from_labels(
    tmp_path: Path, last: str | None, outputs: int
) -> None:
    data = dataset(tmp_path)
    pruned = prune(net(last, outputs), "0.5", data=data, epochs=15)
    assert pruned.model.get_layer("conv").filters == 16
    assert accuracy(pruned.model, data) > 0.9


def test_distillation_brings_a_model_nearer_to_its_teacher(tmp_path: Path) -> None:
    data = dataset(tmp_path, labelled=False)
    teacher = net(None)
    student = prune(teacher, "0.6").model
    assert student.get_layer("conv").filters == 8

    def distance() -> float:
        x = np.stack([sample.inputs["x"] for sample in data])
        return float(np.abs(np.asarray(teacher(x)) - np.asarray(student(x))).mean())

    before = distance()
    finetune(student, data, 20, teacher=teacher, learning_rate=0.01)
    assert distance() < 0.7 * before


def test_labels_and_teacher_are_averaged(tmp_path: Path) -> None:
    data, teacher = dataset(tmp_path, n=40), net()
    with lesson(teacher, data, teacher=teacher) as taught:
        inputs, targets = taught.batches[0]
        given = np.asarray(teacher(inputs))
        np.testing.assert_allclose(targets.sum(-1), 1, rtol=1e-5)
        hard = 2 * targets - given
        np.testing.assert_allclose(np.sort(hard, -1), [[0, 1]] * len(hard), atol=1e-5)


def test_every_sample_comes_once_an_epoch(tmp_path: Path) -> None:
    data, model = dataset(tmp_path, n=64), net()
    with lesson(model, data) as taught:
        for _ in range(2):
            seen = np.concatenate([taught.batches[i][0] for i in range(len(taught.batches))])
            wanted = np.stack([sample.inputs["x"] for sample in data])
            order = [each[:, 0, 0, 0].argsort() for each in (seen, wanted)]
            np.testing.assert_array_equal(seen[order[0]], wanted[order[1]])
            taught.batches.on_epoch_end()


def test_taylor_keeps_the_channels_that_the_loss_needs(tmp_path: Path) -> None:
    """Channels that the last layer does not read change nothing, however large they are."""
    model, data = net(), dataset(tmp_path)
    conv, dense = model.layers[0], model.layers[-1]
    read = np.arange(24) % 3 == 0
    dense.kernel.assign(keras.ops.convert_to_numpy(dense.kernel) * read[:, None])
    conv.kernel.assign(keras.ops.convert_to_numpy(conv.kernel) * np.where(read, 0.5, 2.0))
    pruned = prune(model, "0.6", importance="taylor", data=data).model
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(pruned.layers[0].kernel),
        keras.ops.convert_to_numpy(conv.kernel)[..., read],
    )


def test_the_ranking_is_chosen_by_what_is_left_on_samples_held_out(tmp_path: Path) -> None:
    """Large channels that the last layer does not read mislead norms, not the labels."""
    model, data = net(), dataset(tmp_path)
    conv, dense = model.layers[0], model.layers[-1]
    read = np.arange(24) % 3 == 0
    dense.kernel.assign(keras.ops.convert_to_numpy(dense.kernel) * read[:, None])
    conv.kernel.assign(keras.ops.convert_to_numpy(conv.kernel) * np.where(read, 0.5, 2.0))
    assert prune(model, "0.6", data=data).importance == "taylor"
    assert prune(model, "0.6", data=data, importance="l1").importance == "l1"


def test_without_labels_channels_are_ranked_by_their_norm(tmp_path: Path) -> None:
    assert prune(net(), "0.5").importance == "l1"
    assert prune(net(), "0.5", data=dataset(tmp_path, labelled=False)).importance == "l1"


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    data = dataset(tmp_path, n=40)
    one, other = (prune(net(), "0.5", data=data, epochs=1, seed=4).model for _ in range(2))
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)


def test_a_trained_model_is_saved_without_its_optimizer(tmp_path: Path) -> None:
    pruned = prune(net(), "0.5", data=dataset(tmp_path), epochs=1).model
    pruned.save(tmp_path / "pruned.keras")
    again = keras.models.load_model(tmp_path / "pruned.keras")
    assert getattr(again, "optimizer", None) is None
    assert (tmp_path / "pruned.keras").stat().st_size < 40_000


def test_data_without_labels_ask_for_a_teacher(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--distill"):
        finetune(net(), dataset(tmp_path, labelled=False), 1)


def test_several_inputs_and_outputs_learn_from_a_teacher(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    one, other = keras.Input((6,), name="one"), keras.Input((3,), name="other")
    x = layers.Concatenate()([layers.Dense(24)(one), layers.Dense(16)(other)])
    teacher = keras.Model([one, other], [layers.Dense(4)(x), layers.Dense(2)(x)])
    rng = np.random.default_rng(1)
    feed = [rng.normal(size=(64, size)).astype(np.float32) for size in (6, 3)]
    np.savez(tmp_path / "both.npz", one=feed[0], other=feed[1])
    data = open_dataset(
        tmp_path / "both.npz",
        shapes={"one": (6,), "other": (3,)},
        preprocessing=None,
        labelled=False,
    )
    student = prune(teacher, "0.6").model

    def distance() -> float:
        pairs = zip(teacher(feed), student(feed), strict=True)
        return sum(float(np.abs(np.asarray(a) - np.asarray(b)).mean()) for a, b in pairs)

    before = distance()
    finetune(student, data, 20, teacher=teacher, learning_rate=0.01)
    assert distance() < 0.5 * before


def test_more_classes_than_outputs_are_refused(tmp_path: Path) -> None:
    model = net(outputs=3)
    np.savez(
        tmp_path / "many.npz", x=np.zeros((4, *SHAPE), np.float32), y=np.array([0, 1, 2, 7])
    )
    data = open_dataset(
        tmp_path / "many.npz", shapes={"x": SHAPE}, preprocessing=None, labelled=True
    )
    with pytest.raises(DataError, match=r"class 7, but .* 3 classes"):
        finetune(model, data, 1)


def test_taylor_without_data_says_so() -> None:
    with pytest.raises(UsageError, match="needs data with labels"):
        prune(net(), "0.5", importance="taylor")
