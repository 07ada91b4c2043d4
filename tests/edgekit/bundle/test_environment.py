"""Environments: bundles without models, by a name that says what is in them."""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle import environment, environment_bundle, environment_name, make
from edgekit.bundle.device import Device
from edgekit.bundle.download import Wheel
from edgekit.bundle.installation import running_installation
from edgekit.targets import load_target

PI = Device(load_target("raspberry-pi-4"), ("3.11",))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a cache folder; nothing is downloaded."""

    def no_wheels(*_arguments: Any) -> tuple[Wheel, ...]:
        return ()

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(make, "download", no_wheels)
    return tmp_path / "edgekit/environments"


def test_alike_devices_share_an_environment() -> None:
    pi_5 = Device(load_target("raspberry-pi-5"), ("3.11",))
    assert environment_name(PI) == environment_name(pi_5)


def test_other_pythons_machines_and_runtimes_do_not() -> None:
    runtime = replace(PI.target.runtime, version="2.2")
    others = [
        Device(PI.target, ("3.13",)),
        Device(replace(PI.target, arch="x86_64"), ("3.11",)),
        Device(replace(PI.target, runtime=runtime), ("3.11",)),
    ]
    names = {environment_name(each) for each in [PI, *others]}
    assert len(names) == 4


def test_a_changed_file_of_edgekit_is_another_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "errors.py"
    monkeypatch.setattr(environment, "light_files", lambda: {"edgekit/errors.py": file})
    file.write_text("first")
    first = environment_name(PI)
    file.write_text("second")
    assert environment_name(PI) != first


def test_it_is_made_once_and_has_neither_models_nor_opencv(cache: Path) -> None:
    made = environment_bundle(PI)
    assert made == cache / f"{environment_name(PI)}.zip"
    with zipfile.ZipFile(made) as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
    assert "run.sh" in names
    assert not any(name.startswith("models/") for name in names)
    before = made.stat().st_mtime_ns
    assert environment_bundle(PI).stat().st_mtime_ns == before
    assert [each.name for each in cache.iterdir()] == [made.name]


def test_it_needs_no_opencv() -> None:
    about = running_installation()
    assert "opencv-python-headless" in PI.needs(about, "3.11")
    assert "opencv-python-headless" not in PI.needs(about, "3.11", ())


def test_the_oldest_of_many_go(cache: Path) -> None:
    cache.mkdir(parents=True)
    for number in range(6):
        (cache / f"old-{number}.zip").touch()
    made = environment_bundle(PI)
    left = list(cache.glob("*.zip"))
    assert made in left
    assert len(left) == 4
