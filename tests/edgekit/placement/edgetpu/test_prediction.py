"""What goes to the Edge TPU: each rule once, then the graph, then real compiled files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.flatbuffer import Graph, Table, pack
from edgekit.placement import place
from edgekit.placement.edgetpu import judge, predict, statuses
from edgekit.placement.edgetpu.checks import CHECKS
from edgekit.placement.edgetpu.compiler import was_mapped
from edgekit.placement.edgetpu.rules import SAFE, rules, rules_without
from edgekit.targets import load_target

PICTURE = {"shape": (1, 160, 160, 32)}
WEIGHTS = {"shape": (4, 3, 3, 4), "values": np.zeros((4, 3, 3, 4), np.int8)}


def _int32(tensor: Any, *values: int) -> Any:
    return tensor(shape=(len(values),), dtype="int32", values=np.array(values, np.int32))


def _places(graph: Graph) -> list[str]:
    return [each.placement for each in place(graph, load_target("coral-usb"))]


def test_every_check_that_the_table_names_exists_and_is_used() -> None:
    assert {check for rule in rules().values() for check in rule.checks} == CHECKS.keys()


def test_every_rule_says_how_it_is_known() -> None:
    assert all(rule.evidence for rule in rules().values())


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        pytest.param("RELU", {}, ("edgetpu", statuses.MAPPED), id="supported"),
        pytest.param("GATHER", {}, ("cpu", "has no GATHER"), id="not in the table"),
        pytest.param("MyOp", {}, ("cpu", "has no MyOp"), id="custom"),
        pytest.param("TILE", {}, ("uncertain", "too little"), id="thin evidence"),
        pytest.param("CUMSUM", {}, ("cpu", "has no CUMSUM"), id="not listed"),
        pytest.param("RELU", {"dtype": "float32"}, ("cpu", "8 bits only"), id="float"),
        pytest.param("RELU", {"dtype": "int16"}, ("cpu", "8 bits only"), id="16 bit"),
        pytest.param("RELU", {"dtype": "uint8"}, ("edgetpu", ""), id="uint8"),
        pytest.param(
            "RELU", {"shape": (2, 8, 8, 4)}, ("cpu", statuses.WRONG_RANK), id="batch of two"
        ),
        pytest.param("RELU", {"shape": (1, 1, 8, 8, 4)}, ("edgetpu", ""), id="leading ones"),
        pytest.param(
            "LOGISTIC", {"shape": (1, 174_448)}, ("uncertain", "174,448 el"), id="large rows"
        ),
        pytest.param("LOGISTIC", {"shape": (1, 174_447)}, ("edgetpu", ""), id="rows as seen"),
        pytest.param(
            "LOGISTIC", {"shape": (1, 320, 320, 32)}, ("edgetpu", ""), id="a picture as seen"
        ),
        pytest.param(
            "LOGISTIC", {"shape": (1, 320, 320, 33)}, ("uncertain", ""), id="large picture"
        ),
        pytest.param("RELU", {"shape": (1, 640, 640, 64)}, ("edgetpu", ""), id="any picture"),
        pytest.param("RELU", {"shape": (1, 65_537)}, ("uncertain", ""), id="very long rows"),
        pytest.param("TANH", {"shape": (1, SAFE)}, ("edgetpu", ""), id="safe"),
        pytest.param("TANH", {"shape": (1, SAFE + 1)}, ("uncertain", ""), id="not as safe"),
        pytest.param("SOFTMAX", {"shape": (1, 1000)}, ("edgetpu", ""), id="softmax"),
        pytest.param(
            "SOFTMAX", {"shape": (1, 4, 10)}, ("uncertain", "one row"), id="softmax of rows"
        ),
        pytest.param("SOFTMAX", {"shape": (1, 16_384)}, ("uncertain", ""), id="long softmax"),
    ],
)
def test_one_operator_of_one_tensor(
    graph: Any, op: Any, tensor: Any, name: str, given: dict[str, Any], expected: Any
) -> None:
    made = graph([op(op=name, inputs="x", outputs="y")], x=tensor(**given), y=tensor(**given))
    where, why = judge(made, made.ops[0])
    assert where == expected[0]
    assert expected[1] in why


def test_a_large_picture_is_uncertain_where_another_has_to_be_kept(
    graph: Any, op: Any, tensor: Any
) -> None:
    made = graph(
        [
            op(op="RELU", inputs="x", outputs="kept"),
            op(op="LOGISTIC", inputs="x", outputs="a"),
            op(op="ADD", inputs="a kept", outputs="y"),
        ],
        **{name: tensor(**PICTURE) for name in ("x", "kept", "a", "y")},
    )
    assert [judge(made, each)[0] for each in made.ops] == ["edgetpu", "uncertain", "edgetpu"]


@pytest.mark.parametrize(
    ("name", "second", "options", "expected"),
    [
        pytest.param("CONV_2D", WEIGHTS, ("Conv2DOptions", {}), "edgetpu", id="convolution"),
        pytest.param("CONV_2D", {}, ("Conv2DOptions", {}), "cpu", id="computed weights"),
        pytest.param(
            "CONV_2D",
            {"shape": (4, 3, 3, 4), "dtype": "float32", "values": np.zeros((4, 3, 3, 4), "f4")},
            ("Conv2DOptions", {}),
            "cpu",
            id="float weights",
        ),
        pytest.param(
            "CONV_2D",
            WEIGHTS,
            ("Conv2DOptions", {"dilation_h_factor": 2, "dilation_w_factor": 1}),
            "cpu",
            id="unequal dilation",
        ),
        pytest.param(
            "CONV_2D",
            {"shape": (4, 1, 3, 4), "values": np.zeros((4, 1, 3, 4), np.int8)},
            ("Conv2DOptions", {"dilation_h_factor": 1, "dilation_w_factor": 2}),
            "edgetpu",
            id="dilation along a flat kernel",
        ),
        pytest.param(
            "FULLY_CONNECTED",
            WEIGHTS,
            ("FullyConnectedOptions", {"weights_format": 1}),
            "cpu",
            id="shuffled weights",
        ),
        pytest.param("ADD", {}, ("AddOptions", {}), "edgetpu", id="addition"),
        pytest.param(
            "ADD",
            {"shape": (1,), "dtype": "float32", "values": np.zeros(1, "f4")},
            ("AddOptions", {}),
            "cpu",
            id="float constant",
        ),
        pytest.param(
            "CONCATENATION",
            {},
            ("ConcatenationOptions", {"fused_activation_function": 1}),
            "cpu",
            id="fused activation",
        ),
        pytest.param(
            "PRELU",
            {"shape": (1, 1, 4), "values": np.zeros(4, "i1")},
            None,
            "edgetpu",
            id="slope a channel",
        ),
        pytest.param(
            "PRELU",
            {"shape": (8, 8, 4), "values": np.zeros(256, "i1")},
            None,
            "cpu",
            id="slope a pixel",
        ),
    ],
)
def test_one_operator_of_two_inputs(
    graph: Any, op: Any, tensor: Any, name: str, second: Any, options: Any, expected: str
) -> None:
    table = Table(options[0], **options[1]) if options else None
    made = graph([op(op=name, inputs="x w", outputs="y", options=table)], w=tensor(**second))
    assert judge(made, made.ops[0])[0] == expected


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        pytest.param((1, 8, 8, 4), (1, 2), "edgetpu", id="global pooling"),
        pytest.param((1, 8, 8, 4), (3,), "edgetpu", id="4 channels"),
        pytest.param((1, 8, 8, 3), (-1,), "cpu", id="3 channels"),
        pytest.param((1, 8, 8, 3), (1, 2), "edgetpu", id="3 channels that stay"),
    ],
)
def test_a_mean_depends_on_its_axes(
    graph: Any, op: Any, tensor: Any, shape: Any, axes: Any, expected: str
) -> None:
    made = graph(
        [op(op="MEAN", inputs="x axes", outputs="y")],
        x=tensor(shape=shape),
        axes=_int32(tensor, *axes),
        y=tensor(shape=(1, 4)),
    )
    assert judge(made, made.ops[0])[0] == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(8, 16, "edgetpu", id="twice"),
        pytest.param(1, 33, "cpu", id="from one pixel"),
        pytest.param(64, 128, "edgetpu", id="to 128"),
        pytest.param(65, 130, "uncertain", id="beyond 128"),
        pytest.param(33, 65, "uncertain", id="not twice"),
        pytest.param(256, 512, "cpu", id="to many"),
    ],
)
def test_bilinear_enlarging_depends_on_sizes(
    graph: Any, op: Any, tensor: Any, before: int, after: int, expected: str
) -> None:
    made = graph(
        [op(op="RESIZE_BILINEAR", inputs="x size", outputs="y")],
        x=tensor(shape=(1, before, before, 4)),
        size=_int32(tensor, after, after),
        y=tensor(shape=(1, after, after, 4)),
    )
    assert judge(made, made.ops[0])[0] == expected


@pytest.mark.parametrize(
    ("strides", "expected"),
    [
        pytest.param((1, 1), "edgetpu", id="plain"),
        pytest.param((1, 2), "uncertain", id="strided"),
    ],
)
def test_a_slice_must_be_plain(
    graph: Any, op: Any, tensor: Any, strides: Any, expected: str
) -> None:
    made = graph(
        [
            op(
                op="STRIDED_SLICE",
                inputs="x b e s",
                outputs="y",
                options=Table("StridedSliceOptions"),
            )
        ],
        b=_int32(tensor, 0, 0),
        e=_int32(tensor, 1, 4),
        s=_int32(tensor, *strides),
    )
    assert judge(made, made.ops[0])[0] == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(4, 8, "edgetpu", id="twice"),
        pytest.param(4, 7, "edgetpu", id="one short of twice"),
        pytest.param(4, 12, "uncertain", id="three times"),
    ],
)
def test_nearest_enlarging_may_fall_one_short_of_twice(
    graph: Any, op: Any, tensor: Any, before: int, after: int, expected: str
) -> None:
    made = graph(
        [
            op(
                op="RESIZE_NEAREST_NEIGHBOR",
                inputs="x size",
                outputs="y",
                options=Table("ResizeNearestNeighborOptions"),
            )
        ],
        x=tensor(shape=(1, before, before, 4)),
        size=_int32(tensor, after, after),
        y=tensor(shape=(1, after, after, 4)),
    )
    assert judge(made, made.ops[0])[0] == expected
    sources = rules()["RESIZE_NEAREST_NEIGHBOR"].settled["even"]
    unsettled = judge(made, made.ops[0], rules_without(sources))[0]
    assert unsettled == ("edgetpu" if after == 2 * before else "uncertain")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("CONV_2D", "cpu", id="weights"),
        pytest.param("ADD", "uncertain", id="another constant"),
        pytest.param("HARD_SWISH", "cpu", id="not supported anyway"),
    ],
)
def test_constants_behind_the_flatbuffer_are_not_found(
    graph: Any, op: Any, tensor: Any, name: str, expected: str
) -> None:
    made = graph([op(op=name, inputs="x w", outputs="y")], w=tensor(**WEIGHTS))
    number = made.file.model.subgraphs[0].tensors[made.ops[0].inputs[1]].buffer
    far = Graph(replace(made.file, far=frozenset({number})))
    where, why = judge(far, far.ops[0])
    assert where == expected
    assert ("behind the flatbuffer" in why) == (name != "HARD_SWISH")
    assert (judge(made, made.ops[0])[0] == "edgetpu") == (name != "HARD_SWISH")


def test_a_float_input_leaves_only_its_quantize_on_the_cpu(
    graph: Any, op: Any, tensor: Any
) -> None:
    made = graph(
        [
            op(op="QUANTIZE", inputs="x", outputs="a"),
            op(op="RELU", inputs="a", outputs="b"),
            op(op="DEQUANTIZE", inputs="b", outputs="y"),
        ],
        x=tensor(dtype="float32"),
        y=tensor(dtype="float32"),
    )
    assert _places(made) == ["cpu", "edgetpu", "cpu"]


def test_what_follows_a_cpu_operator_is_lost_and_a_branch_beside_it_is_not(
    graph: Any, op: Any
) -> None:
    made = graph(
        [
            op(op="RELU", inputs="x", outputs="a"),
            op(op="GATHER", inputs="a", outputs="b"),
            op(op="RELU", inputs="b", outputs="y"),
            op(op="RELU6", inputs="a", outputs="z"),
        ]
    )
    assert _places(made) == ["edgetpu", "cpu", "cpu", "edgetpu"]


def test_what_follows_an_uncertain_operator_is_uncertain(graph: Any, op: Any) -> None:
    made = graph(
        [
            op(op="RELU", inputs="x", outputs="a"),
            op(op="TILE", inputs="a", outputs="b"),
            op(op="RELU", inputs="b", outputs="y"),
            op(op="RELU6", inputs="a", outputs="z"),
        ]
    )
    assert _places(made) == ["edgetpu", "uncertain", "uncertain", "edgetpu"]


def test_of_two_parts_the_first_wins_however_small(graph: Any, op: Any) -> None:
    made = graph(
        [
            op(op="RELU", inputs="x", outputs="a"),
            op(op="GATHER", inputs="a", outputs="b"),
            op(op="RELU", inputs="b", outputs="c"),
            op(op="RELU", inputs="c", outputs="y"),
        ]
    )
    assert _places(made) == ["edgetpu", "cpu", "cpu", "cpu"]
    assert statuses.ONE_SUBGRAPH in place(made, load_target("coral-usb"))[2].reason


def test_before_an_uncertain_first_operator_no_part_is_sure(graph: Any, op: Any) -> None:
    made = graph(
        [
            op(op="TILE", inputs="x", outputs="a"),
            op(op="GATHER", inputs="a", outputs="b"),
            op(op="RELU", inputs="b", outputs="y"),
        ]
    )
    assert _places(made) == ["uncertain", "cpu", "uncertain"]


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        pytest.param((1, -1, 8, 4), "cpu", id="open height"),
        pytest.param((-1, 8, 8, 4), "edgetpu", id="an open batch counts as 1"),
    ],
)
def test_an_open_size_ends_the_whole_compilation(
    graph: Any, op: Any, tensor: Any, signature: Any, expected: str
) -> None:
    made = graph([op(op="RELU", inputs="x", outputs="y")], x=tensor(signature=signature))
    (found,) = place(made, load_target("coral-usb"))
    assert found.placement == expected
    assert ("'x' has an open size" in found.reason) == (expected == "cpu")


def test_a_size_that_is_computed_ends_the_whole_compilation(
    graph: Any, op: Any, tensor: Any
) -> None:
    made = graph(
        [
            op(op="RELU", inputs="x", outputs="a"),
            op(op="SHAPE", inputs="a", outputs="size"),
            op(op="RESHAPE", inputs="a size", outputs="y"),
        ],
        size=tensor(shape=(4,), dtype="int32"),
    )
    found = place(made, load_target("coral-usb"))
    assert {each.placement for each in found} == {"cpu"}
    assert "'y' has an open size" in found[0].reason


def test_a_float_model_is_refused_as_a_whole(graph: Any, op: Any, tensor: Any) -> None:
    made = graph(
        [op(op="RELU", inputs="x", outputs="y")],
        x=tensor(dtype="float32"),
        y=tensor(dtype="float32"),
    )
    (found,) = place(made, load_target("coral-usb"))
    assert found.placement == "cpu"
    assert "Model not quantized" in found.reason


def test_an_operator_of_a_later_version_ends_the_whole_compilation(graph: Any, op: Any) -> None:
    made = graph(
        [
            op(op="RELU", inputs="x", outputs="a"),
            op(op="TRANSPOSE_CONV", inputs="a a a", outputs="y", version=4),
        ]
    )
    found = place(made, load_target("coral-dev-board"))
    assert [each.placement for each in found] == ["cpu", "cpu"]
    assert "TRANSPOSE_CONV version 4" in found[0].reason


def test_a_convolution_in_float_makes_the_whole_model_uncertain(
    graph: Any, op: Any, tensor: Any
) -> None:
    made = graph(
        [
            op(op="RELU", inputs="x", outputs="a"),
            op(op="DEQUANTIZE", inputs="a", outputs="b"),
            op(op="CONV_2D", inputs="b w", outputs="y"),
        ],
        b=tensor(dtype="float32"),
        w=tensor(shape=(4, 3, 3, 4), dtype="float32", values=np.zeros((4, 3, 3, 4), "f4")),
        y=tensor(dtype="float32"),
    )
    assert _places(made) == ["uncertain", "cpu", "cpu"]


def test_a_file_of_two_graphs_is_uncertain(graph: Any, op: Any) -> None:
    model = graph([op(op="RELU", inputs="x", outputs="y")]).file.model
    model.subgraphs = [model.subgraphs[0], model.subgraphs[0]]
    assert _places(Graph(pack(model))) == ["uncertain"]


def test_a_wide_lstm_may_end_the_whole_compilation(graph: Any, op: Any, tensor: Any) -> None:
    made = graph(
        [
            op(op="RELU", inputs="x", outputs="a"),
            op(op="UNIDIRECTIONAL_SEQUENCE_LSTM", inputs="a", outputs="y"),
        ],
        a=tensor(shape=(1, 28, 901)),
    )
    assert _places(made) == ["uncertain", "uncertain"]


def test_a_refusal_outweighs_a_doubt(graph: Any, op: Any, tensor: Any) -> None:
    made = graph(
        [op(op="MEAN", inputs="x axes", outputs="y")],
        x=tensor(shape=(1, 8193, 2, 3)),
        axes=_int32(tensor, 1, 2, 3),
        y=tensor(shape=(1,)),
    )
    place_, reason = judge(made, made.ops[0])
    assert place_ == "cpu"
    assert "multiple of 4" in reason


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param((1, 1, 1, 10), (1, 10), "edgetpu", id="leading"),
        pytest.param((1, 5, 1, 10), (5, 10), "uncertain", id="between"),
    ],
)
def test_a_squeeze_takes_leading_sizes_out(
    graph: Any, op: Any, tensor: Any, before: Any, after: Any, expected: str
) -> None:
    made = graph(
        [op(op="SQUEEZE", inputs="x", outputs="y")],
        x=tensor(shape=before),
        y=tensor(shape=after),
    )
    assert judge(made, made.ops[0])[0] == expected


def test_a_compiled_file_says_itself_what_runs_where(graph: Any, op: Any) -> None:
    made = graph(
        [
            op(op="edgetpu-custom-op", inputs="x", outputs="a"),
            op(op="RELU", inputs="a", outputs="y"),
        ]
    )
    assert _places(made) == ["edgetpu", "cpu"]


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    compiled = sorted(folder.rglob("*_edgetpu.tflite"))
    originals = [path.with_name(path.name.replace("_edgetpu", "")) for path in compiled]
    return [pair for pair in zip(originals, compiled, strict=True) if pair[0].exists()]


def test_rules_without_a_repository_know_less_and_nothing_else() -> None:
    known = rules_without(["google-coral/test_data", "google-coral/edgetpu"])
    assert known.keys() == rules().keys()
    for name, rule in rules().items():
        assert known[name].limit(rows=True) <= rule.limit(rows=True)
        assert known[name].limit(rows=False) <= rule.limit(rows=False)
        assert not any("google-coral/test_data" in found for found in known[name].seen)


def test_what_only_a_repository_that_is_left_out_showed_is_uncertain(
    graph: Any, op: Any, tensor: Any
) -> None:
    made = graph(
        [op(op="RESIZE_BILINEAR", inputs="x size", outputs="y")],
        x=tensor(shape=(1, 1, 1, 4)),
        size=_int32(tensor, 2, 2),
        y=tensor(shape=(1, 2, 2, 4)),
    )
    sources = ["google-coral/test_data", "google-coral/edgetpu"]
    assert judge(made, made.ops[0])[0] == "cpu"
    assert judge(made, made.ops[0], rules_without(sources[:1]))[0] == "cpu"
    assert judge(made, made.ops[0], rules_without(sources))[0] == "uncertain"


@pytest.mark.data
def test_the_prediction_agrees_with_what_the_real_compiler_did(data_dir: Path) -> None:
    counts = {"edgetpu": [0, 0], "cpu": [0, 0], "uncertain": [0, 0]}
    for original, compiled in _pairs(data_dir / "edgetpu"):
        graph = Graph(original)
        mapped = was_mapped(graph, Graph(compiled))
        for (where, _), taken in zip(predict(graph), mapped, strict=True):
            counts[where][taken] += 1
    assert counts == {"edgetpu": [0, 923], "cpu": [69, 0], "uncertain": [0, 0]}
