"""Opening: what runs where, and one message for each known trouble."""

import ctypes.util
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekit.artifact import write_manifest
from edgekit.errors import (
    CrashError,
    DeviceError,
    InputError,
    MissingExtra,
    TargetError,
    UnknownName,
    UsageError,
)
from edgekit.flatbuffer import Table
from edgekit.manifest import Manifest
from edgekit.runtime import BACKENDS, DELEGATES, backends, delegates, load, problems
from edgekit.runtime.backends import Backend


def _broken_import(monkeypatch: pytest.MonkeyPatch, *errors: ImportError) -> None:
    """Let the first imports of interpreter packages fail in these ways."""
    waiting = list(errors)

    def refuse(_: str) -> ModuleType:
        raise waiting.pop(0)

    monkeypatch.setattr("importlib.import_module", refuse)


def test_the_trial_run_accepts_a_good_model(relu_int8: Path) -> None:
    assert load(relu_int8).outputs[0].name == "y"


def test_a_model_says_what_runs_it(relu: Path) -> None:
    model = load(relu, probe=False, threads=2, delegate="reference")
    assert (model.backend, model.delegate, model.threads) == (
        next(name for name, opener in BACKENDS.items() if _opens(opener)),
        "reference",
        2,
    )
    assert model.runtime.startswith(f"{model.backend} ")
    assert model.manifest is None


def test_a_model_says_what_it_carries(relu: Path) -> None:
    manifest = Manifest(name="corners", labels=("a", "b"), task="classify")
    relu.write_bytes(write_manifest(relu.read_bytes(), manifest))
    found = load(relu, probe=False).manifest
    assert found is not None
    assert (found.name, found.labels, found.task) == ("corners", ("a", "b"), "classify")


def _opens(opener: Any) -> bool:
    try:
        opener()
    except MissingExtra:
        return False
    return True


@pytest.mark.parametrize("delegate", ["cpu", "xnnpack", "builtin", "reference"])
def test_every_way_of_the_cpu_gives_the_same_on_an_exact_model(
    relu_int8: Path, delegate: str
) -> None:
    found = load(relu_int8, probe=False, delegate=delegate)(np.array([[-1, 0, 1, 2.0]]))
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [[0, 0, 1, 2.0]]


def test_opening_imports_no_tensorflow(relu_int8: Path) -> None:
    code = (
        "import sys; from edgekit.runtime import load; "
        f"load({str(relu_int8)!r}); print('tensorflow' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "False"


@pytest.mark.tf
def test_tensorflow_own_interpreter_serves_too(relu_int8: Path) -> None:
    model = load(relu_int8, backend="tf.lite", probe=False)
    found = model(np.array([[-1, 0, 1, 2.0]]))
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [[0, 0, 1, 2.0]]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        pytest.param(
            {"backend": "onnx"}, UnknownName, "No backend.*tflite-runtime", id="backend"
        ),
        pytest.param({"delegate": "npu"}, UnknownName, "No delegate.*edgetpu", id="delegate"),
        pytest.param({"delegate": "cpu:0"}, UsageError, "no devices to choose", id="device"),
        pytest.param({"threads": 0}, UsageError, "at least one thread; found 0", id="threads"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    relu: Path, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        load(relu, probe=False, **options)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"PK\x03\x04" + bytes(50), "zip archive", id="keras"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull", id="lfs"),
        pytest.param(b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5", id="h5"),
        pytest.param(b"hello " * 20, "text", id="text"),
        pytest.param(
            b"\x1c\0\0\0TFL3" + b"\xff" * 99, "damaged", id="nonsense behind the mark"
        ),
    ],
)
@pytest.mark.parametrize("probe", [True, False])
def test_a_file_of_another_kind_is_refused_in_words(
    tmp_path: Path, content: bytes, words: str, probe: bool
) -> None:
    if not probe and words == "damaged":
        pytest.skip("without the trial run native code meets the file")
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        load(path, probe=probe)


@pytest.mark.parametrize("name", ["nothing.tflite", "."])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"Cannot read|not a file"):
        load(tmp_path / name)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
def test_a_truncated_model_is_refused(relu_int8: Path, share: float) -> None:
    content = relu_int8.read_bytes()
    relu_int8.write_bytes(content[: int(len(content) * share)])
    with pytest.raises((InputError, CrashError), match=r"damaged|cut off"):
        load(relu_int8)


def test_a_compiled_edge_tpu_model_needs_the_edge_tpu(make: Any, tensor: Any) -> None:
    path = make("edgetpu-custom-op", [tensor(name="x")], [tensor(name="y")])
    with pytest.raises(TargetError, match=r"compiled for the Edge TPU.*\n.*--delegate edgetpu"):
        load(path)


