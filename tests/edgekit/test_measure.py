"""Laws of the statistics, known values of the machine record."""

import hashlib
import platform
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import measure
from edgekit.errors import InputError
from edgekit.records import from_json, to_json

durations = st.lists(st.floats(1e-4, 1e5), min_size=1, max_size=200)


@given(ms=durations)
def test_order_statistics_are_in_order_and_within_the_data(ms: list[float]) -> None:
    found = measure.summarize(ms)
    values = [found.min, found.p5, found.median, found.p95, found.p99, found.max]
    assert values == sorted(values)
    assert (found.min, found.max) == (min(ms), max(ms))


@given(ms=durations, factor=st.sampled_from([0.5, 2.0, 1024.0]))
def test_a_change_of_unit_changes_every_statistic_alike(ms: list[float], factor: float) -> None:
    once, scaled = measure.summarize(ms), measure.summarize([factor * each for each in ms])
    assert scaled.median == pytest.approx(factor * once.median)
    assert scaled.p95 == pytest.approx(factor * once.p95)


@given(ms=durations, seed=st.randoms(use_true_random=False))
def test_the_order_of_the_runs_does_not_matter(ms: list[float], seed: object) -> None:
    mixed = list(ms)
    seed.shuffle(mixed)  # type: ignore[attr-defined] # a random.Random
    assert measure.summarize(mixed) == measure.summarize(ms)


@pytest.mark.parametrize(
    ("ms", "median", "p95"),
    [
        pytest.param([7.0], 7.0, 7.0, id="one run"),
        pytest.param([1.0, 2.0], 1.5, 1.95, id="interpolated"),
        pytest.param([float(i) for i in range(101)], 50.0, 95.0, id="0 to 100"),
        pytest.param([1.0] * 99 + [1000.0], 1.0, 1.0, id="one outlier does not show"),
    ],
)
def test_known_values(ms: list[float], median: float, p95: float) -> None:
    found = measure.summarize(ms)
    assert found.median == pytest.approx(median)
    assert found.p95 == pytest.approx(p95)


@pytest.mark.parametrize("ms", [[], [1.0, float("nan")], [float("inf")]])
def test_nothing_and_not_a_number_are_refused(ms: list[float]) -> None:
    with pytest.raises(InputError, match="at least one finite duration"):
        measure.summarize(ms)


def test_the_machine_record_survives_json_and_knows_the_sure_things() -> None:
    found = measure.machine()
    assert from_json(measure.Machine, to_json(found), "machine") == found
    assert found.arch == platform.machine()
    assert found.cores >= 1
    assert found.memory_mb is None or found.memory_mb > 16


@pytest.fixture
def pi_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system files that a Raspberry Pi 4 has."""
    files = {
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "proc/cpuinfo": "processor\t: 0\nCPU part\t: 0xd08\n",
        "proc/meminfo": "MemTotal:        3884368 kB\n",
        "proc/self/status": "Name:\tpython\nVmHWM:\t   51200 kB\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "sys/class/thermal/thermal_zone0/type": "gpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "41000\n",
        "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone1/temp": "48312\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(measure, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(measure, "_SYS", tmp_path / "sys")
    return tmp_path


@pytest.mark.usefixtures("pi_files")
@pytest.mark.skipif(platform.system() != "Linux", reason="reads the files of Linux")
def test_a_raspberry_pi_is_described_from_its_system_files() -> None:
    found = measure.machine()
    assert found.board == "Raspberry Pi 4 Model B Rev 1.4"
    assert found.cpu == "Cortex-A72"
    assert found.governor == "ondemand"
    assert found.memory_mb == pytest.approx(3793.3, abs=0.1)
    assert found.temperature_c == pytest.approx(48.312)
    assert measure.peak_rss_mb() == 50.0


@pytest.mark.skipif(platform.system() != "Linux", reason="reads the files of Linux")
def test_a_machine_without_system_files_gives_none_not_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "_PROC", tmp_path)
    monkeypatch.setattr(measure, "_SYS", tmp_path)
    found = measure.machine()
    assert (found.board, found.governor, found.temperature_c) == (None, None, None)
    assert measure.peak_rss_mb() == 0


@pytest.mark.parametrize(
    ("answer", "flags"),
    [
        pytest.param("throttled=0x0", (), id="all well"),
        pytest.param("throttled=0x5", ("under-voltage", "throttled"), id="in this moment"),
        pytest.param("throttled=0x20000", ("clock capped since boot",), id="before"),
        pytest.param("VCHI initialization failed", None, id="no answer"),
    ],
)
def test_throttle_bits_become_words(answer: str, flags: tuple[str, ...] | None) -> None:
    assert measure.throttle_flags(answer) == flags


def test_versions_of_what_is_not_installed_are_left_out() -> None:
    assert set(measure.library_versions(["numpy", "no-such-package-anywhere"])) == {"numpy"}


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "model").write_bytes(content)
    assert measure.sha256(tmp_path / "model") == hashlib.sha256(content).hexdigest()


def test_the_digest_of_a_folder_changes_with_a_name_and_with_a_byte(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a").write_bytes(b"1")
    first = measure.sha256(tmp_path)
    assert measure.sha256(tmp_path) == first
    (tmp_path / "sub/a").write_bytes(b"2")
    second = measure.sha256(tmp_path)
    (tmp_path / "sub/a").rename(tmp_path / "sub/b")
    assert len({first, second, measure.sha256(tmp_path)}) == 3


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.here"):
        measure.sha256(tmp_path / "nothing.here")
