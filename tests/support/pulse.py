"""A sound server of one's own, whose loudspeaker is its microphone."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from demo_runs import ENVIRONMENT

PROGRAMS = ("pulseaudio", "paplay", "pactl", "arecord")
SINK = "edgekit"
_START_S = 10.0
_SCRIPT = """\
load-module module-native-protocol-unix
load-module module-null-sink norewinds=1 sink_name={sink} rate={rate} channels=1 format=s16le
set-default-sink {sink}
set-default-source {sink}.monitor
"""
_ALSA = "".join(
    f"{name} {{ type pulse }}\n" for name in ("pcm.!default", "ctl.!default", "pcm.pulse")
)


def usable() -> bool:
    """Whether the programs for it are installed."""
    return all(shutil.which(each) for each in PROGRAMS)


@dataclass(frozen=True)
class Pulse:
    """A running sound server.

    Attributes:
        environment: With which programs reach it, and no other one.
        process: Itself.
        urgent: Whether it goes before all other programs: else a busy machine loses sound.
    """

    environment: dict[str, str]
    process: "subprocess.Popen[bytes]"
    urgent: bool = False

    def play(self, path: Path) -> "subprocess.Popen[bytes]":
        """Begin to play a file."""
        return subprocess.Popen(["paplay", f"--device={SINK}", str(path)], env=self.environment)

    def heard(self) -> bool:
        """Whether anybody listens."""
        asked = ["pactl", "list", "short", "source-outputs"]
        done = subprocess.run(asked, env=self.environment, capture_output=True, check=False)
        return bool(done.stdout.strip())

    def ready(self) -> bool:
        """Whether it answers."""
        asked = subprocess.run(
            ["pactl", "info"], env=self.environment, capture_output=True, check=False
        )
        return asked.returncode == 0


@contextlib.contextmanager
def pulse(folder: Path, rate: int = 16_000) -> Iterator[Pulse]:
    """Run a server in a folder; its default microphone hears what is played."""
    run = folder / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    client = folder / "client.conf"
    client.write_text("autospawn = no\nenable-shm = no\nenable-memfd = no\n")
    alsa = folder / "asoundrc"
    alsa.write_text(_ALSA)
    environment = {
        **ENVIRONMENT,
        "XDG_RUNTIME_DIR": str(run),
        "PULSE_RUNTIME_PATH": str(run / "pulse"),
        "PULSE_STATE_PATH": str(run / "state"),
        "PULSE_SERVER": f"unix:{run / 'pulse' / 'native'}",
        "PULSE_CLIENTCONFIG": str(client),
        "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{alsa}",
    }
    script = folder / "server.pa"
    script.write_text(_SCRIPT.format(sink=SINK, rate=rate))
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [
                *("pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n", "-F", script),
                *("--use-pid-file=no", "--disable-shm=yes"),
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        server = Pulse(environment, process)
        try:
            _wait(server, folder / "server.log")
            yield replace(server, urgent=_hurry(process.pid))
        finally:
            process.terminate()
            process.wait(10)


def _wait(server: Pulse, log: Path) -> None:
    """Wait until a server answers."""
    until = time.monotonic() + _START_S
    while not server.ready():
        if server.process.poll() is not None or time.monotonic() > until:
            msg = f"no sound server: {log.read_text()}"
            raise RuntimeError(msg)
        time.sleep(0.1)


def _hurry(pid: int) -> bool:
    """Let a server go before all other programs; return whether that may be."""
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(20))
    except PermissionError:
        return False
    return True
