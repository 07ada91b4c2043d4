"""Bytes of parameters: the formula, what stays on the chip, and what real files hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.flatbuffer import Graph
from edgekit.placement.edgetpu import predict
from edgekit.placement.edgetpu.memory import MIB, estimate, packed_bytes, pad, up
from edgekit.placement.edgetpu.package import read_compiled


@given(count=st.integers(1, 10_000))
def test_padding_never_loses_and_the_chip_pads_more(count: int) -> None:
    assert count <= pad(count) <= pad(count, on_chip=True) < count + 64
    assert up(count, 4) % 4 == 0


@pytest.mark.parametrize(
    ("name", "weights", "packed", "on_chip"),
    [
        pytest.param("CONV_2D", (17, 3, 3, 3), 32 * (36 + 4), 64 * (36 + 4), id="convolution"),
        pytest.param("TRANSPOSE_CONV", (64, 2, 2, 8), 64 * 36, 64 * 36, id="transposed"),
        pytest.param("FULLY_CONNECTED", (10, 6), 16 * (8 + 4), 64 * (8 + 4), id="dense"),
        pytest.param("DEPTHWISE_CONV_2D", (1, 3, 3, 6), 8 * 40, 8 * 40, id="depthwise"),
        pytest.param("RELU", (4, 4), 0, 0, id="no parameters"),
    ],
)
def test_packed_bytes_follow_the_shape_of_the_weights(
    graph: Any, op: Any, tensor: Any, name: str, weights: Any, packed: int, on_chip: int
) -> None:
    constant = tensor(shape=weights, values=np.zeros(weights, np.int8))
    made = graph([op(op=name, inputs="x w", outputs="y")], w=constant)
    assert packed_bytes(made, made.ops[0]) == packed
    assert packed_bytes(made, made.ops[0], on_chip=True) == on_chip


def _layers(graph: Any, op: Any, tensor: Any, *sizes_mib: float, side: int = 8) -> Graph:
    """Return FULLY_CONNECTED after FULLY_CONNECTED with so many MiB of weights each."""
    ops, tensors = [], {"t0": tensor(shape=(1, side, side, 4))}
    for i, size in enumerate(sizes_mib):
        shape = (1024, round(size * 1024))
        tensors[f"w{i}"] = tensor(shape=shape, values=np.zeros(shape, np.int8))
        tensors[f"t{i + 1}"] = tensor(shape=(1, 1024))
        ops.append(op(op="FULLY_CONNECTED", inputs=f"t{i} w{i}", outputs=f"t{i + 1}"))
    made: Graph = graph(ops, **tensors)
    return made


@pytest.mark.parametrize(
    ("sizes", "side", "verdict", "fates"),
    [
        pytest.param((2, 2), 8, "fits", ["cached", "cached"], id="small"),
        pytest.param((4, 3), 8, "uncertain", ["cached", "uncertain"], id="between"),
        pytest.param((4, 5), 8, "streams", ["cached", "streamed"], id="large"),
        pytest.param((4, 5, 1), 8, "streams", ["cached", "streamed", "cached"], id="gap"),
        pytest.param((9,), 8, "streams", ["streamed"], id="one too large"),
        pytest.param((2, 2), 640, "uncertain", ["uncertain"] * 2, id="large pictures"),
        pytest.param((1.2,), 640, "fits", ["cached"], id="large pictures, few parameters"),
        pytest.param((1.2,), 641, "uncertain", ["uncertain"], id="huge pictures"),
    ],
)
def test_whole_layers_stay_on_the_chip_or_are_streamed(
    graph: Any, op: Any, tensor: Any, sizes: Any, side: int, verdict: str, fates: list[str]
) -> None:
    made = _layers(graph, op, tensor, *sizes, side=side)
    found = estimate(made, [("edgetpu", "")] * len(made.ops))
    assert found.verdict == verdict
    assert [layer.memory for layer in found.layers] == fates
    assert found.parameter_bytes == pytest.approx(sum(sizes) * MIB, rel=0.01)
    assert found.cached_bytes + found.streamed_bytes <= found.parameter_bytes


def test_what_runs_on_the_cpu_takes_nothing(graph: Any, op: Any, tensor: Any) -> None:
    made = _layers(graph, op, tensor, 9)
    found = estimate(made, [("cpu", "")])
    assert (found.verdict, found.parameter_bytes, found.layers) == ("fits", 0, ())


@pytest.mark.data
def test_real_files_hold_what_is_estimated(data_dir: Path) -> None:
    checked = 0
    for compiled in sorted((data_dir / "edgetpu").rglob("*_edgetpu.tflite")):
        held = read_compiled(Graph(compiled))
        assert held is not None
        real = held.cached_bytes + held.streamed_bytes
        graph = Graph(compiled.with_name(compiled.name.replace("_edgetpu", "")))
        if real < 20_000 or any("LSTM" in op.op for op in graph.ops):
            continue
        found = estimate(graph, predict(graph))
        assert found.parameter_bytes == pytest.approx(real, rel=0.015)
        assert found.verdict == "fits"
        checked += 1
    assert checked > 10
