"""The Edge TPU: its library, its devices, and every way that both can fail, put into words.

There is no Edge TPU here. A library of a few lines of C, built with the system's compiler,
stands in for libedgetpu: the interpreter loads it and calls it as it would the real one.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekit.errors import (
    DeviceError,
    EdgekitError,
    InputError,
    MissingExtra,
    TargetError,
    UsageError,
)
from edgekit.runtime import delegates, edgetpu, load
from edgekit.runtime.backends import Backend

# The beginnings of the interpreter's C structures, as every TensorFlow Lite since 2.4 has them.
HEAD = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;
typedef struct {
  void *init, *free, *prepare; int (*invoke)(Context *, void *); void *profile;
  int32_t builtin_code; const char *custom_name; int version;
  void *external, *async; uint64_t inplace;
} Registration;
struct Context {
  size_t tensors_size; int (*plan)(Context *, IntArray **); void *tensors, *impl, *resize;
  void (*report)(Context *, const char *, ...); void *add, *node;
  int (*replace)(Context *, Registration, const IntArray *, Delegate *);
};
struct Delegate {
  void *data; int (*prepare)(Context *, Delegate *); void *from, *to, *release;
  int64_t flags; void *builder;
};
static int said(Context *context, const char *text) {
  context->report(context, text);
  return 1;
}
static int fine(Context *context, Delegate *delegate) { return 0; }
"""
CREATE = r"""
Delegate *tflite_plugin_create_delegate(
    char **keys, char **values, size_t count, void (*report)(const char *)) {
  static Delegate made;
  made.prepare = prepare;
  made.flags = 1;  // it takes operators that nothing else knows
  const char *log = getenv("STAND_IN_LOG");
  if (log) {
    FILE *file = fopen(log, "w");
    for (size_t i = 0; i < count; i++) fprintf(file, "%s=%s\n", keys[i], values[i]);
    fclose(file);
  }
  return &made;
}
void tflite_plugin_destroy_delegate(Delegate *delegate) {}
"""
TAKES_ALL = r"""
static int invoke(Context *context, void *node) { return said(context, "%s"); }
static int prepare(Context *context, Delegate *delegate) {
  IntArray *plan;
  context->plan(context, &plan);
  Registration kernel = {0};
  kernel.invoke = invoke;
  kernel.custom_name = "edgetpu-custom-op";
  kernel.version = 1;
  return context->replace(context, kernel, plan, delegate);
}
"""

Build = Callable[[str], Path]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Return a function that builds a stand-in for libedgetpu and has it loaded."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no C compiler")

    def build(body: str) -> Path:
        code, path = tmp_path / "stand_in.c", tmp_path / "libedgetpu.so.1"
        code.write_text(HEAD + body)
        subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", path, code], check=True)
        monkeypatch.setenv(edgetpu.VARIABLE, str(path))
        return path

    return build


def test_a_library_that_loads_gets_the_device_and_runs_the_model(
    library: Build, relu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library("static int (*prepare)(Context *, Delegate *) = fine;\n" + CREATE)
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "log"))
    model = load(relu, delegate="edgetpu:usb:1")
    assert model.delegate == "edgetpu:usb:1"
    assert model([[-1, 0, 1, 2]]).tolist() == [[0, 0, 1, 2]]  # type: ignore[union-attr] # one output
    assert (tmp_path / "log").read_text() == "device=usb:1\n"


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        pytest.param(
            "Package requires runtime version (14), which is newer than this runtime version "
            "(13).",
            TargetError,
            r"for Edge TPU runtime 14;.*has 13.*--min_runtime_version 13",
            id="compiled for a later runtime",
        ),
        pytest.param(
            "Attempting to use a delegate that only supports static-sized tensors with a graph "
            "that has dynamic-sized tensors.",
            TargetError,
            "open sizes",
            id="open sizes",
        ),
        pytest.param(
            "Unsupported data type in custom op handler: 0",
            MissingExtra,
            r"does not fit the interpreter.*take build 16\.0TF2\.19\.1-1",
            id="library of another time",
        ),
        pytest.param(
            "Failed to open device: Resource busy", DeviceError, "in use by another", id="busy"
        ),
        pytest.param("no such thing", InputError, "cannot run.*no such thing", id="unknown"),
    ],
)
def test_what_the_library_says_while_it_prepares_a_model_is_put_into_words(
    library: Build, relu: Path, said: str, error: type[EdgekitError], words: str
) -> None:
    prepare = (
        "static int prepare(Context *context, Delegate *delegate) "
        f'{{ return said(context, "{said}"); }}\n'
    )
    library(prepare + CREATE)
    with pytest.raises(error, match=f"(?s){words}"):
        load(relu, delegate="edgetpu")


