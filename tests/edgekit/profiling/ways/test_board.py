"""Which bundle a computer gets, from what it says about itself."""

import pytest

from edgekit.errors import EdgekitError, MissingExtra, TargetError
from edgekit.profiling.ways.board import Facts, choose_device, read_facts

PI_4 = "Raspberry Pi 4 Model B Rev 1.4"


def facts(
    machine: str = "aarch64",
    *pythons: tuple[str, int],
    board: str | None = None,
    system: str = "Linux",
) -> Facts:
    return Facts(
        system=system,
        machine=machine,
        board=board,
        pythons=tuple(("python3", *each) for each in pythons),
        cache="/home/pi/.cache/edgekit",
        free_mb=1000.0,
        environments=(),
    )


@pytest.mark.parametrize(
    ("found", "target", "arch", "python"),
    [
        pytest.param(
            facts("aarch64", ("3.11", 64), board=PI_4), "raspberry-pi-4", "aarch64", "3.11"
        ),
        pytest.param(
            facts("aarch64", ("3.13", 64), board="Raspberry Pi 5 Model B Rev 1.0"),
            *("raspberry-pi-5", "aarch64", "3.13"),
            id="Pi 5",
        ),
        pytest.param(
            facts("aarch64", ("3.11", 64), board="Some other board"),
            *("raspberry-pi-4", "aarch64", "3.11"),
            id="64-bit Arm of others",
        ),
        pytest.param(
            facts("aarch64", ("3.11", 32), board=PI_4),
            *("raspberry-pi-32bit", "armv7l", "3.11"),
            id="32-bit system on a 64-bit kernel",
        ),
        pytest.param(facts("x86_64", ("3.12", 64)), "host", "x86_64", "3.12", id="a computer"),
        pytest.param(
            facts("aarch64", ("3.9", 64), ("3.11", 64)),
            *("raspberry-pi-4", "aarch64", "3.11"),
            id="the second Python",
        ),
    ],
)
def test_known_computers(found: Facts, target: str, arch: str, python: str) -> None:
    device = choose_device(found, "ssh://pi", None)
    assert (device.target.name, device.target.arch, device.pythons) == (target, arch, (python,))


def test_a_profile_can_be_asked_for() -> None:
    device = choose_device(facts("x86_64", ("3.11", 64), board=PI_4), "ssh://pi", "host")
    assert (device.target.name, device.target.arch) == ("host", "x86_64")


@pytest.mark.parametrize(
    ("found", "kind", "words"),
    [
        pytest.param(facts(), MissingExtra, "sudo apt install python3", id="no Python"),
        pytest.param(
            facts("aarch64", ("3.7", 64)), TargetError, "has Python 3.7", id="an old Python"
        ),
        pytest.param(
            facts("riscv64", ("3.11", 64)), TargetError, "is a riscv64", id="no wheels"
        ),
        pytest.param(
            facts("arm64", ("3.11", 64), system="Darwin"), TargetError, "Darwin", id="no Linux"
        ),
    ],
)
def test_what_does_not_fit_is_told(found: Facts, kind: type[EdgekitError], words: str) -> None:
    with pytest.raises(kind, match=words):
        choose_device(found, "ssh://pi", None)


def test_a_profile_of_another_machine_is_refused() -> None:
    with pytest.raises(TargetError, match="is a x86_64, and raspberry-pi-4 is aarch64"):
        choose_device(facts("x86_64", ("3.11", 64)), "ssh://pi", "raspberry-pi-4")


def test_answers_of_the_script_are_read_with_blanks_and_gaps() -> None:
    found = read_facts(
        {
            "system": ["Linux"],
            "machine": ["aarch64"],
            "board": [PI_4],
            "python": ["python3 3.11 64", "", "python3.13 broken"],
            "cache": ["/home/pi/.cache/edgekit"],
            "free_kb": ["2048"],
            "environment": ["abc", "def"],
        }
    )
    assert found.pythons == (("python3", "3.11", 64),)
    assert (found.board, found.free_mb, found.environments) == (PI_4, 2.0, ("abc", "def"))
    silent = read_facts({"free_kb": [""], "board": [""]})
    assert (silent.system, silent.board, silent.free_mb) == ("unknown", None, None)
