"""Samples walk side by side and see what they would see alone."""

from typing import Any

import numpy as np
import pytest
from pairs import Net, Node, conv, depthwise, floats, integers, outputs, pair_of

from edgekit.errors import SourceError
from edgekit.flatbuffer.graph import Graph
from edgekit_converters.quantize.chain import walk
from edgekit_converters.quantize.chain.taps import mean_taps, real, windows
from edgekit_converters.quantize.chain.walk import Walk
from edgekit_converters.quantize.float_graph import interpreter

SHAPE = (1, 9, 8, 3)


def net(rng: np.random.Generator) -> Net:
    def some(*shape: int) -> Any:
        return rng.normal(0, 0.3, shape)

    return {
        "a": conv(some(4, 3, 3, 3), some(4), stride_h=2, stride_w=2),
        "b": depthwise(some(1, 3, 3, 4), some(4), "a", fused_activation_function=1),
        "c": conv(some(4, 1, 1, 4), some(4), "b"),
        "d": Node(op="ADD", inputs=("a", "c")),
        "e": Node(op="CONCATENATION", inputs=("d", "a"), options={"axis": 3}),
        "f": Node(op="RESHAPE", inputs=("e",), weights=np.array([1, 160]), options={}),
        "g": Node(op="FULLY_CONNECTED", inputs=("f",), weights=some(6, 160), bias=some(6)),
        "h": Node(op="SOFTMAX", inputs=("g",), options={"beta": 1.0}),
    }


@pytest.fixture
def samples() -> Any:
    return np.random.default_rng(1).normal(0, 1, (7, *SHAPE))


def test_a_walk_ends_with_what_the_model_computes(samples: Any) -> None:
    pair = pair_of(net(np.random.default_rng(0)), SHAPE, samples)
    for graph, inputs in (
        (pair.float_graph, floats(pair, samples)),
        (pair.graph, integers(pair, samples)),
    ):
        walked = Walk(graph, inputs)
        list(walked.steps())
        (end,) = graph.main.outputs
        found = real(graph, end, walked.values[end])
        wanted = outputs(graph.file.data, next(iter(inputs.values())))
        np.testing.assert_allclose(found, wanted, atol=2 / 256 if graph is pair.graph else 1e-6)


@pytest.mark.parametrize("run_bytes", [1, 3000, 10**8])
def test_samples_side_by_side_compute_what_each_computes_alone(
    samples: Any, run_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = pair_of(net(np.random.default_rng(0)), SHAPE, samples)

    def ends(**changes: Any) -> dict[int, Any]:
        for name, value in changes.items():
            monkeypatch.setattr(walk, name, value)
        walked = Walk(pair.graph, integers(pair, samples))
        seen: dict[int, Any] = {}
        for op in walked.steps():
            seen |= {i: walked.values[i] for i in op.inputs if i in walked.values}
        return seen | walked.values

    together = ends(RUN_BYTES=run_bytes)
    alone = ends(side_by_side=lambda *_: False)
    assert together.keys() == alone.keys()
    for index, values in alone.items():
        np.testing.assert_array_equal(together[index], values)


@pytest.mark.tf
def test_an_operator_that_calls_other_subgraphs_runs_beside_them(float_file: Any) -> None:
    import tensorflow as tf

    def net(x: Any) -> Any:
        chosen = tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: x - 1.0)
        return tf.nn.relu(chosen) + 1.0

    model = float_file(net, (1, 4)).read_bytes()
    samples = np.random.default_rng(0).normal(size=(9, 1, 4)).astype(np.float32)
    graph = Graph(model)
    assert "IF" in [op.op for op in graph.ops]
    walked = Walk(graph, {graph.main.inputs[0]: samples})
    list(walked.steps())
    (end,) = graph.main.outputs
    np.testing.assert_allclose(walked.values[end], outputs(model, samples), atol=1e-6)


def test_what_a_delegate_refuses_runs_without_one(
    samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, tried = interpreter, []

    def refusing(*args: Any, plain: bool = True, **wishes: Any) -> Any:
        tried.append(plain)
        if not plain:
            msg = "XNNPack delegate failed to reshape runtime"
            raise SourceError(msg)
        return opened(*args, plain=plain, **wishes)

    pair = pair_of(net(np.random.default_rng(0)), SHAPE, samples)
    monkeypatch.setattr(walk, "interpreter", refusing)
    walked = Walk(pair.float_graph, floats(pair, samples))
    list(walked.steps())
    (end,) = pair.float_graph.main.outputs
    wanted = outputs(pair.float_graph.file.data, samples.astype(np.float32))
    np.testing.assert_allclose(walked.values[end], wanted, atol=1e-6)
    assert tried.count(False) == tried.count(True)


def test_a_model_that_does_not_run_says_which_operator(samples: Any) -> None:
    pair = pair_of(net(np.random.default_rng(0)), SHAPE, samples)
    (op,) = (each for each in pair.graph.ops if each.op == "CONCATENATION")
    options = pair.graph.file.model.subgraphs[0].operators[op.index].builtin_options
    options.axis = 9
    with pytest.raises(SourceError, match="operator CONCATENATION does not run"):
        list(Walk(Graph(pair.pack()), integers(pair, samples)).steps())


def test_an_operator_that_mixes_the_first_dimension_runs_sample_by_sample() -> None:
    flat: Net = {"a": Node(op="ADD", inputs=("x", "x"))}
    samples = np.ones((3, 4))
    graph: Graph = pair_of(flat, (4,), samples).graph
    assert not walk.side_by_side(graph, graph.ops[0], graph.main.inputs)


@pytest.mark.parametrize("options", [{}, {"stride_h": 2, "stride_w": 2}, {"padding": 1}])
def test_the_mean_of_a_tap_is_the_mean_of_what_it_sees(
    samples: Any, options: dict[str, int]
) -> None:
    weights = np.ones((2, 3, 2, 3))
    pair = pair_of({"a": conv(weights, np.zeros(2), "x", **options)}, SHAPE, samples)
    (values,) = integers(pair, samples).values()
    (op,) = pair.graph.ops
    seen = [window.mean(axis=(0, 1, 2)) for window in windows(pair.graph, op, values)]
    wanted = real(pair.graph, op.inputs[0], np.stack(seen).reshape(3, 2, 3))
    np.testing.assert_allclose(mean_taps(pair.graph, op, values), wanted, atol=1e-12)