@pytest.mark.parametrize(
    "said", ["USB transfer error 2 [LibUsbDataInCallback]", "Deadline exceeded: watchdog"]
)
def test_a_device_that_is_lost_while_it_runs_is_a_device_that_cannot_be_reached(
    library: Build, make: Any, tensor: Any, said: str
) -> None:
    path = make("edgetpu-custom-op", [tensor(name="x")], [tensor(name="y")])
    library(TAKES_ALL.replace("%s", said) + CREATE)
    with pytest.raises(DeviceError, match=r"lost while it ran edgetpu-custom-op(.|\n)*cable"):
        load(path, delegate="edgetpu")


def test_a_crash_names_the_build_that_fits(library: Build, relu: Path) -> None:
    library("void *tflite_plugin_create_delegate() { abort(); }")
    with pytest.raises(EdgekitError, match=r"died from SIGABRT(.|\n)*16\.0TF2\.19\.1-1"):
        load(relu, delegate="edgetpu")


def test_a_crash_in_a_command_names_it_too(library: Build, relu: Path, tmp_path: Path) -> None:
    library("void *tflite_plugin_create_delegate() { abort(); }")
    np.save(tmp_path / "x.npy", np.zeros((1, 4), np.float32))
    arguments = ["run", str(relu), str(tmp_path / "x.npy"), "--delegate", "edgetpu"]
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 3
    assert "died from SIGABRT" in done.stderr
    assert "16.0TF2.19.1-1" in done.stderr


def test_every_name_is_tried_and_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(name: str, _: dict[str, str]) -> Any:
        asked.append(name)
        msg = f"{name}: no"
        raise OSError(msg)

    monkeypatch.setattr(edgetpu, "existing_names", lambda: ("a.so", "b.so"))
    backend = Backend("tflite-runtime", "2.14.0", SimpleNamespace, refuse, {"AUTO": 0})
    with pytest.raises(MissingExtra, match=r"(?s)a\.so: no.*b\.so: no.*16\.0TF2\.17\.1-1"):
        delegates.interpreter_options("edgetpu", backend)
    assert asked == ["a.so", "b.so"]


def test_a_variable_names_the_only_library_that_is_tried(
    monkeypatch: pytest.MonkeyPatch, relu: Path
) -> None:
    monkeypatch.setenv(edgetpu.VARIABLE, "/nowhere/libedgetpu.so")
    with pytest.raises(MissingExtra, match=r"EDGEKIT_EDGETPU names it.*\n.*no such file"):
        load(relu, delegate="edgetpu")


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_system_has_a_bare_name_and_then_paths(platform: str) -> None:
    first, *paths = edgetpu.LIBRARIES[platform]
    assert "/" not in first
    assert all(Path(each).name or "\\" in each for each in paths)
    assert all(each.replace("\\", "/").endswith(f"/{first}") for each in paths)


def test_a_system_without_the_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edgetpu, "_PLATFORM", "plan9")
    backend = Backend("x", "1.0", SimpleNamespace, SimpleNamespace, {"AUTO": 0})
    with pytest.raises(UsageError, match="does not exist on"):
        delegates.interpreter_options("edgetpu", backend)


@pytest.mark.parametrize("device", ["", "usb", "usb:0", "pci", "pci:12", ":1"])
def test_devices_are_named_as_the_library_takes_them(device: str) -> None:
    edgetpu.check_device(device)


@pytest.mark.parametrize("device", ["usb0", "gpu", "usb:x", "pci:"])
def test_another_name_of_a_device_is_wrong_usage(device: str) -> None:
    with pytest.raises(UsageError, match=f"No Edge TPU is named '{device}'"):
        delegates.parse(f"edgetpu:{device}")


