"""Profiles of tiny models: what is measured, what is said about it, what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny

from edgekit.errors import InputError, UnknownName, UsageError
from edgekit.measure import machine, summarize
from edgekit.profiling.profile import notes, profile, profile_many
from edgekit.records import to_json


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write_colors(tmp_path / "colors.tflite")


def test_a_profile_has_every_key_of_the_contract(model: Path) -> None:
    before = model.read_bytes()
    found = profile(model, runs=20, threads=1)
    document = to_json(found)
    assert document["kind"] == "measured"
    assert set(document["latency_ms"]) == {"min", "p5", "median", "p95", "p99", "max"}
    assert (found.runs, found.threads, found.ops) == (20, 1, ())
    assert 0 < found.latency_ms.min <= found.latency_ms.median <= found.latency_ms.max
    assert found.load_ms > 0
    assert found.first_ms > 0
    assert found.warmup_runs >= 10
    assert found.bytes == len(before)
    assert found.runtime.split()[0] in {"ai-edge-litert", "tflite-runtime", "tf.lite"}
    assert found.machine.cores >= 1
    assert found.peak_rss_mb is not None
    assert found.peak_rss_mb > 5
    assert model.read_bytes() == before


def test_it_measures_for_a_second_and_fifty_runs_if_not_told(model: Path) -> None:
    assert profile(model, threads=1).runs >= 50


def test_models_are_measured_in_turns_and_name_each_other(tmp_path: Path, model: Path) -> None:
    other = tiny.write_colors(tmp_path / "int8.tflite", quantized=True)
    first, second = profile_many([model, other], runs=15)
    assert (first.runs, second.runs) == (15, 15)
    assert (first.interleaved_with, second.interleaved_with) == ((str(other),), (str(model),))
    assert first.peak_rss_mb is None


def test_a_model_of_integers_is_fed_indices_that_exist(tmp_path: Path) -> None:
    path = tmp_path / "int8.tflite"
    path.write_bytes(tiny.dense(np.eye(4, dtype=np.float32), (1, 4), quantized=True))
    assert profile(path, runs=5).runs == 5


CALM = machine()


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        pytest.param([1.0] * 90 + [1.5] * 10, None, id="calm"),
        pytest.param([1.0] * 90 + [9.0] * 10, "p95 is 9.0 times the median", id="busy"),
        pytest.param([1.0] * 97 + [9.0] * 3, "One run in a hundred takes 9.0", id="outliers"),
    ],
)
def test_a_wide_spread_is_explained(ms: list[float], words: str | None) -> None:
    found = notes(summarize(ms), CALM, CALM)
    assert [words in each for each in found if words] == ([True] if words else [])
    assert bool(found) == bool(words)


def test_heat_and_throttling_are_told() -> None:
    before = replace(CALM, temperature_c=45.0, throttled=())
    after = replace(CALM, temperature_c=71.0, throttled=("throttled",))
    told = notes(summarize([1.0]), before, after)
    assert len(told) == 2
    assert "throttled" in told[0]
    assert "45 to 71" in told[1]


def test_no_runs_and_no_models_are_refused(model: Path) -> None:
    with pytest.raises(UsageError, match="found 1 and 0"):
        profile(model, runs=0)
    with pytest.raises(UsageError, match="found 0 and None"):
        profile_many([])


def test_an_unknown_backend_is_refused(model: Path) -> None:
    with pytest.raises(UnknownName, match="ai-edge-litert"):
        profile(model, backend="onnx")


def test_a_missing_file_and_random_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.tflite"):
        profile(tmp_path / "nothing.tflite")
    (tmp_path / "noise.tflite").write_bytes(np.random.default_rng(0).bytes(500))
    with pytest.raises(InputError, match=r"noise\.tflite"):
        profile(tmp_path / "noise.tflite")
