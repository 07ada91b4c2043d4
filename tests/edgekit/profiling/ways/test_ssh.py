"""Profiling through a real OpenSSH server on 127.0.0.1, and all that can go wrong there."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import own_sshd
import pytest
from own_sshd import OwnSshd, free_port

from edgekit.errors import (
    CrashError,
    DeviceError,
    EdgekitError,
    InputError,
    MissingExtra,
    TargetError,
    UnknownName,
)
from edgekit.profiling.ways import call_on, profile_on
from edgekit.profiling.ways.errand import MORE
from edgekit.profiling.ways.ssh import way
from edgekit.profiling.ways.ssh.connection import VARIABLE

pytestmark = [
    pytest.mark.usefixtures("one_environment"),
    pytest.mark.skipif(own_sshd.MISSING, reason="OpenSSH is not installed"),
    pytest.mark.timeout(120),
]
QUICK: dict[str, Any] = {"runs": 3, "warmup_s": 0.0}
GONE_S = 30.0


@pytest.fixture
def pi(visited: OwnSshd, monkeypatch: pytest.MonkeyPatch) -> OwnSshd:
    monkeypatch.setenv(VARIABLE, visited.ssh)
    return visited


@pytest.fixture
def new_pi(bare: OwnSshd, monkeypatch: pytest.MonkeyPatch) -> OwnSshd:
    monkeypatch.setenv(VARIABLE, bare.ssh)
    return bare


def left(server: OwnSshd) -> list[str]:
    """What lies in the cache there but for environments."""
    return [each.name for each in server.cache.glob("*") if not each.name.startswith("env-")]


def test_it_measures_there_and_leaves_only_the_environment(pi: OwnSshd, model: Path) -> None:
    (found,) = profile_on(pi.address, [model], **QUICK)
    assert (found.kind, found.on, found.runs) == ("measured", pi.address, 3)
    assert found.model == str(model)
    assert found.latency_ms.median > 0
    assert left(pi) == []
    assert gone(pi.sessions())


def test_models_are_measured_in_turns(pi: OwnSshd, model: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(model, tmp_path / "other.tflite"))
    first, second = profile_on(pi.address, [model, other], **QUICK)
    assert (first.model, second.model) == (str(model), str(other))
    assert first.interleaved_with == (str(other),)


def test_any_function_can_be_called_there(pi: OwnSshd, model: Path) -> None:
    found = call_on(pi.address, "device_jobs:whereabouts", [model])
    assert found["folder"].startswith(f"{pi.cache}/job-")
    assert found["bytes"] == [model.stat().st_size]
    assert found["files"] == [str(model)]
    assert not Path(found["folder"]).exists()


def test_a_login_that_talks_does_no_harm(pi: OwnSshd, model: Path) -> None:
    (pi.home / ".bashrc").write_text("echo Welcome; echo '{\"kind\": 1'; echo 42\n")
    try:
        assert profile_on(pi.address, [model], **QUICK)[0].runs == 3
    finally:
        (pi.home / ".bashrc").unlink()


def test_errors_keep_their_class_and_name_the_file_here(pi: OwnSshd, model: Path) -> None:
    with pytest.raises(TargetError, match=f"^On {pi.address}: {model} does not fit"):
        call_on(pi.address, "device_jobs:refuse", [model])
    with pytest.raises(UnknownName, match="No backend named 'nix'"):
        profile_on(pi.address, [model], backend="nix")
    assert left(pi) == []


def test_a_file_that_is_no_model_is_refused_before_connecting(tmp_path: Path) -> None:
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"not a model")
    with pytest.raises(InputError, match=r"bad\.tflite"):
        profile_on("ssh://nowhere.invalid", [bad])


def test_a_crash_of_the_interpreter_there_is_told(pi: OwnSshd, model: Path) -> None:
    with pytest.raises(CrashError, match="running the model died from SIGSEGV") as caught:
        call_on(pi.address, "device_jobs:crash", [model])
    assert str(caught.value).startswith(f"On {pi.address}")
    assert left(pi) == []


def test_a_python_that_dies_there_is_told(pi: OwnSshd, model: Path) -> None:
    with pytest.raises(CrashError, match=r"ended with code 9.*memory"):
        call_on(pi.address, "device_jobs:die", [model])
    assert left(pi) == []


def running(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        with suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z":
                found.append(pid)
    return found


def wait_for_lines(path: Path, count: int) -> list[int]:
    end = time.monotonic() + GONE_S
    while time.monotonic() < end:
        lines = path.read_text().split() if path.exists() else []
        if len(lines) == count:
            return [int(each) for each in lines]
        time.sleep(0.05)
    raise AssertionError(path)


def gone(pids: list[int]) -> bool:
    end = time.monotonic() + GONE_S
    while running(pids) and time.monotonic() < end:
        time.sleep(0.05)
    return not running(pids)


def test_a_device_that_falls_silent_is_told(
    pi: OwnSshd, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = "-o ServerAliveInterval=1 -o ServerAliveCountMax=1"
    monkeypatch.setenv(VARIABLE, f"{pi.ssh} {impatient}")
    told = tmp_path / "pids"
    frozen: list[int] = []

    def freeze() -> None:
        wait_for_lines(told, 2)
        frozen.extend(pi.sessions())
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)

    thread = threading.Thread(target=freeze)
    thread.start()
    with pytest.raises(DeviceError, match="broke while working colors"):
        call_on(pi.address, "device_jobs:sleep", [model], seconds=100, told=str(told))
    thread.join(GONE_S)
    for pid in frozen:  # it is back, and sees that nobody is there any more
        os.kill(pid, signal.SIGCONT)
    assert gone(frozen)
    tidy(pi)


def tidy(server: OwnSshd) -> None:
    """Do what the next day's visit does where Python was killed before it could."""
    for each in left(server):
        assert each.startswith("job-")
        shutil.rmtree(server.cache / each)


