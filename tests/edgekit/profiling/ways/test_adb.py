"""Profiling through Google's adb, with a device end of the tests' own."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import own_adbd
import pytest
from own_adbd import Phone, own_phone

from edgekit.errors import (
    CrashError,
    DeviceError,
    EdgekitError,
    InputError,
    MissingExtra,
    TargetError,
    UsageError,
)
from edgekit.profiling.ways import call_on, profile_on
from edgekit.profiling.ways.adb import way
from edgekit.profiling.ways.adb.client import VARIABLE

pytestmark = [
    pytest.mark.skipif(own_adbd.MISSING, reason="adb is not installed"),
    pytest.mark.timeout(120),
]
GETPROP = """\
#!/bin/sh
case $1 in
ro.product.manufacturer) echo Acme ;;
ro.product.model) echo Phone 3 ;;
ro.soc.model) echo SM1000 ;;
ro.product.cpu.abi) echo arm64-v8a ;;
ro.build.version.release) echo 14 ;;
esac
"""
BENCHMARK_MODEL = """\
#!/bin/sh
[ -s "${1#--graph=}" ] || exit 1
echo "$@" >"$PHONE/flags"
echo "INFO: STARTING!"
echo "INFO: Graph: [${1#--graph=}]"
echo "INFO: Initialized session in 8.1ms."
echo "INFO: count=5 first=3100 curr=2473 min=2443 max=3100 avg=2465.3 std=18"
echo "INFO: count=40 first=2600 curr=2459 min=2400 max=2900 avg=2500 std=50"
"""


def program(folder: Path, text: str, name: str = "benchmark_model") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module", params=[True, False], ids=["exit codes", "no exit codes"])
def attached(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Phone]:
    folder = tmp_path_factory.mktemp("phone")
    tools = folder / "bin"
    tools.mkdir()
    program(tools, GETPROP, "getprop")
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "PHONE": str(folder)}
    with own_phone(folder, environment, new_shell=request.param) as found:
        yield found


@pytest.fixture
def phone(attached: Phone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phone:
    monkeypatch.setenv(VARIABLE, attached.adb)
    monkeypatch.setattr(way, "_HOME", str(tmp_path / "data/local/tmp/edgekit"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(way.VARIABLE, raising=False)
    attached.commands.clear()
    attached.full = False
    return attached


def home() -> Path:
    return Path(way._HOME)


def flags(phone: Phone) -> str:
    return Path(phone.environment["PHONE"], "flags").read_text()


def test_it_measures_there_and_leaves_only_the_program(
    phone: Phone, model: Path, tmp_path: Path
) -> None:
    tool = program(tmp_path, BENCHMARK_MODEL)
    (found,) = profile_on(
        phone.address, [model], benchmark_model=tool, threads=2, runs=40, warmup_s=2.0
    )
    assert (found.on, found.model, found.runs) == (phone.address, str(model), 40)
    assert found.bytes == model.stat().st_size
    assert found.latency_ms.median == 2.5
    assert found.runtime == "benchmark_model"
    assert (found.machine.board, found.machine.cpu) == ("Acme Phone 3", "SM1000")
    assert (found.machine.arch, found.machine.os) == ("arm64-v8a", "Android 14")
    assert found.machine.cores == os.cpu_count()
    assert "--num_threads=2 --num_runs=40 --min_secs=0 --warmup_min_secs=0.5" in flags(phone)
    (left,) = home().iterdir()
    assert left.name.startswith("benchmark_model-")


def test_the_program_is_sent_once(phone: Phone, model: Path, tmp_path: Path) -> None:
    tool = program(tmp_path, BENCHMARK_MODEL)
    profile_on(phone.address, [model], benchmark_model=tool)
    first = next(home().iterdir()).stat().st_ino
    profile_on(phone.address, [model], benchmark_model=tool)
    assert next(home().iterdir()).stat().st_ino == first


def test_the_only_device_needs_no_name(phone: Phone, model: Path, tmp_path: Path) -> None:
    assert phone.port
    tool = program(tmp_path, BENCHMARK_MODEL)
    assert profile_on("adb://", [model], benchmark_model=tool)[0].on == "adb://"


def test_a_program_in_the_cache_is_found(phone: Phone, model: Path, tmp_path: Path) -> None:
    kept = tmp_path / "cache/edgekit/benchmark_model/arm64-v8a"
    kept.mkdir(parents=True)
    program(kept, BENCHMARK_MODEL)
    assert profile_on(phone.address, [model])[0].runs == 40


def test_without_the_program_it_says_where_to_get_it(phone: Phone, model: Path) -> None:
    with pytest.raises(MissingExtra, match="android_aarch64_benchmark_model"):
        profile_on(phone.address, [model])


@pytest.mark.parametrize(
    ("how", "flag"),
    [
        pytest.param({"delegate": "gpu"}, "--use_gpu=true", id="GPU"),
        pytest.param(
            {"operators": True},
            "--enable_op_profiling=true --use_profiler=true",
            id="operators",
        ),
    ],
)
def test_options_become_flags(
    phone: Phone, model: Path, tmp_path: Path, how: dict[str, Any], flag: str
) -> None:
    profile_on(
        phone.address, [model], benchmark_model=program(tmp_path, BENCHMARK_MODEL), **how
    )
    assert flag in flags(phone)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        pytest.param(
            "#!/bin/sh\necho ERROR: Did not find op for builtin opcode\nexit 1\n",
            *(CrashError, r"\(code 1\)(.|\n)*find op"),
            id="refused",
        ),
        pytest.param(
            "#!/bin/sh\necho STARTING; kill -SEGV $$\n",
            *(CrashError, "died from SIGSEGV"),
            id="crash",
        ),
        pytest.param("\x7fELF nonsense", TargetError, "another processor", id="processor"),
        pytest.param("#!/bin/sh\necho Graph: [x]\n", CrashError, r"\(code 0\)", id="no times"),
    ],
)
def test_a_run_that_fails_is_told_and_removed(
    phone: Phone, model: Path, tmp_path: Path, text: str, kind: type[EdgekitError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        profile_on(phone.address, [model], benchmark_model=program(tmp_path, text))
    assert not list(home().glob("job-*"))


def test_a_full_disk_is_told(phone: Phone, model: Path, tmp_path: Path) -> None:
    phone.full = True
    with pytest.raises(TargetError, match="not enough space"):
        profile_on(phone.address, [model], benchmark_model=program(tmp_path, BENCHMARK_MODEL))
    assert list(home().iterdir()) == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        pytest.param({"delegate": "edgetpu"}, "knows no delegate 'edgetpu'", id="delegate"),
        pytest.param({"backend": "tf.lite"}, "--backend, --sweep", id="backend"),
        pytest.param({"seconds": 10.0}, "--backend, --sweep", id="long run"),
    ],
)
def test_what_the_program_cannot_do_is_refused(
    model: Path, how: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        profile_on("adb://", [model], **how)


def test_edgekit_itself_does_not_run_on_a_phone() -> None:
    with pytest.raises(UsageError, match="edgekit itself does not run on adb://"):
        call_on("adb://", "device_jobs:whereabouts")


def test_a_named_program_that_is_missing_is_told(
    phone: Phone, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="There is no benchmark_model"):
        profile_on(phone.address, [model], benchmark_model=tmp_path / "none")


def listing(folder: Path, text: str) -> str:
    return str(program(folder, f"#!/bin/sh\nprintf 'List of devices\\n{text}'\n", "adb"))


@pytest.mark.parametrize(
    ("devices", "address", "words"),
    [
        pytest.param("", "adb://", "no such device is attached. Attached: none", id="none"),
        pytest.param(r"R5\tdevice\n", "adb://R6", r"Attached: R5 \(device\)", id="another one"),
        pytest.param(r"R5\tdevice\nR6\tdevice\n", "adb://", "Which device is meant", id="two"),
        pytest.param(r"R5\tunauthorized\n", "adb://", "does not trust", id="unauthorized"),
        pytest.param(r"R5\toffline\n", "adb://R5", "does not answer", id="offline"),
        pytest.param(r"R5\tno permissions (udev)\n", "adb://", "plugdev", id="no permissions"),
        pytest.param(r"R5\tconfused\n", "adb://", "says that it is confused", id="unknown"),
    ],
)
def test_a_device_that_cannot_be_used_is_told(
    tmp_path: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    devices: str,
    address: str,
    words: str,
) -> None:
    monkeypatch.setenv(VARIABLE, listing(tmp_path, devices))
    with pytest.raises(DeviceError, match=words) as caught:
        profile_on(address, [model])
    assert caught.value.exit_code == 7


def test_a_machine_without_adb_is_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "no-such-adb")
    with pytest.raises(MissingExtra, match="apt install adb"):
        profile_on("adb://", [model])


def test_a_phone_that_restarts_in_the_middle_is_told(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = tmp_path / "began"
    tool = program(tmp_path, f"#!/bin/sh\necho STARTING\n: >{began}\nsleep 3\n")
    tools = tmp_path / "bin"
    tools.mkdir()
    program(tools, GETPROP, "getprop")
    environment = {"PATH": f"{tools}:{os.environ['PATH']}"}
    monkeypatch.setattr(way, "_HOME", str(tmp_path / "edgekit"))
    with own_phone(tmp_path, environment) as phone:
        monkeypatch.setenv(VARIABLE, phone.adb)

        def vanish() -> None:
            while not began.exists():
                time.sleep(0.02)
            phone.vanish()

        thread = threading.Thread(target=vanish)
        thread.start()
        with pytest.raises(DeviceError, match="went away while profiling"):
            profile_on(phone.address, [model], benchmark_model=tool)
        thread.join()
