"""The profiler of libLiteRt, beside models whose kernels are known."""

import ctypes
import importlib.util
from pathlib import Path

import pytest
import tiny_models as tiny

from edgekit import guard
from edgekit.errors import EdgekitError, InputError, MissingExtra
from edgekit.profiling.perop import litert
from edgekit.profiling.perop.litert import RUNTIME, XNNPACK, Event, by_run

HAS_LITERT = importlib.util.find_spec("ai_edge_litert") is not None
needs_litert = pytest.mark.skipif(not HAS_LITERT, reason="ai-edge-litert is not installed")
BEGIN = Event("LiteRT::Run[buffer registration]", RUNTIME, 1, 0)
KERNEL = Event("Softmax (NC, F32)", XNNPACK, 2, 0)


def test_events_are_divided_at_the_begin_of_each_run() -> None:
    runs = list(by_run(iter([BEGIN, KERNEL, BEGIN, KERNEL, KERNEL])))
    assert [len(run) for run in runs] == [2, 3]
    assert list(by_run(iter([]))) == []


def test_events_before_the_first_run_are_refused() -> None:
    with pytest.raises(InputError, match="begins with 'Softmax"):
        list(by_run(iter([KERNEL, BEGIN])))


def test_the_event_has_the_layout_of_the_library() -> None:
    assert ctypes.sizeof(litert._Event) == 104


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="ai-edge-litert"):
        litert.library()


def test_a_library_without_the_functions_is_refused(tmp_path: Path) -> None:
    call = litert._Library(Path("libm.so.6"))
    with pytest.raises(MissingExtra, match="no LiteRtStartProfiler"):
        call("StartProfiler")
    with pytest.raises(MissingExtra, match="does not load"):
        litert._Library(tmp_path / "missing.so")


@needs_litert
def test_every_run_tells_the_same_kernels(tmp_path: Path) -> None:
    path = tiny.write_colors(tmp_path / "colors.tflite")
    found = profile_in_child(path, threads=2)
    assert found[0] == found[1]
    assert any(name.startswith("Fully Connected") for name in found[0])


@needs_litert
def test_what_is_no_model_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "text.tflite"
    path.write_text("no model at all, but long enough to be opened as one")
    with pytest.raises(EdgekitError, match=r"LiteRtCreateModelFromFile|died"):
        profile_in_child(path)


@needs_litert
def test_the_probe_finds_the_kernel_of_its_model(tmp_path: Path) -> None:
    answer = guard.call(
        "perop_jobs:probed", doing="probing", timeout_s=60, path=str(tmp_path / "p.tflite")
    )
    assert answer is True


def profile_in_child(path: Path, threads: int = 1) -> list[list[str]]:
    found: list[list[str]] = guard.call(
        "perop_jobs:told", doing="profiling", timeout_s=60, path=str(path), threads=threads
    )
    return found