def test_a_restart_in_the_middle_is_told_and_nothing_runs_on(
    pi: OwnSshd, model: Path, tmp_path: Path
) -> None:
    told = tmp_path / "pids"
    caught: list[BaseException] = []

    def work() -> None:
        try:
            call_on(pi.address, "device_jobs:sleep", [model], seconds=100, told=str(told))
        except DeviceError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    pids = wait_for_lines(told, 2)
    pi.cut("sshd")  # the errand must see that by itself
    thread.join(GONE_S)
    assert "broke while working colors.tflite" in str(caught[0])
    assert caught[0].exit_code == 7  # type: ignore[attr-defined] # a DeviceError
    assert gone(pids)
    tidy(pi)


def start_sleeping(server: OwnSshd, model: Path, told: Path) -> subprocess.Popen[bytes]:
    """Start a command of its own that works on the device for long."""
    code = (
        "from edgekit.profiling.ways import call_on\n"
        "from edgekit.profiling.ways.ssh import way\n"
        f"way.environment_name = lambda device: {own_sshd.ENVIRONMENT!r}\n"
        f"call_on({server.address!r}, 'device_jobs:sleep', [{str(model)!r}], "
        f"seconds=100, told={str(told)!r})"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda each: each.name)
def test_a_command_that_is_ended_leaves_nothing_running(
    pi: OwnSshd, model: Path, tmp_path: Path, how: signal.Signals
) -> None:
    child = start_sleeping(pi, model, tmp_path / "pids")
    pids = wait_for_lines(tmp_path / "pids", 2)
    child.send_signal(how)
    child.wait(GONE_S)
    assert gone(pids)
    assert gone(pi.sessions())
    assert left(pi) == []


def refusal(address: str, model: Path) -> str:
    with pytest.raises(DeviceError) as caught:
        profile_on(address, [model], **QUICK)
    assert caught.value.exit_code == 7
    text = str(caught.value)
    assert text.startswith(f"Cannot reach {address}: ")
    return text


@pytest.mark.usefixtures("pi")
def test_a_host_that_does_not_exist_is_told(model: Path) -> None:
    assert "nobody knows a host" in refusal("ssh://nowhere.invalid", model)


@pytest.mark.usefixtures("pi")
def test_a_host_where_nothing_listens_is_told(model: Path) -> None:
    text = refusal(f"ssh://127.0.0.1:{free_port()}", model)
    assert "nothing listens there" in text
    assert "Is the port right" in text


