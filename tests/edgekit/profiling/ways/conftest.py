"""A real ssh server on 127.0.0.1, with this machine's Python as its environment."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_models as tiny
from own_sshd import ENVIRONMENT, OwnSshd, give_environment, own_sshd

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_colors(tmp_path_factory.mktemp("models") / "colors.tflite")


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSshd]:
    """A device that nobody has visited."""
    with own_sshd(tmp_path_factory.mktemp("bare") / "ssh") as server:
        yield server


@pytest.fixture(scope="session")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSshd]:
    """A device with the environment of an earlier visit."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/support")])
    with own_sshd(tmp_path_factory.mktemp("visited") / "ssh") as server:
        give_environment(server, ENVIRONMENT, {"PYTHONPATH": path})
        yield server


@pytest.fixture
def one_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give environments one name, whatever is edited meanwhile."""
    monkeypatch.setattr(
        "edgekit.profiling.ways.ssh.way.environment_name", lambda _device: ENVIRONMENT
    )
