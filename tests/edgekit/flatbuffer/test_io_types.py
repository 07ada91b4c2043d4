"""Inputs and outputs change their type, and what the model computes does not."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.io_types import IoType, with_io
from edgekit.flatbuffer.metadata import associated_files, write_metadata
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, pack, read_model
from edgekit.manifest import Preprocessing

Ends = list[tuple[str, str, tuple[float, ...], tuple[int, ...]]]


def ends(data: bytes) -> Ends:
    """Name, type, scale and zero point of all inputs and outputs."""
    graph = Graph(data)
    return [(t.name, t.dtype, t.scale, t.zero_point) for t in graph.inputs + graph.outputs]


def ops(data: bytes) -> list[str]:
    return [op.op for op in Graph(data).ops]


def op(code: int, source: int, result: int) -> Table:
    return Table(
        "Operator",
        opcode_index=code,
        inputs=np.array([source], np.int32),
        outputs=np.array([result], np.int32),
    )


def copy_of(tensor: Table, **changes: Any) -> Table:
    fields = {k: v for k, v in tensor.__dict__.items() if not k.startswith("table_")}
    return Table("Tensor", **(fields | changes))


def test_int8_drops_the_ops_at_the_ends(model: Table) -> None:
    data = with_io(pack(model), "int8")
    assert ops(data) == ["CONV_2D"]
    assert [each[:2] for each in ends(data)] == [("image", "int8"), ("scores", "int8")]
    assert ends(data)[0][3] == (-28,)
    assert len(Graph(data).main.tensors) == 4


def test_uint8_moves_the_zero_point_by_128(model: Table) -> None:
    data = with_io(pack(model), "uint8")
    assert ops(data) == ["QUANTIZE", "CONV_2D", "QUANTIZE"]
    assert [(each[1], each[3]) for each in ends(data)] == [("uint8", (100,)), ("uint8", (131,))]
    assert ends(data)[0][2] == ends(with_io(pack(model), "int8"))[0][2]


def test_inputs_and_outputs_may_differ(model: Table) -> None:
    data = with_io(pack(model), "uint8", outputs="float32")
    assert [each[1] for each in ends(data)] == ["uint8", "float32"]


def test_what_is_as_wanted_stays_byte_for_byte(model: Table) -> None:
    data = pack(model)
    assert with_io(data, "float32") is data


@pytest.mark.parametrize("there", ["int8", "uint8"])
def test_there_and_back_is_the_same_model(model: Table, there: IoType) -> None:
    data = pack(model)
    back = with_io(with_io(data, there), "float32")
    assert (ends(back), ops(back)) == (ends(data), ops(data))
    assert with_io(back, there) == with_io(with_io(with_io(back, there), "float32"), there)


@pytest.mark.parametrize("there", ["int8", "uint8"])
def test_the_signature_follows(model: Table, there: IoType) -> None:
    graph = Graph(with_io(pack(model), there))
    (source,), (result,) = graph.main.inputs, graph.main.outputs
    assert (graph.main.input_names, graph.main.output_names) == ({source: "x"}, {result: "y"})


def test_metadata_and_files_are_kept(model: Table) -> None:
    data = write_metadata(pack(model), {"A": b"1"}, {"a.txt": b"2"})
    data = with_io(data, "int8")
    assert Graph(data).metadata["A"] == b"1"
    assert associated_files(read_model(data)) == {"a.txt": b"2"}


@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_the_outputs_are_the_same_bit_by_bit(model: Table, io: IoType) -> None:
    shift = {"int8": 0, "uint8": 128}[io]
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    ours = interpreter.Interpreter(model_content=with_io(pack(model), io))
    ours.allocate_tensors()
    values = np.random.default_rng(3).normal(size=(1, 4, 4, 2)).astype(np.float32)
    (details,) = ours.get_input_details()
    quantized = np.clip(np.rint(values / np.float32(0.02)) - 28, -128, 127) + shift
    ours.set_tensor(details["index"], quantized.astype(io))
    ours.invoke()
    (details,) = ours.get_output_details()
    found = (ours.get_tensor(details["index"]).astype(np.float32) - 3 - shift) * np.float32(
        0.05
    )
    floats = interpreter.Interpreter(model_content=pack(model))
    floats.allocate_tensors()
    floats.set_tensor(floats.get_input_details()[0]["index"], values)
    floats.invoke()
    expected = floats.get_tensor(floats.get_output_details()[0]["index"])
    assert np.array_equal(found, expected)


def test_several_quantize_ops_on_one_input_become_one(model: Table) -> None:
    graph = model.subgraphs[0]
    graph.tensors += [copy_of(graph.tensors[1], name="again"), copy_of(graph.tensors[5])]
    graph.operators = [op(0, 0, 1), op(0, 0, 6), graph.operators[1], op(2, 6, 7), op(2, 4, 5)]
    graph.outputs = np.array([5, 7], np.int32)
    data = with_io(pack(model), "int8", outputs="float32")
    assert ops(data) == ["CONV_2D", "DEQUANTIZE", "DEQUANTIZE"]
    assert Graph(data).ops[1].inputs == Graph(data).main.inputs


def test_quantize_ops_with_other_ranges_read_the_widest(model: Table) -> None:
    graph = model.subgraphs[0]
    wide = Table(
        "QuantizationParameters",
        scale=np.array([0.04], np.float32),
        zero_point=np.array([0], np.int64),
    )
    graph.tensors += [copy_of(graph.tensors[1], name="wide", quantization=wide)]
    graph.tensors += [copy_of(graph.tensors[5], name="second", shape=graph.tensors[0].shape)]
    graph.operators = [op(0, 0, 1), op(0, 0, 6), graph.operators[1], op(2, 6, 7), op(2, 4, 5)]
    graph.outputs = np.array([5, 7], np.int32)
    data = with_io(pack(model), "int8", outputs="float32")
    assert Graph(data).inputs[0].scale == pytest.approx((0.04,))
    assert ops(data) == ["QUANTIZE", "CONV_2D", "DEQUANTIZE", "DEQUANTIZE"]


def test_an_output_that_is_also_used_inside_keeps_its_dequantize(model: Table) -> None:
    graph = model.subgraphs[0]
    graph.tensors += [copy_of(graph.tensors[4], name="more")]
    graph.operators = [*graph.operators, op(0, 5, 6)]
    graph.outputs = np.array([5, 6], np.int32)
    data = with_io(pack(model), "int8")
    assert ops(data) == ["CONV_2D", "DEQUANTIZE", "QUANTIZE"]
    assert [each[:2] for each in ends(data)[1:]] == [("scores", "int8"), ("more", "int8")]


def test_the_same_output_twice_stays_twice(model: Table) -> None:
    model.subgraphs[0].outputs = np.array([5, 5], np.int32)
    data = with_io(pack(model), "int8")
    assert [each[1] for each in ends(data)] == ["int8", "int8", "int8"]


def test_a_zero_point_that_the_file_leaves_out_is_zero(model: Table) -> None:
    model.subgraphs[0].tensors[1].quantization.zero_point = None
    assert ends(with_io(pack(model), "uint8"))[0][3] == (128,)


def test_uint8_pictures_can_stand_for_raw_pixels(model: Table) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    pixels = Preprocessing(mean=(100.0,), std=(25.0,))
    data = with_io(pack(model), "uint8", outputs="float32", pixels=pixels)
    (picture,) = Graph(data).inputs
    assert picture.scale == pytest.approx((0.04,))
    assert picture.zero_point == (100,)
    raw = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 2), np.uint8)
    results = []
    for content, values in [(data, raw), (pack(model), (raw.astype(np.float32) - 100) / 25)]:
        runner = interpreter.Interpreter(model_content=content)
        runner.allocate_tensors()
        runner.set_tensor(runner.get_input_details()[0]["index"], values)
        runner.invoke()
        results.append(runner.get_tensor(runner.get_output_details()[0]["index"]))
    assert np.ptp(results[1]) > 1
    assert np.abs(results[0] - results[1]).max() <= 0.051  # one step of the output


@pytest.mark.parametrize(
    "pixels",
    [
        pytest.param(Preprocessing(mean=(100.0,), std=(50.0,)), id="the same within a pixel"),
        pytest.param(Preprocessing(mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 1.0)), id="by channel"),
        pytest.param(Preprocessing(mean=(-5.0,), std=(1.0,)), id="no uint8 zero point"),
    ],
)
def test_where_raw_pixels_need_nothing_or_cannot_be_had_nothing_changes(
    model: Table, pixels: Preprocessing
) -> None:
    assert with_io(pack(model), "uint8", pixels=pixels) == with_io(pack(model), "uint8")


def test_indices_flags_and_text_stay_as_they_are(model: Table) -> None:
    types = enum_values("TensorType")
    for kind in ("INT32", "BOOL", "STRING", "INT64"):
        model.subgraphs[0].tensors.append(
            Table("Tensor", name=kind, type=types[kind], shape=np.array([1], np.int32))
        )
    model.subgraphs[0].inputs = np.array([0, 6, 7, 8, 9], np.int32)
    found = [each[1] for each in ends(with_io(pack(model), "int8"))]
    assert found == ["int8", "int32", "bool", "string", "int64", "int8"]


def to_int16(model: Table) -> bytes:
    for tensor in (1, 4):
        model.subgraphs[0].tensors[tensor].type = enum_values("TensorType")["INT16"]
    return pack(model)


def test_int16_models_take_int16(model: Table) -> None:
    data = with_io(to_int16(model), "int16")
    assert [each[1] for each in ends(data)] == ["int16", "int16"]
    back = Graph(with_io(data, "float32"))
    assert [(op.op, op.version) for op in back.ops][::2] == [("QUANTIZE", 2), ("DEQUANTIZE", 3)]


@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_int16_models_take_no_other_integers(model: Table, io: IoType) -> None:
    with pytest.raises(InputError, match=rf"cannot become {io}.*int16.*float32 or int16"):
        with_io(to_int16(model), io)


def test_int8_models_take_no_int16(model: Table) -> None:
    with pytest.raises(InputError, match=r"cannot become int16.*float32 or int8 or uint8"):
        with_io(pack(model), "int16")


def test_an_input_that_feeds_a_float_op_is_refused(model: Table) -> None:
    model.subgraphs[0].operators[1].inputs = np.array([0, 2, 3], np.int32)
    with pytest.raises(
        InputError, match=r"input 'image'.*feeds CONV_2D and QUANTIZE as float32"
    ):
        with_io(pack(model), "int8")


def test_an_output_of_a_float_op_is_refused(model: Table) -> None:
    model.subgraphs[0].tensors[4].type = enum_values("TensorType")["FLOAT32"]
    model.subgraphs[0].outputs = np.array([4], np.int32)
    with pytest.raises(
        InputError, match=r"output 'scores_int8'.*comes from CONV_2D as float32"
    ):
        with_io(pack(model), "int8")


def test_an_input_that_is_an_output_is_refused(model: Table) -> None:
    model.subgraphs[0].outputs = np.array([0], np.int32)
    with pytest.raises(InputError, match="an input and an output at once"):
        with_io(pack(model), "int8")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 10**6), st.sampled_from([1, 4]), st.sampled_from(range(256))),
        min_size=1,
        max_size=3,
    ),
    io=st.sampled_from(["float32", "int8", "uint8", "int16"]),
)
def test_damaged_models_are_an_error_in_words(
    model: Table, edits: list[tuple[int, int, int]], io: IoType
) -> None:
    data = bytearray(pack(model))
    for place, width, value in edits:
        start = place % (len(data) - 4)
        data[start : start + width] = bytes([value] * width)
    with contextlib.suppress(InputError):
        Graph(with_io(bytes(data), io))


@pytest.fixture(scope="module")
def converted() -> dict[tuple[str, bool], bytes]:
    """Return one tiny Keras model as TFLiteConverter itself makes it, by type and int16x8."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(0)
    first, second = (keras.Input(batch_shape=(1, 8, 8, 3), name=name) for name in "ab")
    x = keras.layers.Conv2D(4, 3, activation="relu")(first)
    x = keras.layers.GlobalAveragePooling2D()(x)
    y = keras.layers.GlobalAveragePooling2D()(second)
    scores = keras.layers.Dense(3, activation="softmax")(keras.layers.Concatenate()([x, y]))
    model = keras.Model([first, second], [scores, keras.layers.Dense(2)(x)])
    pictures = np.random.default_rng(0).normal(size=(8, 1, 8, 8, 3)).astype(np.float32)
    samples = [[each, each] for each in pictures]  # the converter may swap the inputs
    sets = {
        False: tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
        True: tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
    }

    def convert(io: str, wide: bool) -> bytes:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: iter(samples)
        converter.target_spec.supported_ops = [sets[wide]]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, io)
        result: bytes = converter.convert()
        return result

    cases = [("float32", False), ("int8", False), ("uint8", False)]
    return {case: convert(*case) for case in [*cases, ("float32", True), ("int16", True)]}


@pytest.mark.tf
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")
@pytest.mark.parametrize(
    ("before", "after", "wide"),
    [
        ("float32", "int8", False),
        ("float32", "uint8", False),
        ("int8", "float32", False),
        ("int8", "uint8", False),
        ("uint8", "float32", False),
        ("uint8", "int8", False),
        ("float32", "int16", True),
        ("int16", "float32", True),
    ],
)
def test_the_result_is_what_the_converter_makes(
    converted: dict[tuple[str, bool], bytes],
    run: Callable[[bytes, int], list[Any]],
    before: str,
    after: IoType,
    wide: bool,
) -> None:
    ours = with_io(converted[before, wide], after)
    theirs = converted[after, wide]
    assert ends(ours) == ends(theirs)
    assert sorted(ops(ours)) == sorted(ops(theirs))
    for seed in range(5):
        for a, b in zip(run(ours, seed), run(theirs, seed), strict=True):
            assert a.tobytes() == b.tobytes()