@pytest.mark.parametrize(
    ("package", "version", "build"),
    [
        pytest.param("ai-edge-litert", "2.3.0", "16.0TF2.19.1-1", id="LiteRT 2"),
        pytest.param("ai-edge-litert", "1.4.0", "16.0TF2.19.1-1", id="LiteRT 1"),
        pytest.param("tflite-runtime", "2.5.0.post1", "16.0", id="Google's own"),
        pytest.param(
            "tflite-runtime", "2.14.0", "16.0TF2.17.1-1", id="the last tflite-runtime"
        ),
        pytest.param("tf.lite", "2.10.0", None, id="none known"),
    ],
)
def test_each_interpreter_has_a_build_that_fits(
    package: str, version: str, build: str | None
) -> None:
    found = edgetpu.fitting_build(package, version)
    assert (found.version if found else None) == build
    assert (build or "No build") in edgetpu.build_words(package, version)


@pytest.mark.parametrize(
    ("installed", "fits"),
    [
        ("16.0tf2.17.1-1.bookworm", True),
        ("16.0tf2.19.1-1.trixie", True),
        ("16.0tf2.13.1-1.bookworm", False),
        ("16.0", False),
    ],
)
def test_a_build_fits_if_its_tensorflow_is_no_earlier(installed: str, *, fits: bool) -> None:
    wanted = edgetpu.fitting_build("tflite-runtime", "2.14.0")
    assert wanted is not None
    assert edgetpu.fits(installed, wanted) is fits


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that holds this machine's /sys and /dev."""
    monkeypatch.setattr(edgetpu, "_PLATFORM", "linux")
    monkeypatch.setattr(edgetpu, "_SYS", tmp_path / "sys")
    monkeypatch.setattr(edgetpu, "_DEV", tmp_path / "dev")
    return tmp_path


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")


def _stick(machine: Path, speed: str = "5000", node: bool = True) -> Path:
    """Plug in a USB Accelerator; return its device file."""
    place = machine / "sys/bus/usb/devices/2-1"
    facts = {"idVendor": "18d1", "idProduct": "9302", "busnum": "2", "devnum": "7"}
    _write(place, **facts, speed=speed)
    file = machine / "dev/bus/usb/002/007"
    if node:
        _write(file.parent, **{"007": ""})
    return file


def _card(machine: Path, *, driver: bool) -> None:
    _write(machine / "sys/bus/pci/devices/0000:01:00.0", vendor="0x1ac1", device="0x089a")
    if driver:
        _write(machine / "dev", apex_0="")


def test_attached_devices_are_found(machine: Path) -> None:
    assert edgetpu.devices() == ()
    node = _stick(machine)
    _write(machine / "sys/bus/usb/devices/1-1", idVendor="046d", idProduct="0825")
    _card(machine, driver=False)
    stick, card = edgetpu.devices()
    assert (stick.name, stick.node, stick.allowed) == ("usb:0", str(node), True)
    assert (card.name, card.node) == ("pci:0", None)


def _said(machine: Path, device: str = "") -> str:
    assert machine.is_dir()
    return str(edgetpu.no_device(device, "Failed to load delegate"))


def test_nothing_attached_is_said(machine: Path) -> None:
    assert "no device was found" in _said(machine)
    assert "plugged in" in _said(machine)


def test_a_card_without_its_driver_is_said(machine: Path) -> None:
    _card(machine, driver=False)
    assert "gasket-dkms" in _said(machine, "pci:0")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may open everything")
def test_a_missing_right_is_said_for_real(machine: Path) -> None:
    _stick(machine).chmod(0)
    assert "plugdev" in _said(machine)


@pytest.mark.parametrize(
    ("name", "words"), [("usb:0", "plugdev"), ("pci:0", "GROUP=.apex")], ids=["usb", "pci"]
)
def test_a_missing_right_is_told_with_its_udev_rule(name: str, words: str) -> None:
    device = edgetpu.Device(name=name, node="/dev/x", allowed=False, speed_mbit=None)
    said = edgetpu.device_problem(device)
    assert said is not None
    assert "udev rule" in said
    assert words.replace(".", '"') in said


def test_a_device_that_is_not_there_lists_those_that_are(machine: Path) -> None:
    _stick(machine)
    assert "Attached: usb:0. Choose one" in _said(machine, "usb:3")
    assert "Attached: usb:0. Choose one" in _said(machine, "pci")


def test_a_device_that_could_be_used_is_perhaps_in_use(machine: Path) -> None:
    _stick(machine)
    assert "another program" in _said(machine)


def test_a_slow_port_is_said() -> None:
    device = edgetpu.Device(name="usb:0", node="/dev/x", allowed=True, speed_mbit=480)
    assert "USB 3" in (edgetpu.slow_port(device) or "")
