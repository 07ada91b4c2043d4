"""Emulated Raspberry Pis: what .ci/emulated-pi made, and how commands run there."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
VARIABLE = "EDGEKIT_PI_ROOTS"


@dataclass(frozen=True)
class Board:
    """A board with a system on it.

    Attributes:
        name: Of the board and its system.
        target: The target of its bundle.
        root: Name of the root in the folder that EDGEKIT_PI_ROOTS names.
        cpu: The processor, as QEMU names it.
        core: The processor, as edgekit's machine record names it.
        runtime: How the name of the interpreter and its version begin there.
        steps: How far 8-bit outputs of carried models may be from those of this machine
            under XNNPACK, in their steps: it rounds by what a processor can do.
        steps_of_words: The same for the carried words, whose network is the deepest.
        steps_of_others: The same for models of others.
    """

    name: str
    target: str
    root: str
    cpu: str
    core: str
    runtime: str = "ai-edge-litert 2.3"
    steps: int = 2  # found: 0
    steps_of_words: int = 2  # found: 0
    steps_of_others: int = 16  # found: 10, of a uint8 model on the Cortex-A53; 1 elsewhere

    @property
    def is_32bit(self) -> bool:
        return self.target == "raspberry-pi-32bit"


BOARDS = (
    Board("Pi 3, OS 12", "raspberry-pi-4", "bookworm-arm64", "cortex-a53", "Cortex-A53"),
    Board("Pi 4, OS 12", "raspberry-pi-4", "bookworm-arm64", "cortex-a72", "Cortex-A72"),
    Board("Pi 5, OS 13", "raspberry-pi-4", "trixie-arm64", "cortex-a76", "Cortex-A76"),
    Board(
        "32-bit, OS 12",
        "raspberry-pi-32bit",
        "bookworm-armhf",
        "cortex-a15",
        "Cortex-A53",
        "tflite-runtime 2.14",
        steps=4,  # found: 1
        # found: 11; reference kernels and XNNPACK of one machine differ by 19 on speech
        steps_of_words=16,
        steps_of_others=40,  # found: 27, of one model; 0 of the other eight
    ),
)


def roots() -> Path | None:
    """Return the folder of the roots, if there is one."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def run(
    board: Board, home: Path, *command: str, timeout_s: float = 500
) -> subprocess.CompletedProcess[str]:
    """Run a command on a board; `home` is its /home/pi and the folder it runs in."""
    folder = roots()
    assert folder is not None
    return subprocess.run(
        [str(ROOT / ".ci/pi-run"), str(folder / board.root), str(home), *command],
        env=os.environ | {"QEMU_CPU": board.cpu},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
