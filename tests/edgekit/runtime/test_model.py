"""A model takes and gives real values, one sample or many, by name or alone."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.errors import InputError, UsageError
from edgekit.flatbuffer import Table
from edgekit.runtime import TensorSpec, load
from edgekit.runtime.quantize import dequantize, quantize

INT8 = {"dtype": "int8", "scale": (0.5,), "zero_point": -28}


def _open(path: Path, **options: Any) -> Any:
    return load(path, probe=False, threads=1, **options)


def test_a_float_model_gives_what_the_operator_gives(relu: Path) -> None:
    model = _open(relu)
    assert model.inputs == (TensorSpec("x", (1, 4), "float32"),)
    assert model(np.array([[-1.0, 0.0, 2.0, np.inf]])).tolist() == [[0.0, 0.0, 2.0, np.inf]]


def test_a_quantized_model_takes_and_gives_real_values(relu_int8: Path) -> None:
    model = _open(relu_int8)
    assert model.inputs == (TensorSpec("x", (1, 4), "int8", 0.5, -28),)
    assert model(np.array([[-3.0, 0.7, 2.0, 1e9]])).tolist() == [[0.0, 0.5, 2.0, 77.5]]


def test_raw_takes_and_gives_integers(relu_int8: Path) -> None:
    found = _open(relu_int8).raw(np.array([[-128, -28, -20, 127]]))
    assert found.dtype == np.int8
    assert found.tolist() == [[-28, -28, -20, 127]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(real=hnp.arrays(np.float32, (1, 4), elements=st.floats(-1e3, 1e3, width=32)))
def test_a_call_is_raw_between_quantize_and_dequantize(relu_int8: Path, real: Any) -> None:
    model = _open(relu_int8)
    spec = model.outputs[0]
    integers = model.raw(quantize(real, 0.5, -28, "int8"))
    assert isinstance(integers, np.ndarray)
    np.testing.assert_array_equal(
        model(real), dequantize(integers, spec.scale, spec.zero_point)
    )


def test_results_are_the_callers_and_stay_as_they_are(relu: Path, relu_int8: Path) -> None:
    for path in (relu, relu_int8):
        model = _open(path)
        for run in (model, model.raw):
            first = run(np.full((1, 4), 2))
            run(np.full((1, 4), 3))
            assert (first == first[0, 0]).all()
            assert first[0, 0] == run(np.full((1, 4), 2))[0, 0]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_n_samples_give_what_each_gives_alone(relu_int8: Path, count: int) -> None:
    model = _open(relu_int8)
    real = np.random.default_rng(0).uniform(-9, 9, (count, 4)).astype(np.float32)
    found = model(real)
    assert isinstance(found, np.ndarray)
    assert found.shape == (count, 4)
    assert found.dtype == np.float32
    for row, sample in zip(found, real, strict=True):
        np.testing.assert_array_equal(row[None], model(sample[None]))


def test_several_inputs_go_in_by_name(make: Any, tensor: Any) -> None:
    path = make(
        "SUB",
        [tensor(name="a"), tensor(name="b")],
        [tensor(name="y")],
        options=Table("SubOptions"),
    )
    model = _open(path)
    x = {"b": np.full((3, 4), 2), "a": np.full((3, 4), 5.0)}
    assert model(x).tolist() == [[3.0] * 4] * 3
    with pytest.raises(UsageError, match="several inputs; give a dict with a, b"):
        model(np.zeros((1, 4)))
    with pytest.raises(UsageError, match="has the inputs a, b; found a, c"):
        model({"a": 1, "c": 2})
    with pytest.raises(UsageError, match="same number of samples; found a 3, b 2"):
        model({"a": np.zeros((3, 4)), "b": np.zeros((2, 4))})


def test_several_outputs_come_out_by_name(make: Any, tensor: Any) -> None:
    axis = tensor(name="axis", shape=(), dtype="int32", values=np.array(1, np.int32))
    outputs = [tensor(name="left", shape=(1, 2)), tensor(name="right", shape=(1, 2))]
    options = Table("SplitOptions", num_splits=2)
    model = _open(make("SPLIT", [axis, tensor(name="x")], outputs, options=options))
    found = model(np.arange(8).reshape(2, 4))
    assert isinstance(found, dict)
    assert {name: array.tolist() for name, array in found.items()} == {
        "left": [[0.0, 1.0], [4.0, 5.0]],
        "right": [[2.0, 3.0], [6.0, 7.0]],
    }


def test_names_are_those_of_the_signature(make: Any, tensor: Any) -> None:
    path = make(
        "RELU",
        [tensor(name="serving_default_x:0")],
        [tensor(name="StatefulPartitionedCall:0")],
        signature=({"x": 0}, {"probabilities": 1}),
    )
    model = _open(path)
    assert [spec.name for spec in (*model.inputs, *model.outputs)] == ["x", "probabilities"]


def test_equal_names_are_told_apart(make: Any, tensor: Any) -> None:
    inputs = [tensor(name="x"), tensor(name="x")]
    model = _open(make("ADD", inputs, [tensor(name="y")], options=Table("AddOptions")))
    assert [spec.name for spec in model.inputs] == ["x", "x_"]


def test_an_open_batch_becomes_one(make: Any, tensor: Any) -> None:
    path = make(
        "RELU",
        [tensor(name="x", signature=(-1, 4), shape=(1, 4))],
        [tensor(name="y", signature=(-1, 4), shape=(1, 4))],
    )
    model = _open(path)
    assert model.inputs[0].shape == (1, 4)
    assert model(np.ones((5, 4))).shape == (5, 4)


def test_other_open_sizes_are_refused(make: Any, tensor: Any) -> None:
    path = make("RELU", [tensor(name="x", signature=(1, -1))], [tensor(name="y")])
    with pytest.raises(InputError, match=r"open sizes \(1, \?\)\.\n.*--input-shape"):
        _open(path)


@pytest.mark.parametrize(
    ("dtype", "given"),
    [
        pytest.param("int32", np.array([[1, -2, 3, 2**31 - 1]]), id="int32"),
        pytest.param("int64", np.array([[1, -2, 3, 2**62]]), id="int64"),
        pytest.param("float16", np.array([[0.5, 1.0, -3.0, 0.0]]), id="float16"),
        pytest.param("bool", np.array([[True, False, True, True]]), id="bool"),
    ],
)
def test_types_without_a_scale_pass_through(
    make: Any, tensor: Any, dtype: str, given: np.ndarray
) -> None:
    shape = tensor(name="s", shape=(2,), dtype="int32", values=np.array([1, 4], np.int32))
    tensors = [tensor(name="x", dtype=dtype), shape]
    model = _open(make("RESHAPE", tensors, [tensor(name="y", dtype=dtype)]))
    assert model(given).dtype == np.dtype(dtype)
    assert model(given).tolist() == given.tolist()


def test_strings_pass_through(make: Any, tensor: Any) -> None:
    shape = tensor(name="s", shape=(2,), dtype="int32", values=np.array([1, 4], np.int32))
    inputs = [tensor(name="x", dtype="string"), shape]
    model = _open(make("RESHAPE", inputs, [tensor(name="y", dtype="string")]))
    assert model(np.array([[b"a", b"bc", b"", b"d"]])).tolist() == [[b"a", b"bc", b"", b"d"]]


@pytest.fixture
def remembering(make: Any, tensor: Any) -> Path:
    """Return a recurrent model of one unit: state = input + state."""
    one = np.ones((1, 1), np.float32)
    inputs = [
        tensor(name="x", shape=(1, 1, 1)),
        tensor(name="w", shape=(1, 1), values=one),
        tensor(name="r", shape=(1, 1), values=one),
        tensor(name="b", shape=(1,), values=np.zeros(1, np.float32)),
        tensor(name="state", shape=(1, 1), variable=True),
    ]
    path: Path = make(
        "UNIDIRECTIONAL_SEQUENCE_RNN",
        inputs,
        [tensor(name="y", shape=(1, 1, 1))],
        options=Table("SequenceRNNOptions"),
    )
    return path


def test_a_recurrent_model_forgets_between_calls(remembering: Path) -> None:
    model = _open(remembering)
    assert [float(np.ravel(model(np.ones((1, 1, 1))))[0]) for _ in range(3)] == [1.0, 1.0, 1.0]


def test_a_recurrent_model_remembers_if_asked_to_until_it_is_reset(remembering: Path) -> None:
    model = _open(remembering, keep_state=True)
    assert np.ravel(model(np.ones((3, 1, 1)))).tolist() == [1.0, 2.0, 3.0]
    model.reset()
    assert np.ravel(model(np.ones((1, 1, 1)))).tolist() == [1.0]


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        pytest.param(
            np.zeros((1, 5)),
            UsageError,
            r"'x' has the shape \(1, 4\), or \(N, 4\); found \(1, 5\)",
            id="shape",
        ),
        pytest.param(
            np.zeros(4), UsageError, r"batch dimension: x\[None\]", id="no batch dimension"
        ),
        pytest.param(
            np.array([["a"] * 4]), UsageError, "takes numbers; found an array of <U1", id="text"
        ),
        pytest.param(np.full((1, 4), np.nan), InputError, "'x'.*NaN", id="nan"),
        pytest.param(
            np.full((1, 4), np.nan, "f4"), InputError, "'x'.*NaN", id="nan in float32"
        ),
        pytest.param(
            np.zeros((1, 4), complex), UsageError, "found an array of complex", id="complex"
        ),
    ],
)
@pytest.mark.parametrize("model_name", ["relu", "relu_int8"])
def test_what_does_not_fit_is_refused(
    request: pytest.FixtureRequest, model_name: str, x: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        _open(request.getfixturevalue(model_name))(x)


def test_integers_that_lose_something_are_refused(relu_int8: Path) -> None:
    with pytest.raises(UsageError, match="without loss"):
        _open(relu_int8).raw(np.full((1, 4), 200))


def test_two_models_run_in_two_threads(relu_int8: Path) -> None:
    def work(value: float, found: list[float]) -> None:
        model = _open(relu_int8)
        found.extend(float(model(np.full((1, 4), value))[0, 0]) for _ in range(200))

    results: dict[float, list[float]] = {2.0: [], 5.0: []}
    threads = [threading.Thread(target=work, args=item) for item in results.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {value: set(found) for value, found in results.items()} == {2.0: {2.0}, 5.0: {5.0}}


@pytest.mark.data
def test_a_fused_lstm_gives_the_same_result_each_time(data_dir: Path) -> None:
    model = _open(data_dir / "edgetpu/test_data/keras_lstm_mnist_ptq.tflite")
    x = np.random.default_rng(0).random((1, 28, 28), np.float32)
    first = model(x)
    np.testing.assert_array_equal(model(x), first)