@pytest.mark.parametrize(
    ("op", "words"),
    [
        pytest.param("FlexErf", r"TensorFlow operator.*\n.*--backend tf.lite", id="flex"),
        pytest.param("MyLayer", "custom operator 'MyLayer'", id="custom"),
    ],
)
def test_operators_from_elsewhere_are_named(
    make: Any, tensor: Any, op: str, words: str
) -> None:
    with pytest.raises(TargetError, match=words):
        load(make(op, [tensor(name="x")], [tensor(name="y")]))


def test_an_operator_of_a_later_version_names_the_runtimes_that_have_it(
    make: Any, tensor: Any
) -> None:
    path = make("RELU", [tensor(name="x")], [tensor(name="y")], version=99)
    with pytest.raises(
        TargetError, match=r"RELU version 99.*2\.3\.0 knows RELU up to version 3"
    ):
        load(path)


def test_a_model_that_the_kernels_refuse_says_what_they_say(make: Any, tensor: Any) -> None:
    inputs = [tensor(name="a", shape=(1, 4)), tensor(name="b", shape=(1, 3))]
    path = make("ADD", inputs, [tensor(name="y")], options=Table("AddOptions"))
    with pytest.raises(InputError, match=r"cannot run .*add\.tflite: .*\n.*damaged"):
        load(path)


def test_a_model_that_wants_more_memory_than_there_is_is_refused(
    make: Any, tensor: Any
) -> None:
    huge = {"shape": (1, 2**20, 2**18), "dtype": "int8", "scale": (1.0,)}
    path = make("RELU", [tensor(name="x", **huge)], [tensor(name="y", **huge)])
    with pytest.raises(InputError, match=r"memory|cannot run|died"):
        load(path)


def test_a_missing_library_of_the_edge_tpu_is_an_extra_that_is_missing(relu: Path) -> None:
    if ctypes.util.find_library("edgetpu") is not None:
        pytest.skip("libedgetpu is installed here")
    with pytest.raises(MissingExtra, match=r"(?s)libedgetpu.*does not load.*libedgetpu1-std"):
        load(relu, delegate="edgetpu")


@pytest.fixture
def fake_edge_tpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that builds a libedgetpu from C."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no C compiler")

    def build(source: str) -> None:
        code = tmp_path / "edgetpu.c"
        code.write_text(source)
        library = tmp_path / DELEGATES["edgetpu"].libraries["linux"][0]
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, code], check=True)
        monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))

    return build


def test_a_library_that_crashes_is_one_message(
    fake_edge_tpu: Callable[[str], None], relu: Path
) -> None:
    fake_edge_tpu("void tflite_plugin_create_delegate() { __builtin_trap(); }")
    with pytest.raises(CrashError, match=r"died from SIG(.|\n)*built for another interpreter"):
        load(relu, delegate="edgetpu")


def test_a_library_that_finds_no_device_is_a_device_that_cannot_be_reached(
    fake_edge_tpu: Callable[[str], None], relu: Path
) -> None:
    fake_edge_tpu("void *tflite_plugin_create_delegate() { return 0; }")
    with pytest.raises(DeviceError, match="Failed to load delegate"):
        load(relu, delegate="edgetpu")


def test_a_library_that_is_no_delegate_is_refused(
    fake_edge_tpu: Callable[[str], None], relu: Path
) -> None:
    fake_edge_tpu("int nothing;")
    with pytest.raises(MissingExtra, match=r"(?s)does not load.*undefined symbol"):
        load(relu, delegate="edgetpu")


def _backend_whose_delegate(error: Exception) -> Backend:
    def refuse(*_: object) -> Any:
        raise error

    return Backend("fake", "1.0", SimpleNamespace, refuse, {"AUTO": 0})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("edgetpu", "no device was found", id="any"),
        pytest.param("edgetpu:usb:1", "device 'usb:1' was not found", id="one of several"),
    ],
)
def test_no_edge_tpu_attached_is_a_device_that_cannot_be_reached(text: str, words: str) -> None:
    backend = _backend_whose_delegate(ValueError("Failed to load delegate from libedgetpu\n"))
    with pytest.raises(DeviceError, match=f"{words}.*\n.*plugged in"):
        delegates.interpreter_options(text, backend)


def test_the_device_is_handed_to_the_library() -> None:
    seen: dict[str, str] = {}

    def accept(library: str, options: dict[str, str]) -> object:
        seen.update(options, library=library)
        return object()

    backend = Backend("fake", "1.0", SimpleNamespace, accept, {"AUTO": 0})
    delegates.interpreter_options("edgetpu:pci:0", backend)
    library = DELEGATES["edgetpu"].libraries[sys.platform][0]
    assert seen == {"device": "pci:0", "library": library}


