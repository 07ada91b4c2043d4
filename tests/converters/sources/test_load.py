"""Refusals of load_source, what each option accepts, and sources that are no Keras 2 files."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.artifact import write_keras_manifest
from edgekit.errors import SourceError
from edgekit.manifest import Manifest
from edgekit_converters.sources import check_import, fix_batch, load_source, write_float
from edgekit_converters.sources.invoke import predict

pytestmark = pytest.mark.tf
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

MY_LAYERS = """
import {library} as keras

class Scale(keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.scale * 3.0
"""


@pytest.fixture(params=["keras", "tf_keras"])
def custom(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Path, str]]:
    """Return a model with a layer of its own, the file that defines it, and its library."""
    library = pytest.importorskip(request.param)
    code = tmp_path / "my_layers.py"
    code.write_text(MY_LAYERS.format(library=request.param))
    space: dict[str, Any] = {"__name__": "elsewhere"}
    exec(compile(code.read_text(), "elsewhere", "exec"), space)
    given = library.Input((4,))
    model = library.Model(given, library.layers.Dense(2)(space["Scale"]()(given)))
    model.save(tmp_path / "model.keras")
    yield tmp_path / "model.keras", code, request.param
    sys.modules.pop("edgekit_imported_my_layers", None)


def test_an_unknown_layer_is_named(custom: tuple[Path, Path, str]) -> None:
    with pytest.raises(SourceError, match=r"'Scale'(.|\n)*--import-module my_layers\.py"):
        load_source(custom[0])


def test_an_imported_layer_is_used(custom: tuple[Path, Path, str], tmp_path: Path) -> None:
    path, code, library = custom
    source = fix_batch(load_source(path, import_modules=[code]))
    assert source.kind == library
    write_float(source, tmp_path / "float.tflite")
    check_import(source, tmp_path / "float.tflite")


@pytest.mark.parametrize("text", [None, "raise ValueError('no')", "def ("])
def test_an_import_that_fails_is_said(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    code = tmp_path / "mine.py"
    if text is not None:
        code.write_text(text)
    with pytest.raises(SourceError, match=r"mine\.py"):
        load_source(path, import_modules=[code])


def test_a_lambda_needs_trust(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    given = keras.Input((4,))
    keras.Model(given, keras.layers.Lambda(lambda x: x * 2 + 1)(given)).save(path)
    with pytest.raises(SourceError, match="--trust"):
        load_source(path)
    source = load_source(path, trust=True)
    np.testing.assert_allclose(source.model(np.ones((1, 4), "float32")), 3 * np.ones((1, 4)))


def test_tf_keras_runs_no_bytecode_before_trust(tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    path = tmp_path / "model.h5"
    given = tf_keras.Input((4,))
    model = tf_keras.Model(given, tf_keras.layers.Lambda(lambda x: x * 2 + 1)(given))
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(path)
    with pytest.raises(SourceError, match="--trust"):
        load_source(path)
    source = load_source(path, trust=True)
    found = predict(source.model, [np.ones((1, 4), "float32")])
    np.testing.assert_allclose(found[0], 3 * np.ones((1, 4)))


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_an_activation_of_ones_own_is_named_then_imported(suffix: str, tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    code = tmp_path / "mine.py"
    code.write_text("def wave(x):\n    return x * x\n")
    space: dict[str, Any] = {"__name__": "elsewhere"}
    exec(compile(code.read_text(), "elsewhere", "exec"), space)
    path = tmp_path / f"model.{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = tf_keras.Input((4,))
        tf_keras.Model(given, tf_keras.layers.Dense(3, activation=space["wave"])(given)).save(
            path
        )
    with pytest.raises(SourceError, match=r"'wave'(.|\n)*--import-module"):
        load_source(path)
    source = load_source(path, import_modules=[code])
    assert source.kind == "keras"
    ones = np.ones((1, 4), "float32")
    kernel, bias = source.model.get_weights()
    expected = (ones @ kernel + bias) ** 2
    np.testing.assert_allclose(predict(source.model, [ones])[0], expected, rtol=1e-5)


def test_a_picture_scaled_by_operations_of_keras_3_goes_in_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    given = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3)(given / 127.5 - 1.0)
    keras.Model(given, keras.layers.GlobalAveragePooling2D()(x)).save(path)
    assert load_source(path).normalizes_itself


def test_an_open_shape_needs_a_shape(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    x = given = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(x))
    keras.Model(given, x).save(path)
    with pytest.raises(SourceError, match=r"\(\?, \?, 3\)(.|\n)*--input-shape 224,224,3"):
        load_source(path)
    with pytest.raises(SourceError, match="does not fit"):
        load_source(path, input_shape=(24, 24, 1))
    source = load_source(path, input_shape=(24, 20, 3))
    assert source.inputs[0].shape == (24, 20, 3)
    assert fix_batch(source).model.input_shape == (1, 24, 20, 3)


def test_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    given = keras.Input((1,), dtype="string")
    keras.Model(given, keras.layers.StringLookup(vocabulary=["a"])(given)).save(path)
    with pytest.raises(SourceError, match="takes text"):
        load_source(path)


def test_the_manifest_of_a_keras_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]).save(path)
    write_keras_manifest(path, Manifest(name="mine", labels=("a", "b")))
    manifest = load_source(path).manifest
    assert manifest is not None
    assert manifest.labels == ("a", "b")


def test_another_batch_is_set_to_1_and_said(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    given = keras.Input(batch_shape=(8, 4))
    keras.Model(given, keras.layers.Dense(2)(given)).save(path)
    source = fix_batch(load_source(path))
    assert source.model.input_shape == (1, 4)
    assert "The model was made for batches of 8; it was set to 1." in source.notes


def test_a_saved_model_of_plain_tensorflow_is_a_source(tmp_path: Path) -> None:
    module = tf.Module()
    module.weight = tf.Variable(tf.ones((4, 2)))

    def call(x: Any) -> Any:
        return {"y": tf.nn.relu(x @ module.weight), "b": tf.reduce_sum(x, axis=1)}

    spec = tf.TensorSpec((None, 4), tf.float32, name="x")
    signature = tf.function(call).get_concrete_function(spec)
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=signature)
    source = fix_batch(load_source(tmp_path / "saved"))
    assert source.kind == source.loaded_by == "saved_model"
    assert source.outputs == ("b", "y")
    write_float(source, tmp_path / "float.tflite")
    assert check_import(source, tmp_path / "float.tflite").samples > 0


def test_a_float_tflite_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    given = keras.Input((4,))
    for name in ("one", "two"):
        keras.Model(given, keras.layers.Dense(3)(given)).save(tmp_path / f"{name}.keras")
    one, two = (fix_batch(load_source(tmp_path / f"{n}.keras")) for n in ("one", "two"))
    write_float(two, tmp_path / "two.tflite")
    with pytest.raises(SourceError, match="differ by"):
        check_import(one, tmp_path / "two.tflite")


def test_a_layer_without_kernels_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    given = keras.Input((16,))
    keras.Model(given, keras.ops.linalg.svd(keras.ops.reshape(given, (-1, 4, 4)))[1]).save(path)
    source = fix_batch(load_source(path))
    with pytest.raises(SourceError, match="built-in operations"):
        write_float(source, tmp_path / "float.tflite")