def test_a_host_that_does_not_answer_is_told(
    pi: OwnSshd, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv(VARIABLE, f"{pi.ssh} -o ConnectTimeout=1")
        assert "does not answer" in refusal(f"ssh://127.0.0.1:{port}", model)


def test_an_unknown_host_key_is_told(
    pi: OwnSshd, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "known"
    monkeypatch.setenv(VARIABLE, f"{pi.ssh} -o UserKnownHostsFile={empty}")
    text = refusal(pi.address, model)
    assert "does not know the host's key" in text
    assert f"ssh -p {pi.port} {pi.user}@127.0.0.1" in text
    assert not empty.exists()


def test_a_changed_host_key_is_told(
    pi: OwnSshd, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "known"
    key = (pi.folder / "key.pub").read_text()
    other.write_text(f"[127.0.0.1]:{pi.port} {key}")
    monkeypatch.setenv(VARIABLE, f"{pi.ssh} -o UserKnownHostsFile={other}")
    text = refusal(pi.address, model)
    assert "another key than the one" in text
    assert f"ssh-keygen -R '[127.0.0.1]:{pi.port}'" in text


def test_a_wrong_key_is_told(pi: OwnSshd, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, pi.ssh_with("IdentityFile", f"{pi.folder}/host_key"))
    text = refusal(pi.address, model)
    assert "does not accept the key or password" in text
    assert "ssh-copy-id" in text


def test_a_wrong_password_is_told(
    pi: OwnSshd, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    program = tmp_path / "askpass"
    program.write_text(f"#!/bin/sh\necho asked >>{asked}\necho wrong\n")
    program.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(program))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    options = "-o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1"
    monkeypatch.setenv(VARIABLE, f"{pi.ssh} {options}")
    assert "does not accept the key or password" in refusal(pi.address, model)
    assert asked.read_text() == "asked\n"


def test_without_a_terminal_nobody_is_asked(
    pi: OwnSshd, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{pi.ssh} -o PubkeyAuthentication=no")
    assert "does not accept the key or password" in refusal(pi.address, model)


def test_a_machine_without_ssh_is_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "no-such-ssh")
    with pytest.raises(MissingExtra, match="apt install openssh-client"):
        profile_on("ssh://pi", [model])


def test_a_device_without_python_is_told(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "uname", "tr", "readlink", "df", "dirname", "find", "cat"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    with own_sshd.own_sshd(tmp_path / "ssh", PATH=str(tools)) as server:
        monkeypatch.setenv(VARIABLE, server.ssh)
        with pytest.raises(MissingExtra, match=r"has no Python.*\n.*apt install python3"):
            profile_on(server.address, [model])
        assert not server.cache.exists()


def use_bundle(monkeypatch: pytest.MonkeyPatch, made: Path) -> None:
    monkeypatch.setattr(way, "environment_bundle", lambda _device: made)


def write_bundle(folder: Path, run_sh: str, **files: bytes) -> Path:
    """Write what looks like a bundle."""
    made = folder / "environment.zip"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("environment/run.sh", run_sh)
        for name, content in files.items():
            archive.writestr(f"environment/{name}", content)
    return made


def test_too_little_space_is_told_before_anything_is_sent(
    new_pi: OwnSshd, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_bundle(monkeypatch, write_bundle(tmp_path, "exit 1"))
    monkeypatch.setattr(way, "_needed_mb", lambda _packed: 1e9)
    with pytest.raises(TargetError, match=r"not enough space.*MiB free, and 1000000000 MiB"):
        profile_on(new_pi.address, [model])
    assert not new_pi.cache.exists()


@pytest.mark.parametrize(
    ("run_sh", "kind", "words"),
    [
        pytest.param(
            "echo 'OSError: [Errno 28] No space left on device' >&2; exit 6",
            TargetError,
            "disk of .* was full while installing",
            id="full while installing",
        ),
        pytest.param(
            "echo 'error: No virtual environment could be made' >&2; exit 6",
            EdgekitError,
            "failed \\(code 6\\)(.|\n)*No virtual environment",
            id="another failure",
        ),
    ],
)
def test_a_failed_installation_is_told_and_removed(
    new_pi: OwnSshd,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    run_sh: str,
    kind: type[EdgekitError],
    words: str,
) -> None:
    use_bundle(monkeypatch, write_bundle(tmp_path, run_sh, data=bytes(10)))
    with pytest.raises(kind, match=words):
        profile_on(new_pi.address, [model])
    assert list(new_pi.cache.glob("*")) == []


def test_a_restart_while_installing_leaves_nothing(
    new_pi: OwnSshd, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "pids"
    script = f"echo $$ >{told}.part; mv {told}.part {told}; sleep 100 & wait"
    use_bundle(monkeypatch, write_bundle(tmp_path, script))
    caught: list[Any] = []

    def work() -> None:
        try:
            profile_on(new_pi.address, [model])
        except DeviceError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    pids = wait_for_lines(told, 1)
    below = own_sshd.descendants(pids[0])
    new_pi.cut("sshd")
    thread.join(GONE_S)
    assert "broke while installing edgekit" in str(caught[0])
    assert gone([*pids, *below])
    end = time.monotonic() + GONE_S
    while list(new_pi.cache.glob("*")) and time.monotonic() < end:
        time.sleep(0.05)
    assert list(new_pi.cache.glob("*")) == []


def test_operators_are_measured_there_too(pi: OwnSshd, model: Path) -> None:
    (found,) = profile_on(pi.address, [model], function=MORE, operators=True, **QUICK)
    assert found.per_op is not None
    assert {op.index for op in found.ops} >= {-1, 0}
    assert (found.on, found.model) == (pi.address, str(model))
    assert left(pi) == []
