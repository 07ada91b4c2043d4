"""Settings that are tried, and the one that is recommended."""

from pathlib import Path

import pytest
import tiny_models as tiny

from edgekit.errors import InputError, UnknownName
from edgekit.measure import summarize
from edgekit.profiling.profile import Settings
from edgekit.profiling.records import Setting, Sweep
from edgekit.profiling.sweep import best, candidates, sweep, words
from edgekit.profiling.timing import Budget

SHORT = Budget(runs=10, warmup_s=0.05)


def setting(threads: int, ms: float, delegate: str = "cpu") -> Setting:
    return Setting(
        threads=threads, delegate=delegate, runs=1, latency_ms=summarize([ms]), first_ms=ms
    )


@pytest.mark.parametrize(
    ("settings", "cores", "found"),
    [
        pytest.param(Settings(delegate="cpu"), 1, [1], id="one core"),
        pytest.param(Settings(delegate="cpu"), 4, [1, 2, 4], id="a Pi"),
        pytest.param(Settings(delegate="cpu"), 6, [1, 2, 4, 6], id="all cores, too"),
        pytest.param(Settings(delegate="cpu"), 64, [1, 2, 4, 8], id="many cores"),
        pytest.param(Settings(delegate="cpu", threads=3), 4, [3], id="threads are given"),
    ],
)
def test_threads_that_are_tried(settings: Settings, cores: int, found: list[int]) -> None:
    tried = list(candidates(settings, cores, for_edgetpu=False))
    assert tried == [(threads, "cpu") for threads in found]


def test_delegates_that_are_tried() -> None:
    both = {delegate for _, delegate in candidates(Settings(), 2, for_edgetpu=False)}
    assert both == {"cpu", "builtin"}
    compiled = {delegate for _, delegate in candidates(Settings(), 2, for_edgetpu=True)}
    assert compiled == {"edgetpu"}


def test_the_fastest_is_recommended_unless_fewer_threads_do_as_well() -> None:
    assert best([setting(1, 10.0), setting(2, 6.0), setting(4, 5.9)]).threads == 2
    assert best([setting(1, 10.0), setting(4, 5.0)]).threads == 4
    assert best([setting(1, 3.0, "builtin"), setting(1, 2.0)]).delegate == "cpu"


def test_the_recommendation_is_said_in_words() -> None:
    slow, fast = setting(1, 10.0), setting(2, 5.0)
    told = words(Sweep(settings=(slow, fast), recommended=fast, skipped=()))
    assert "cpu, 2 threads: 5 ms" in told
    assert "2.0 times" in told


def test_a_model_is_measured_with_each_setting(tmp_path: Path) -> None:
    path = tiny.write_colors(tmp_path / "colors.tflite")
    found = sweep(path, Settings(threads=1, budget=SHORT))
    assert [(each.threads, each.delegate) for each in found.settings] == [
        (1, "cpu"),
        (1, "builtin"),
    ]
    assert found.recommended in found.settings
    assert all(each.runs == 10 for each in found.settings)


def test_a_delegate_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = tiny.write_colors(tmp_path / "colors.tflite")
    with pytest.raises(UnknownName, match="xnnpack"):
        sweep(path, Settings(delegate="warp", budget=SHORT))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        sweep(tmp_path / "missing.tflite", Settings(budget=SHORT))
