"""Many devices at once: here, through ssh, and some that fail."""

import json
import re
from pathlib import Path
from typing import Any

import own_sshd
import pytest
from click.testing import CliRunner
from own_sshd import OwnSshd, free_port

from edgekit.cli.profile import profile as command
from edgekit.errors import DeviceError, RecordError, UsageError
from edgekit.profiling.ways import profile_fleet
from edgekit.profiling.ways.adb import client
from edgekit.profiling.ways.fleet import Member, read_fleet
from edgekit.profiling.ways.ssh.connection import VARIABLE

QUICK: dict[str, Any] = {"runs": 3, "warmup_s": 0.0}


def written(folder: Path, **addresses: str) -> Path:
    path = folder / "devices.toml"
    path.write_text("".join(f'[{name}]\non = "{on}"\n' for name, on in addresses.items()))
    return path


def test_a_file_names_devices_and_what_is_theirs(tmp_path: Path) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(
        '[kitchen]\non = "ssh://pi@kitchen"\ntarget = "raspberry-pi-4"\nthreads = 2\n'
        '[phone]\non = "adb://R5"\ndelegate = "gpu"\n'
    )
    assert read_fleet(path) == {
        "kitchen": Member(on="ssh://pi@kitchen", target="raspberry-pi-4", threads=2),
        "phone": Member(on="adb://R5", delegate="gpu"),
    }


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        pytest.param("", RecordError, "names no device", id="empty"),
        pytest.param("[a]\n", RecordError, r"\[a\] lacks on", id="no address"),
        pytest.param('on = "local"\n', RecordError, "must be a table", id="no table"),
        pytest.param(
            '[a]\non = "local"\nthread = 1\n', RecordError, "unknown thread", id="unknown field"
        ),
        pytest.param('[a]\non = "pi"\n', UsageError, r"\[a\]: 'pi' is no", id="no such way"),
        pytest.param("[a\n", RecordError, "not valid TOML", id="no TOML"),
    ],
)
def test_a_wrong_file_is_refused(
    tmp_path: Path, text: str, kind: type[Exception], words: str
) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(text)
    with pytest.raises(kind, match=words):
        read_fleet(path)


@pytest.mark.skipif(own_sshd.MISSING, reason="OpenSSH is not installed")
@pytest.mark.usefixtures("one_environment")
def test_one_that_fails_does_not_stop_the_others(
    visited: OwnSshd, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, visited.ssh)
    off = f"ssh://127.0.0.1:{free_port()}"
    path = written(tmp_path, pi=visited.address, off=off, desk="local")
    done = CliRunner().invoke(
        command, [str(model), "--on", f"@{path}", "--runs", "3", "--warm-up", "0", "--json"]
    )
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["failed"] == 1
    pi, broken, desk = found["devices"]
    assert (pi["name"], pi["profiles"][0]["on"], pi["error"]) == ("pi", visited.address, None)
    assert (desk["name"], desk["profiles"][0]["on"]) == ("desk", "local")
    assert (broken["name"], broken["profiles"], broken["exit_code"]) == ("off", [], 7)
    assert "nothing listens there" in broken["error"]


def test_the_table_shows_each_device_and_each_failure(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(client.VARIABLE, "no-such-adb")
    path = written(tmp_path, here="local", there="adb://no-such-serial")
    done = CliRunner().invoke(
        command, [str(model), "--on", f"@{path}", "--runs", "3", "--warm-up", "0"]
    )
    assert done.exit_code == 0, done.stderr
    assert re.search(r"^here +colors\.tflite +\d", done.stdout, re.MULTILINE)
    assert "there was not measured. Cannot start no-such-adb" in done.stdout


def test_where_none_was_measured_it_is_an_error(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "ssh -F /dev/null")
    path = written(tmp_path, a=f"ssh://127.0.0.1:{free_port()}", b="ssh://nowhere.invalid")
    with pytest.raises(DeviceError, match="None of the 2 devices") as caught:
        profile_fleet(path, [model], **QUICK)
    assert "\na: Cannot reach" in str(caught.value)
    assert "\nb: Cannot reach" in str(caught.value)


def test_a_file_that_is_missing_is_told(model: Path) -> None:
    with pytest.raises(RecordError, match=r"Cannot read none\.toml"):
        profile_fleet("none.toml", [model])
