"""Where an artifact's operators will run on an Edge TPU."""

from pathlib import Path

import tiny_models as tiny

from edgekit.flatbuffer import Graph
from edgekit.targets import load_target
from edgekit_converters.export.placed import placed


def test_an_integer_model_is_on_the_edge_tpu_with_its_parameters(tmp_path: Path) -> None:
    graph = Graph(tiny.write_colors(tmp_path / "m.tflite", quantized=True))
    found = placed(graph, load_target("coral-usb"))
    assert found is not None
    assert found.summary == {"edgetpu": 1, "cpu": 0, "uncertain": 0}
    assert (found.elsewhere, found.memory) == ((), "fits")
    assert found.parameter_bytes > 0


def test_what_is_elsewhere_is_named_with_the_reason(tmp_path: Path) -> None:
    graph = Graph(tiny.write_colors(tmp_path / "m.tflite"))
    found = placed(graph, load_target("coral-usb"))
    assert found is not None
    assert found.summary["cpu"] == len(graph.ops)
    assert "Model not quantized" in found.elsewhere[0]
    assert found.parameter_bytes == 0


def test_other_targets_have_no_such_placement(tmp_path: Path) -> None:
    graph = Graph(tiny.write_colors(tmp_path / "m.tflite", quantized=True))
    assert placed(graph, load_target("raspberry-pi-4")) is None
