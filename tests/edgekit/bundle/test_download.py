"""Downloading wheels for another machine; the index is a folder of empty wheels."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from edgekit.bundle.archive import Entry, write_zip
from edgekit.bundle.device import Device
from edgekit.bundle.download import download, read_wheel
from edgekit.errors import DeviceError, MissingExtra, TargetError
from edgekit.targets import load_target

pytestmark = pytest.mark.skipif(find_spec("pip") is None, reason="pip is not installed")

PI = Device(load_target("raspberry-pi-4"), ("3.11",))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "none"))
    return folder


def publish(
    index: Path, name: str, needs: Sequence[str] = (), *, version: str = "1", tag: str = "any"
) -> None:
    notes = "\n".join(
        [
            *("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"),
            *(f"Requires-Dist: {each}" for each in needs),
            "",
        ]
    )
    wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
    folder = f"{name}-{version}.dist-info"
    entries = [
        Entry(f"{folder}/METADATA", notes.encode()),
        Entry(f"{folder}/WHEEL", wheel.encode()),
        Entry(f"{folder}/RECORD", b""),
    ]
    python = "py3-none" if tag == "any" else "cp311-cp311"
    write_zip(index / f"{name}-{version}-{python}-{tag}.whl", entries)


def wheels_for(tmp_path: Path, *needs: str) -> list[str]:
    wanted = PI.merge(map(Requirement, needs))
    return [each.path.name for each in download(wanted, PI, "3.11", tmp_path / "wheels")]


def test_a_wheel_brings_what_it_needs_on_the_device(index: Path, tmp_path: Path) -> None:
    publish(index, "a", ["b", 'c; platform_machine == "x86_64"', 'd; sys_platform == "linux"'])
    publish(index, "b", ['e; python_version < "3.12"', 'f; python_version >= "3.12"'])
    publish(index, "d", tag="manylinux_2_28_aarch64")
    publish(index, "e")
    assert wheels_for(tmp_path, "a") == [
        "a-1-py3-none-any.whl",
        "b-1-py3-none-any.whl",
        "d-1-cp311-cp311-manylinux_2_28_aarch64.whl",
        "e-1-py3-none-any.whl",
    ]


def test_what_one_wheel_forbids_another_does_not_bring(index: Path, tmp_path: Path) -> None:
    publish(index, "a", ["b<2"])
    publish(index, "b", version="1")
    publish(index, "b", version="2")
    assert wheels_for(tmp_path, "a", "b") == ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"]


def test_an_extra_is_followed(index: Path, tmp_path: Path) -> None:
    publish(index, "a", ["b[x]"])
    publish(index, "b", ['c; extra == "x"', 'd; extra == "y"'])
    publish(index, "c")
    assert [name[0] for name in wheels_for(tmp_path, "a")] == ["a", "b", "c"]


def test_all_packages_without_a_wheel_are_named_at_once(index: Path, tmp_path: Path) -> None:
    publish(index, "a")
    publish(index, "b", tag="manylinux_2_28_x86_64")
    publish(index, "c", tag="manylinux_2_39_aarch64")  # for a later system
    with pytest.raises(TargetError, match=r"Python 3.11 on aarch64 of: .*b.*, c") as raised:
        wheels_for(tmp_path, "a", "b", "c")
    assert "--python" in str(raised.value)


def test_requirements_that_contradict_each_other_have_no_wheel(
    index: Path, tmp_path: Path
) -> None:
    publish(index, "a", ["b<2"])
    publish(index, "b", version="2")
    with pytest.raises(TargetError, match="b"):
        wheels_for(tmp_path, "a", "b")


def test_a_wheel_says_what_it_needs(index: Path) -> None:
    publish(index, "Some_Name", ["b>1"], version="1.5")
    wheel = read_wheel(index / "Some_Name-1.5-py3-none-any.whl")
    assert (wheel.name, wheel.version, wheel.requires) == ("some-name", "1.5", ("b>1",))


def test_a_python_without_pip_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", {}.get)
    with pytest.raises(MissingExtra, match="ensurepip"):
        wheels_for(tmp_path, "a")


def test_an_index_that_cannot_be_reached_is_named_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    with pytest.raises(DeviceError, match="index cannot be reached") as raised:
        wheels_for(tmp_path, "a")
    assert "127.0.0.1" in str(raised.value)
