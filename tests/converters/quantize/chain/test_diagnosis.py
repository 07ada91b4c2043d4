"""The diagnosis names the sabotaged layer first, with the right cause."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pairs import Net, Node, conv, dense, depthwise, floats, pair_of

from edgekit.flatbuffer import pack
from edgekit_converters.quantize.chain.causes import Traits, explain
from edgekit_converters.quantize.chain.diagnosis import LayerDiagnosis, diagnose
from edgekit_converters.quantize.chain.logits import refine_scores
from edgekit_converters.quantize.chain.pair import Pair

SHAPE = (1, 10, 10, 3)
RELU = 1


def net() -> Net:
    rng = np.random.default_rng(1)
    bias = rng.normal(0, 0.2, 8)
    relu: dict[str, Any] = {"fused_activation_function": RELU}
    return {
        "a": conv(rng.normal(0, 0.3, (8, 3, 3, 3)), bias, **relu),
        "b": depthwise(rng.normal(0, 0.3, (1, 3, 3, 8)), bias, "a", **relu),
        "c": conv(rng.normal(0, 0.3, (8, 1, 1, 8)), bias, "b"),
        "d": Node(op="ADD", inputs=("a", "c")),
        "e": conv(rng.normal(0, 0.3, (8, 3, 3, 8)), bias, "d", stride_h=2, stride_w=2, **relu),
        "f": Node(op="RESHAPE", inputs=("e",), weights=np.array([1, 200])),
        "g": dense(rng.normal(0, 0.3, (5, 200)), bias[:5], "f"),
    }


def draw(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(0, 1, (count, *SHAPE)).astype(np.float32)


def found(pair: Pair, samples: Any, folder: Path, **more: Any) -> tuple[LayerDiagnosis, ...]:
    feeds = [{"x": each} for each in samples]
    return diagnose(pack(pair.float_graph.file.model), pair.pack(), feeds, folder, **more)


def sabotage_spread(nodes: Net) -> Net:
    """Make one channel of `e` large and let `g` make up for it: the function stays."""
    node, after = nodes["e"], nodes["g"]
    assert node.weights is not None
    assert node.bias is not None
    assert after.weights is not None
    node.weights[3] *= 300
    node.bias[3] *= 300
    after.weights.reshape(5, 25, 8)[:, :, 3] /= 300
    return nodes


def narrow(pair: Pair, name: str, factor: float) -> None:
    """Let a tensor of the integer model hold a smaller range."""
    (tensor,) = (
        each for each in pair.graph.file.model.subgraphs[0].tensors if each.name == name
    )
    tensor.quantization.scale = tensor.quantization.scale * np.float32(factor)


def test_every_layer_with_weights_is_there_and_the_shares_add_up_to_one(tmp_path: Path) -> None:
    samples = draw(20)
    layers = found(pair_of(net(), SHAPE, samples), samples, tmp_path)
    assert {each.name for each in layers} == set("abceg")
    assert sum(each.sensitivity for each in layers) == pytest.approx(1)
    assert [each.sensitivity for each in layers] == sorted(
        (each.sensitivity for each in layers), reverse=True
    )
    assert all(each.sqnr_db > 20 for each in layers)
    assert all(each.agreement is not None and each.agreement > 0.8 for each in layers)
    assert {each.samples for each in layers} == {20}


def test_a_channel_spread_is_named_first(tmp_path: Path) -> None:
    samples = draw(20)
    pair = pair_of(sabotage_spread(net()), SHAPE, samples)
    worst, *_ = found(pair, samples, tmp_path)
    assert worst.name == "e"
    assert worst.cause.startswith("channel spread")
    assert "equalisation" in worst.remedy
    assert worst.sensitivity > 0.5


def test_a_clipped_range_is_named_first(tmp_path: Path) -> None:
    samples = draw(20)
    pair = pair_of(net(), SHAPE, samples)
    narrow(pair, "c", 0.2)
    worst, *_ = found(Pair(pack(pair.float_graph.file.model), pair.pack()), samples, tmp_path)
    assert worst.name == "c"
    assert worst.cause.startswith("saturation")
    assert worst.sensitivity > 0.8


def classifier() -> Net:
    """Most classes never win, and their scores lie far below 0."""
    bias = np.where(np.arange(40) < 8, 0.0, -40.0)
    nodes = net()
    nodes["g"] = dense(np.random.default_rng(2).normal(0, 0.05, (40, 200)), bias, "f")
    nodes["h"] = Node(op="RESHAPE", inputs=("g",), weights=np.array([1, 40]))
    nodes["i"] = Node(op="SOFTMAX", inputs=("h",), options={"beta": 1.0})
    return nodes


def of_scores(pair: Pair, folder: Path, **more: Any) -> LayerDiagnosis:
    layers = found(
        Pair(pack(pair.float_graph.file.model), pair.pack()), draw(20), folder, **more
    )
    (only,) = (each for each in layers if each.name == "g")
    return only


def test_scores_clipped_for_finer_steps_are_no_fault(tmp_path: Path) -> None:
    pair = pair_of(classifier(), SHAPE, draw(20))
    before = of_scores(pair, tmp_path)
    assert refine_scores(pair, floats(pair, draw(20))) == ("h",)
    unseen = [{"x": each} for each in draw(20, seed=5)]
    after = of_scores(pair, tmp_path, unseen=unseen)
    assert not after.cause.startswith(("saturation", "bad calibration"))
    assert "minmax" not in after.remedy
    assert after.sensitivity < before.sensitivity
    assert after.sqnr_db > 20


def test_scores_clipped_where_it_costs_are_a_fault(tmp_path: Path) -> None:
    pair = pair_of(classifier(), SHAPE, draw(20))
    for name in "gh":
        narrow(pair, name, 0.02)
    assert of_scores(pair, tmp_path).cause.startswith("saturation")


def test_unseen_samples_show_bad_calibration(tmp_path: Path) -> None:
    samples = draw(20)
    pair = pair_of(net(), SHAPE, samples)
    unseen = [{"x": each} for each in 3 * draw(20, seed=5)]
    layers = found(pair, samples, tmp_path, unseen=unseen)
    assert any(each.cause.startswith("bad calibration") for each in layers)


def test_a_range_much_too_wide_is_bad_calibration(tmp_path: Path) -> None:
    pair = pair_of(net(), SHAPE, 50 * draw(20))
    worst, *_ = found(pair, draw(20), tmp_path)
    assert worst.cause.startswith("bad calibration")
    assert "--calibrate" in worst.remedy or "calibrate on" in worst.remedy


def test_the_files_are_left_as_they_are(tmp_path: Path) -> None:
    samples = draw(8)
    pair = pair_of(net(), SHAPE, samples)
    before = pack(pair.float_graph.file.model)
    assert found(pair, samples, tmp_path) == found(pair, samples, tmp_path)
    assert pack(pair.float_graph.file.model) == before


def traits(**given: Any) -> Traits:
    usual = {
        "path_db": 25.0,
        "own_db": 25.0,
        "alone_db": 15.0,
        "weight_share": 0.2,
        "clip_share": 0.0,
        "beyond": 0.0,
        "unseen_beyond": None,
        "width": 1.0,
        "outlier": 1.5,
        "spread": 2.0,
        "weight_spread": 1.0,
        "input_spread": 1.0,
        "distinct": 200,
        "dead": 0.0,
        "shift": 0.1,
        "own_shift": 0.1,
    }
    return Traits(**(usual | given))


@pytest.mark.parametrize(
    ("given", "cause", "remedy"),
    [
        pytest.param({"outlier": 9.0}, "range outlier", "--estimator percentile", id="outlier"),
        pytest.param({"spread": 40.0}, "channel spread", "equalisation", id="spread"),
        pytest.param(
            {"weight_share": 0.9, "weight_spread": 40.0},
            "channel spread",
            "--per-tensor",
            id="spread of weights",
        ),
        pytest.param(
            {"weight_share": 0.9, "own_shift": 0.9, "input_spread": 90.0},
            "channel spread: most of the noise comes through inputs",
            "equalisation",
            id="spread of inputs",
        ),
        pytest.param({"weight_share": 0.9}, "rounded weights", "--round", id="weights"),
        pytest.param(
            {"weight_share": 0.9, "own_shift": 0.9}, "mean shift", "bias correction", id="shift"
        ),
        pytest.param({"dead": 0.8}, "dead channels", "prune", id="dead"),
        pytest.param({"distinct": 9}, "few distinct", "--estimator", id="few values"),
        pytest.param({}, "8 bits are coarse", "--auto-keep-float", id="nothing else"),
        pytest.param({"alone_db": 40.0}, "none", "none needed", id="quiet"),
        pytest.param(
            {"alone_db": 40.0, "own_db": 45.0}, "no fault of its own", "above", id="inherited"
        ),
        pytest.param(
            {"beyond": 0.02, "clip_share": 0.9}, "saturation", "calibrate", id="clipped"
        ),
    ],
)
def test_each_cause_has_its_remedy(given: dict[str, Any], cause: str, remedy: str) -> None:
    finding = explain("layer", traits(**given))
    assert finding.cause.startswith(cause)
    assert remedy in finding.remedy