def test_without_any_interpreter_the_line_that_installs_one_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing = [ModuleNotFoundError("no", name=name) for name in BACKENDS]
    _broken_import(monkeypatch, *missing)
    with pytest.raises(MissingExtra, match=r"No interpreter(.|\n)*(pip install|published)"):
        backends.open_backend()


@pytest.mark.parametrize(
    ("machine", "python", "words"),
    [
        pytest.param("aarch64", (3, 13), "pip install ai-edge-litert", id="64 bit"),
        pytest.param("x86_64", (3, 11), "pip install ai-edge-litert", id="PC"),
        pytest.param("armv7l", (3, 11), "tflite-runtime==2.14.0", id="32 bit"),
        pytest.param(
            "armv7l", (3, 13), "No interpreter is published", id="32 bit, Python 3.13"
        ),
        pytest.param("armv6l", (3, 11), "armv6", id="Pi Zero"),
    ],
)
def test_the_line_fits_the_machine(
    monkeypatch: pytest.MonkeyPatch, machine: str, python: tuple[int, int], words: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(sys, "version_info", python)
    assert words in backends.install_line()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(
            ImportError("version `GLIBC_2.34' not found"), "Debian 12", id="old system"
        ),
        pytest.param(ImportError("numpy.core.multiarray failed"), "numpy<2", id="numpy"),
        pytest.param(ImportError("cannot open x.so"), "--force-reinstall", id="other"),
    ],
)
def test_a_package_that_does_not_load_says_why(
    monkeypatch: pytest.MonkeyPatch, error: ImportError, words: str
) -> None:
    _broken_import(monkeypatch, error)
    with pytest.raises(MissingExtra, match=words):
        backends.ai_edge_litert()


def test_tflite_runtime_beside_numpy_2_is_refused_before_it_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "_version", lambda _: "2.14.0")
    monkeypatch.setattr(np, "__version__", "2.4.0")
    with pytest.raises(MissingExtra, match=r"built for numpy 1.*\n.*numpy<2"):
        backends.tflite_runtime()


def test_what_tflite_runtime_says_beside_numpy_2_is_understood() -> None:
    text = "<built-in method CreateWrapperFromFile> returned a result with an exception set"
    backend = Backend("tflite-runtime", "2.15.0", SimpleNamespace, SimpleNamespace, {})
    found = problems.of_model(SystemError(text), Path("m.tflite"), backend)
    assert isinstance(found, MissingExtra)


def _refusal(path: Path) -> str:
    try:
        load(path)
    except (InputError, TargetError) as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.data
def test_what_others_made_runs_or_is_refused_in_words(data_dir: Path) -> None:
    paths = [
        *sorted(data_dir.glob("models/tflite/**/*.tflite")),
        *sorted(data_dir.glob("edgetpu/test_data/*.tflite")),
    ]
    refused = {path.name: words for path in paths if (words := _refusal(path))}
    assert len(refused) < len(paths) / 2
    assert all("\n" in words for words in refused.values())
    assert "quantized_dimension" in refused["person_detect.tflite"]


@pytest.fixture
def bare(relu_int8: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the loop that a person would write by hand."""
    interpreter = backends.open_backend().interpreter(model_path=str(relu_int8), num_threads=1)
    interpreter.allocate_tensors()
    (given,), (got,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(x: np.ndarray) -> np.ndarray:
        q = np.clip(np.rint(x / 0.5) - 28, -128, 127).astype(np.int8)
        interpreter.set_tensor(given["index"], q)
        interpreter.invoke()
        found = interpreter.get_tensor(got["index"])
        real: np.ndarray = np.float32(0.5) * (found.astype(np.float32) + 28)
        return real

    return run


def test_a_call_costs_at_most_20_microseconds_more_than_a_loop_by_hand(
    bare: Any, relu_int8: Path
) -> None:
    model = load(relu_int8, probe=False, threads=1)
    x = np.zeros((1, 4), np.float32)

    def best(run: Any) -> float:
        rounds = []
        for _ in range(30):
            start = time.perf_counter()
            for _ in range(200):
                run(x)
            rounds.append((time.perf_counter() - start) / 200)
        return min(rounds)

    assert best(model) - best(bare) < 20e-6


@pytest.mark.skipif(sys.platform == "win32", reason="os.sysconf is Unix")
def test_the_trial_run_may_use_no_more_memory_than_the_machine_has() -> None:
    from edgekit.runtime.opening import _memory_mb

    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
    assert 2048 <= (_memory_mb() or 0) <= max(2048, physical)
