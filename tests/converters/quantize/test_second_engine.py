"""The second engine: every scheme, on small graphs and on real float .tflite files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import DataError, SourceError, UnknownName, UsageError
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.io_types import with_io
from edgekit.runtime.elsewhere import other_python, run_elsewhere
from edgekit.runtime.opening import load
from edgekit_converters.quantize.second_engine import SCHEMES, quantize_tflite

pytestmark = pytest.mark.tf

IMAGE = (1, 16, 16, 3)
STATIC = ("int8", "int16x8")
Net = Callable[[Any], Any]


def weights(*shape: int, seed: int = 0) -> Any:
    import tensorflow as tf

    spread = 1 / np.sqrt(np.prod(shape[:-1]))
    values = np.random.default_rng(seed).standard_normal(shape) * spread
    return tf.constant(values.astype(np.float32))


def net(x: Any) -> Any:
    """A little of what image classifiers consist of."""
    import tensorflow as tf

    x = tf.nn.relu6(tf.nn.conv2d(x, weights(3, 3, 3, 8), 2, "SAME") + weights(8))
    y = tf.nn.relu(tf.nn.depthwise_conv2d(x, weights(3, 3, 8, 1), [1, 1, 1, 1], "SAME"))
    x = tf.concat([x + y, tf.nn.max_pool2d(x, 3, 1, "SAME")], -1)
    return tf.nn.softmax(tf.matmul(tf.reduce_mean(x, [1, 2]), weights(16, 5)) * 8.0)


def samples(count: int, *, seed: int = 0, shape: tuple[int, ...] = IMAGE) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [{"x0": rng.random(shape, np.float32)} for _ in range(count)]


def outputs(path: Path, inputs: list[Any]) -> Any:
    model = load(path, probe=False, threads=1)
    results = [model(next(iter(each.values()))) for each in inputs]
    arrays = [list(r.values()) if isinstance(r, dict) else [r] for r in results]
    return [np.concatenate([np.ravel(each) for each in result]) for result in arrays]


def sqnr_db(wanted: Any, found: Any) -> float:
    signal = sum(float((a.astype(np.float64) ** 2).sum()) for a in wanted)
    pairs = zip(wanted, found, strict=True)
    noise = sum(float(((a - b).astype(np.float64) ** 2).sum()) for a, b in pairs)
    return 10 * float(np.log10(signal / max(noise, 1e-30)))


@pytest.mark.parametrize(
    ("scheme", "at_least_db"),
    [("int8", 25), ("int16x8", 35), ("dynamic", 25), ("weight-only", 30), ("float16", 55)],
)
def test_every_scheme_stays_close_to_float(
    float_file: Any, tmp_path: Path, scheme: str, at_least_db: float
) -> None:
    source, made = float_file(net, IMAGE), tmp_path / "made.tflite"
    quantize_tflite(source, made, scheme=scheme, samples=samples(30))
    fresh = samples(10, seed=1)
    assert sqnr_db(outputs(source, fresh), outputs(made, fresh)) > at_least_db
    graph = Graph(made)
    assert [t.dtype for t in (*graph.inputs, *graph.outputs)] == ["float32", "float32"]
    assert graph.fully_integer == (scheme in STATIC)


@pytest.mark.parametrize(
    ("scheme", "io"), [("int8", "int8"), ("int8", "uint8"), ("int16x8", "int16")]
)
def test_integer_files_can_be_given_integer_inputs_and_outputs(
    float_file: Any, tmp_path: Path, scheme: str, io: Any
) -> None:
    source, made = float_file(net, IMAGE), tmp_path / "made.tflite"
    quantize_tflite(source, made, scheme=scheme, samples=samples(20))
    changed = tmp_path / "changed.tflite"
    changed.write_bytes(with_io(made.read_bytes(), io))
    graph = Graph(changed)
    assert [t.dtype for t in (*graph.inputs, *graph.outputs)] == [io, io]
    assert graph.fully_integer
    fresh = samples(5, seed=1)
    assert np.allclose(outputs(changed, fresh), outputs(made, fresh), atol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning:tensorflow.*")
def test_int8_is_as_good_as_what_the_converter_makes_of_the_same_samples(
    tmp_path: Path,
) -> None:
    import tensorflow as tf

    function = tf.function(net).get_concrete_function(tf.TensorSpec(IMAGE, name="x0"))
    source, made, theirs = (tmp_path / f"{name}.tflite" for name in ("float", "ours", "theirs"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    source.write_bytes(converter.convert())
    data, fresh = samples(30), samples(20, seed=1)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([each["x0"]] for each in data)
    theirs.write_bytes(converter.convert())
    quantize_tflite(source, made, scheme="int8", samples=data)
    exact = outputs(source, fresh)
    ours_db, theirs_db = (sqnr_db(exact, outputs(each, fresh)) for each in (made, theirs))
    assert ours_db > theirs_db - 1.5
    first = [
        graph.main.tensors[graph.ops[0].outputs[0]] for graph in map(Graph, (made, theirs))
    ]
    assert first[0].scale == pytest.approx(first[1].scale)


def test_weights_have_one_scale_a_channel(float_file: Any, tmp_path: Path) -> None:
    made = tmp_path / "made.tflite"
    quantize_tflite(float_file(net, IMAGE), made, scheme="int8", samples=samples(5))
    scales = {
        op.op: len(graph_weights(made, op).scale) for op in Graph(made).ops if is_matrix(op)
    }
    assert scales == {"CONV_2D": 8, "DEPTHWISE_CONV_2D": 8, "FULLY_CONNECTED": 5}


def test_per_tensor_gives_every_layer_one_scale(float_file: Any, tmp_path: Path) -> None:
    made = tmp_path / "made.tflite"
    source, fresh = float_file(net, IMAGE), samples(10, seed=1)
    quantize_tflite(source, made, scheme="int8", samples=samples(20), per_tensor=True)
    scales = {
        op.op: len(graph_weights(made, op).scale) for op in Graph(made).ops if is_matrix(op)
    }
    assert scales == {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1}
    assert sqnr_db(outputs(source, fresh), outputs(made, fresh)) > 25
    assert Graph(made).fully_integer


def is_matrix(op: Any) -> bool:
    return op.op in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}


def graph_weights(path: Path, op: Any) -> Any:
    return Graph(path).main.tensors[op.inputs[1]]


@pytest.mark.parametrize(
    ("scheme", "asked", "version"),
    [
        pytest.param("dynamic", None, 3, id="dynamic is safe for runtime 2.14"),
        pytest.param("dynamic", True, 12, id="dynamic per channel"),
        pytest.param("int8", None, 4, id="int8"),
    ],
)
def test_dense_weights_per_channel_are_chosen_by_scheme(
    float_file: Any, tmp_path: Path, scheme: str, asked: bool | None, version: int
) -> None:
    made = tmp_path / "made.tflite"
    data = samples(5)
    source = float_file(net, IMAGE)
    quantize_tflite(source, made, scheme=scheme, samples=data, per_channel_dense=asked)
    (dense,) = (op for op in Graph(made).ops if op.op == "FULLY_CONNECTED")
    assert dense.version == version
    assert (len(graph_weights(made, dense).scale) > 1) == (version != 3)


def test_an_operator_stays_in_float_when_asked(float_file: Any, tmp_path: Path) -> None:
    source, made = float_file(net, IMAGE), tmp_path / "made.tflite"
    (dense,) = (op for op in Graph(source).ops if op.op == "FULLY_CONNECTED")
    name = Graph(source).main.tensors[dense.outputs[0]].name
    outcome = quantize_tflite(
        source, made, scheme="int8", samples=samples(10), keep_float=[name]
    )
    assert [op.op for op in Graph(made).float_islands if is_matrix(op)] == ["FULLY_CONNECTED"]
    assert outcome.kept_float == {name: "FULLY_CONNECTED: as asked"}
    assert any("Stayed in float" in note for note in outcome.notes)


def test_an_unknown_layer_to_keep_is_refused_with_the_known_names(
    float_file: Any, tmp_path: Path
) -> None:
    with pytest.raises(UnknownName, match="No operator of the model named 'no_such_layer'"):
        quantize_tflite(
            float_file(net, IMAGE),
            tmp_path / "made.tflite",
            scheme="int8",
            samples=samples(2),
            keep_float=["no_such_layer"],
        )


def test_what_the_engine_cannot_do_is_named(float_file: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    source = float_file(lambda x: tf.cumsum(tf.nn.relu(x + 1.0), 1) * 2.0, IMAGE)
    outcome = quantize_tflite(source, tmp_path / "m.tflite", scheme="int8", samples=samples(5))
    assert list(outcome.kept_float.values()) == ["CUMSUM: the engine has no integer form of it"]


def test_two_inputs_are_fed_by_name(float_file: Any, tmp_path: Path) -> None:
    source, made = float_file(lambda a, b: a * 2.0 + b, (1, 8), (1, 8)), tmp_path / "m.tflite"
    names = list(load(source, probe=False).inputs)
    rng = np.random.default_rng(0)
    data = [{spec.name: rng.random(8, np.float32) for spec in names} for _ in range(20)]
    quantize_tflite(source, made, scheme="int8", samples=data)
    exact: Any = load(source, probe=False)
    ours: Any = load(made, probe=False)
    feed = {spec.name: rng.random((1, 8), np.float32) for spec in names}
    assert np.allclose(ours(feed), exact(feed), atol=0.05)


def test_an_unknown_scheme_is_refused(float_file: Any, tmp_path: Path) -> None:
    with pytest.raises(
        UnknownName, match="Known: int8, int16x8, dynamic, weight-only, float16"
    ):
        quantize_tflite(
            float_file(net, IMAGE), tmp_path / "m.tflite", scheme="int4", samples=None
        )


def test_integers_without_samples_are_refused(float_file: Any, tmp_path: Path) -> None:
    source = float_file(net, IMAGE)
    with pytest.raises(UsageError, match="takes its ranges from samples"):
        quantize_tflite(source, tmp_path / "m.tflite", scheme="int8", samples=None)
    with pytest.raises(DataError, match="no calibration sample"):
        quantize_tflite(source, tmp_path / "m.tflite", scheme="int8", samples=[])


def test_a_loop_is_refused_for_integers_and_taken_for_weights(
    float_file: Any, tmp_path: Path
) -> None:
    import tensorflow as tf

    def loop(x: Any) -> Any:
        step = lambda i, y: (i + 1, tf.matmul(y, weights(8, 8)))  # noqa: E731
        return tf.while_loop(lambda i, _: i < 3, step, (tf.constant(0), x))[1]

    source, made = float_file(loop, (1, 8)), tmp_path / "m.tflite"
    with pytest.raises(SourceError, match=r"loops or branches \(WHILE\)"):
        quantize_tflite(source, made, scheme="int8", samples=samples(2, shape=(1, 8)))
    quantize_tflite(source, made, scheme="weight-only", samples=None)
    assert np.isfinite(outputs(made, samples(1, shape=(1, 8)))).all()


def test_a_refusal_of_the_library_becomes_a_message(
    float_file: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_edge_quantizer import quantizer

    def refuse(*_: object, **__: object) -> None:
        msg = "Failed to quantize bias tensor for op CONV_2D\nand more"
        raise ValueError(msg)

    monkeypatch.setattr(quantizer.Quantizer, "quantize", refuse)
    made = tmp_path / "m.tflite"
    with pytest.raises(SourceError, match=r"(?s)by ai-edge-quantizer: Failed .*keep-float"):
        quantize_tflite(float_file(net, IMAGE), made, scheme="int8", samples=samples(2))
    assert not made.exists()


# Float files of others, with the range of their inputs and the least SQNR on random input.
REAL = [
    pytest.param("mlperf_tiny/**/pretrainedResnet.tflite", 255.0, 20, id="resnet"),
    pytest.param("mlperf_tiny/**/ad01_fp32.tflite", 1.0, 22, id="autoencoder"),
    pytest.param("mlperf_tiny/**/vww_96_float.tflite", 1.0, 30, id="mobilenet"),
    pytest.param("**/hello_world_float.tflite", 6.0, 20, id="sine"),
    pytest.param("**/face_detection_front.tflite", 1.0, 12, id="blazeface, float16 weights"),
    pytest.param("**/face_detection_full_range_sparse.tflite", 1.0, 10, id="sparse weights"),
    pytest.param("**/mobilenet_v1_0.25_224_1_default_1.tflite", 1.0, 3, id="old file"),
]


def real_file(data_dir: Path, pattern: str) -> Path:
    return next(iter((data_dir / "models" / "tflite").glob(pattern)))


def random_inputs(path: Path, count: int, high: float, seed: int) -> list[Any]:
    (tensor,) = Graph(path).inputs
    rng = np.random.default_rng(seed)
    shape = (1, *tensor.shape[1:])
    return [{"x": (rng.random(shape) * high).astype(tensor.dtype)} for _ in range(count)]


@pytest.mark.data
@pytest.mark.parametrize(("pattern", "high", "at_least_db"), REAL)
def test_real_files_become_fully_integer_and_stay_close_to_float(
    data_dir: Path, tmp_path: Path, pattern: str, high: float, at_least_db: float
) -> None:
    source, made = real_file(data_dir, pattern), tmp_path / "made.tflite"
    outcome = quantize_tflite(
        source, made, scheme="int8", samples=random_inputs(source, 20, high, seed=0)
    )
    assert outcome.kept_float == {}
    assert Graph(made).fully_integer
    fresh = random_inputs(source, 8, high, seed=1)
    assert sqnr_db(outputs(source, fresh), outputs(made, fresh)) > at_least_db


@pytest.mark.data
@pytest.mark.skipif(other_python() is None, reason="EDGEKIT_TFLITE_PYTHON is not set")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("pattern", "high"), [param.values[:2] for param in REAL[:3]])
def test_real_files_give_the_same_in_tflite_runtime(
    data_dir: Path, tmp_path: Path, scheme: str, pattern: str, high: float
) -> None:
    source, made = real_file(data_dir, pattern), tmp_path / "made.tflite"
    data = random_inputs(source, 10, high, seed=0)
    quantize_tflite(source, made, scheme=scheme, samples=data)
    name = load(made, probe=False).inputs[0].name
    here = outputs(made, data[:1])
    there = run_elsewhere(made, {name: data[0]["x"]}, python=other_python() or "")
    assert "tflite-runtime" in there.runtime
    # The kernels of the two round differently by one step, and the softmax magnifies it.
    assert sqnr_db(here, [np.ravel(v) for v in there.outputs.values()]) > 10
