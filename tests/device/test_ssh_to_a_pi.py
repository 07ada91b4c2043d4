"""A real OpenSSH server inside an emulated Raspberry Pi. Run by .ci/emulated-pi.

The Pi has the namespaces of .ci/pi-run: its own user land and processes, and no network at
all. ssh reaches its server through a pipe (ProxyCommand), as it would through a jump host.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_models as tiny
from emulated_pi import BOARDS, ROOT, roots
from own_sshd import CLIENT

from edgekit.bundle import environment
from edgekit.errors import CrashError, DeviceError
from edgekit.profiling.ways import call_on, profile_on
from edgekit.profiling.ways.ssh import way
from edgekit.profiling.ways.ssh.connection import VARIABLE

pytestmark = [
    pytest.mark.device,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(roots() is None, reason="run it with .ci/emulated-pi"),
    pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH is not installed"),
]
BOARD = BOARDS[1]
ADDRESS = "ssh://raspberrypi"
SERVER = """\
HostKey /home/pi/host_key
AuthorizedKeysFile /home/pi/authorized_keys
UsePAM no
StrictModes no
PidFile none
"""
PIPE = """\
    User pi
    ProxyCommand env PI_USER=pi QEMU_CPU={cpu} {pi_run} {root} {home} \
/usr/sbin/sshd -i -f /home/pi/sshd_config -E /home/pi/sshd.log
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the home folder of the user pi, with a server that lets the tests in."""
    folder = tmp_path_factory.mktemp("ssh")
    home = folder / "home"
    home.mkdir()
    for key in (home / "host_key", folder / "key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True
        )
    shutil.copy(folder / "key.pub", home / "authorized_keys")
    (home / "sshd_config").write_text(SERVER)
    (folder / "known_hosts").write_text(f"raspberrypi {(home / 'host_key.pub').read_text()}")
    found = roots()
    assert found is not None
    pipe = PIPE.format(
        home=home, cpu=BOARD.cpu, root=found / BOARD.root, pi_run=ROOT / ".ci/pi-run"
    )
    (folder / "config").write_text(CLIENT.format(host="raspberrypi", folder=folder) + pipe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, f"ssh -F {folder}/config")
        patch.setattr(environment, "cache_dir", lambda: folder / "cache")
        # One name, whatever is edited while the tests run.
        patch.setattr(way, "environment_name", lambda _device: "0123456789abcdef")
        yield home


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_colors(tmp_path_factory.mktemp("models") / "colors.tflite")


def kept(home: Path) -> list[str]:
    return [each.name for each in (home / ".cache/edgekit").iterdir()]


def test_a_bare_pi_without_a_network_is_measured(home: Path, model: Path) -> None:
    (found,) = profile_on(ADDRESS, [model], runs=3, warmup_s=0.0)
    assert (found.on, found.model, found.runs) == (ADDRESS, str(model), 3)
    assert (found.machine.arch, found.machine.cpu) == ("aarch64", BOARD.core)
    assert found.runtime.startswith(BOARD.runtime)
    assert kept(home) == ["env-0123456789abcdef"]
    assert not (home / ".cache/edgekit/env-0123456789abcdef/wheels").exists()


def test_the_second_visit_uses_what_the_first_left(
    home: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(way, "environment_bundle")
    (found,) = profile_on(ADDRESS, [model], runs=3, warmup_s=0.0, threads=1)
    assert (found.threads, found.machine.python.startswith("3.11")) == (1, True)
    assert kept(home) == ["env-0123456789abcdef"]


def test_a_python_that_dies_there_is_told(home: Path) -> None:
    with pytest.raises(CrashError, match="ended with code 1 while working"):
        call_on(ADDRESS, "os:_exit", status=1)
    assert kept(home) == ["env-0123456789abcdef"]


def test_a_pi_whose_server_does_not_start_is_told(home: Path, model: Path) -> None:
    config = home / "sshd_config"
    config.rename(home / "away")
    try:
        with pytest.raises(DeviceError, match=f"Cannot reach {ADDRESS}"):
            profile_on(ADDRESS, [model])
    finally:
        (home / "away").rename(config)
