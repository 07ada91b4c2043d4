"""Operators cut out of models: what becomes constant, what is merged, what each is fed with."""

import numpy as np
import pytest
from made_graphs import Op, Tensor, make_graph

from edgekit.flatbuffer import Table
from edgekit.profiling.perop.cutting import settled
from edgekit.profiling.perop.made import least, product
from edgekit.profiling.perop.merged import merged
from edgekit.profiling.perop.single import Single
from edgekit.runtime import open_backend
from edgekit.runtime.delegates import interpreter_options

HALF = np.arange(4, dtype=np.float16)
FLOATS = Tensor(shape=(1, 8, 8, 4), dtype="float32")


def test_widened_weights_become_constants_and_the_model_stays_as_it_is() -> None:
    graph = make_graph(
        [
            Op(op="DEQUANTIZE", inputs="half", outputs="wide"),
            Op(op="ADD", inputs="x wide", outputs="y"),
        ],
        half=Tensor(shape=(4,), dtype="float16", values=HALF),
        wide=Tensor(shape=(4,), dtype="float32"),
        x=FLOATS,
        y=FLOATS,
    )
    names = {tensor.name: tensor.index for tensor in graph.main.tensors}
    wide = HALF.astype(np.float32)
    model, fixed = settled(graph, {names["wide"]: wide})
    assert fixed == {names["half"], names["wide"]}
    data = model.buffers[model.subgraphs[0].tensors[names["wide"]].buffer].data
    assert data.view(np.float32).tolist() == wide.tolist()
    assert not graph.main.tensors[names["wide"]].is_constant
    before = graph.file.model.subgraphs[0].tensors[names["wide"]]
    assert graph.file.model.buffers[before.buffer].data is None


def padded(
    sizes: list[list[int]], *, reader: str = "CONV_2D", dtype: str = "float32"
) -> set[int]:
    tensor = Tensor(dtype=dtype)
    graph = make_graph(
        [
            Op(op="PAD", inputs="x sizes", outputs="p"),
            Op(op=reader, inputs="p w", outputs="y"),
        ],
        sizes=Tensor(shape=(4, 2), dtype="int32", values=np.array(sizes, np.int32)),
        x=tensor,
        p=tensor,
        y=tensor,
    )
    return set(merged(graph))


AROUND = [[0, 0], [1, 1], [1, 1], [0, 0]]


def test_a_border_of_zeros_goes_into_the_convolution() -> None:
    assert padded(AROUND) == {0}
    assert padded(AROUND, reader="DEPTHWISE_CONV_2D") == {0}


def test_other_padding_stays_an_operator() -> None:
    assert padded([[0, 0], [0, 0], [0, 0], [0, 4]]) == set()
    assert padded(AROUND, reader="ADD") == set()
    assert padded(AROUND, dtype="int8") == set()


def test_an_activation_goes_into_the_convolution_that_only_it_reads() -> None:
    alone = [
        Op(op="CONV_2D", inputs="x w", outputs="a"),
        Op(op="RELU6", inputs="a", outputs="b"),
        Op(op="ADD", inputs="b v", outputs="c"),
        Op(op="RELU", inputs="c", outputs="d"),
    ]
    assert merged(make_graph(alone)) == {1}
    shared = [*alone, Op(op="MUL", inputs="a d", outputs="e")]
    assert merged(make_graph(shared)) == frozenset()


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
def test_products_of_every_type_run(dtype: str) -> None:
    backend = open_backend()
    options = interpreter_options(None, backend)
    single = Single(product(8, 16, 8, dtype), backend=backend, threads=1, options=options)
    single.invoke()
    assert single.delegated in {True, None}


def test_inputs_are_those_that_were_given_and_take_their_shape() -> None:
    backend = open_backend()
    values = [np.full((2, 3), 1.5, np.float32), np.full((2, 3), 2.0, np.float32)]
    single = Single(
        least(),
        backend=backend,
        threads=1,
        options=interpreter_options(None, backend),
        values=values,
    )
    output = single._interpreter.get_output_details()[0]
    assert single._interpreter.get_tensor(output["index"]).tolist() == [[3.5] * 3] * 2


def test_a_tree_without_operators_is_left_as_it_is() -> None:
    graph = make_graph([Op(op="ADD", inputs="x y", outputs="z")])
    model, fixed = settled(graph, {})
    assert isinstance(model, Table)
    assert fixed == set()
