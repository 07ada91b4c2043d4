"""What a device needs, by its machine type and its Python."""

import pytest
from packaging.requirements import Requirement

from edgekit.bundle.contents import requirement_lines, settings
from edgekit.bundle.device import Device, choose_pythons, python_problems
from edgekit.bundle.installation import running_installation
from edgekit.errors import UsageError
from edgekit.targets import load_target

PI = Device(load_target("raspberry-pi-4"), ("3.11", "3.13"))
PI32 = Device(load_target("raspberry-pi-32bit"), ("3.11",))


def test_a_64_bit_pi_gets_the_interpreter_of_its_profile_and_opencv() -> None:
    needs = PI.needs(running_installation(), "3.13")
    assert str(needs["ai-edge-litert"]) == f"ai-edge-litert=={PI.target.runtime.version}.*"
    assert {"numpy", "click", "opencv-python-headless"} <= needs.keys()
    assert "tflite-runtime" not in needs
    assert PI.apt == ()


def test_a_32_bit_pi_takes_from_apt_what_nobody_publishes() -> None:
    needs = PI32.needs(running_installation(), "3.11")
    assert str(needs["tflite-runtime"]) == "tflite-runtime==2.14.*"
    assert not {"ai-edge-litert", "numpy", "opencv-python-headless"} & needs.keys()
    assert PI32.apt == ("python3-numpy", "python3-opencv", "python3-cffi", "libsndfile1")


def test_no_requirement_holds_a_marker_of_this_computer() -> None:
    for device in (PI, PI32):
        needs = device.needs(running_installation(), "3.11")
        assert [name for name, need in needs.items() if need.marker] == []


@pytest.mark.parametrize(
    ("marker", "on_64", "on_32"),
    [
        pytest.param('platform_machine == "aarch64"', True, False, id="machine"),
        pytest.param('sys_platform == "win32"', False, False, id="system"),
        pytest.param('python_version >= "3.11"', True, True, id="Python"),
        pytest.param('extra == "npu"', False, False, id="extra that nobody asked for"),
    ],
)
def test_markers_are_judged_for_the_device(marker: str, on_64: bool, on_32: bool) -> None:
    for device, holds in ((PI, on_64), (PI32, on_32)):
        assert bool(device.asked([f"a; {marker}"], "3.11")) == holds


def test_an_extra_that_was_asked_for_brings_what_it_needs() -> None:
    assert [each.name for each in PI.asked(['a; extra == "npu"'], "3.11", ["npu"])] == ["a"]


def test_requirements_of_one_package_are_joined() -> None:
    merged = PI.merge([Requirement("num.py>=1.24"), Requirement("Num_Py<2")])
    assert [str(each) for each in merged.values()] == ["num.py<2,>=1.24"]


def test_platform_tags_go_up_to_the_oldest_system() -> None:
    assert PI.platforms[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(PI.platforms)


def test_the_pythons_are_those_of_raspberry_pi_os_unless_named() -> None:
    assert choose_pythons(PI.target, ()) == ("3.11", "3.13")
    assert choose_pythons(PI32.target, ()) == ("3.11",)
    assert choose_pythons(PI.target, ("3.14", "3.12", "3.14")) == ("3.12", "3.14")


@pytest.mark.parametrize("name", ["android", "coral-usb", "coral-dev-board", "host"])
def test_what_is_no_computer_with_python_is_refused(name: str) -> None:
    with pytest.raises(
        UsageError, match=r"Bundles are for: raspberry-pi-3, raspberry-pi-32bit,"
    ):
        choose_pythons(load_target(name), ())


def test_a_python_without_an_interpreter_is_named() -> None:
    assert python_problems(PI.target, ("3.11", "3.13")) == []
    (problem,) = python_problems(PI32.target, ("3.11", "3.13"))
    assert "Python 3.13 on armv7l" in problem
    assert "Published for: 3.11" in problem


def test_a_requirement_of_one_python_says_so() -> None:
    old, new = Requirement("numpy==2.4.6"), Requirement("numpy==2.5.5")
    same = {"click": Requirement("click==8.5")}
    found = requirement_lines({"3.11": same | {"numpy": old}, "3.13": same | {"numpy": new}})
    assert found == (
        "click==8.5",
        'numpy==2.4.6; python_version == "3.11"',
        'numpy==2.5.5; python_version == "3.13"',
    )


def test_the_settings_are_assignments_of_a_shell() -> None:
    assert settings(PI32).splitlines() == [
        "title='Raspberry Pi, 32-bit system'",
        "target=raspberry-pi-32bit",
        "machine=armv7l",
        "bits=32",
        "pythons=3.11",
        "apt='python3-numpy python3-opencv python3-cffi libsndfile1'",
    ]
