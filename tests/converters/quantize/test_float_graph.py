"""A float file is made ready: batch 1, shape arithmetic gone, names unique."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import InputError, SourceError
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.tables import pack, read
from edgekit.runtime.opening import load
from edgekit_converters.quantize.float_graph import prepare

pytestmark = pytest.mark.tf

OPEN = (None, 6, 6, 2)


def flatten(x: Any) -> Any:
    """What exporters leave behind with an open batch: SHAPE, STRIDED_SLICE, PACK, RESHAPE."""
    import tensorflow as tf

    return tf.reshape(x, (tf.shape(x)[0], 72)) * 2.0


def test_an_open_batch_becomes_one_and_its_shape_arithmetic_goes(
    float_file: Any, tmp_path: Path
) -> None:
    source = float_file(flatten, OPEN)
    assert {"SHAPE", "PACK"} <= {op.op for op in Graph(source).ops}
    ready = prepare(source)
    graph = Graph(ready.data)
    assert [op.op for op in graph.ops] == ["RESHAPE", "MUL"]
    assert graph.inputs[0].shape == (1, 6, 6, 2)
    assert graph.dynamic_tensors == ()
    assert "The open batch was fixed to 1." in ready.notes
    assert any("PACK, SHAPE, STRIDED_SLICE" in note for note in ready.notes)
    made = tmp_path / "ready.tflite"
    made.write_bytes(ready.data)
    x = np.random.default_rng(0).random((1, 6, 6, 2), np.float32)
    model: Any = load(made, probe=False)
    assert np.allclose(model(x), x.reshape(1, 72) * 2)


def test_open_sizes_other_than_the_batch_are_refused(float_file: Any) -> None:
    source = float_file(lambda x: x * 2.0, (None, None, 6, 2))
    with pytest.raises(SourceError, match=r"shape \(open, open, 6, 2\); only the first"):
        prepare(source)


def test_arithmetic_with_numbers_from_the_input_is_named(float_file: Any) -> None:
    import tensorflow as tf

    def count(x: Any) -> Any:
        best = tf.argmax(x, -1, output_type=tf.int32)
        return tf.cast(best + 3, tf.float32)

    (note,) = prepare(float_file(count, (1, 8))).notes
    assert note == "Arithmetic with whole numbers stays in the model: ADD."


def test_tensors_of_the_same_name_get_names_of_their_own(float_file: Any) -> None:
    source = float_file(lambda x: x * 2.0 + 1.0, (1, 4))
    model = read(source.read_bytes()).model
    for tensor in model.subgraphs[0].tensors:
        tensor.name = "same"
    source.write_bytes(pack(model))
    names = [tensor.name for tensor in Graph(prepare(source).data).main.tensors]
    assert len(set(names)) == len(names)
    assert "same" in names


def test_a_quantized_file_is_refused(float_file: Any, tmp_path: Path) -> None:
    from edgekit_converters.quantize.second_engine import quantize_tflite

    source, made = float_file(lambda x: x * 2.0 + 1.0, (1, 4)), tmp_path / "int8.tflite"
    data = [{"x": np.ones(4, np.float32)}]
    quantize_tflite(source, made, scheme="int8", samples=data)
    with pytest.raises(SourceError, match=r"quantized already: its tensor .* is int8"):
        prepare(made)


def test_a_custom_operator_is_refused(float_file: Any) -> None:
    source = float_file(lambda x: x * 2.0, (1, 4))
    model = read(source.read_bytes()).model
    code = model.operator_codes[0]
    code.builtin_code, code.deprecated_builtin_code, code.custom_code = 32, 32, "Secret"
    model.subgraphs[0].operators[0].builtin_options = None
    source.write_bytes(pack(model))
    with pytest.raises(SourceError, match=r"(?s)does not run .*Secret.*built-in operators"):
        prepare(source)


def test_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.tflite"
    path.write_text("not a model at all")
    with pytest.raises(InputError, match=r"not a \.tflite file"):
        prepare(path)


@pytest.mark.data
@pytest.mark.parametrize("name", ["face_detection_front", "face_detection_full_range_sparse"])
def test_float16_and_sparse_weights_are_expanded(data_dir: Path, name: str) -> None:
    path = next((data_dir / "models" / "tflite").rglob(f"{name}.tflite"))
    names = {op.op for op in Graph(prepare(path).data).ops}
    assert {"DEQUANTIZE", "DENSIFY"} & {op.op for op in Graph(path).ops}
    assert not {"DEQUANTIZE", "DENSIFY"} & names
