"""The packages and programs that edgekit uses, and whether they work."""

import ctypes.util
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgekit import guard
from edgekit.doctor.finding import Finding, note, of_error, ok, problem
from edgekit.errors import EdgekitError
from edgekit.extras import need
from edgekit.flatbuffer import Table, pack
from edgekit.flatbuffer.schema import enum_values
from edgekit.measure import library_versions
from edgekit.placement import ethos
from edgekit.runtime import load

_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
# What may be installed besides -> the extra that brings it, and what it is for.
_OPTIONAL = {
    "tensorflow": ("convert", "import, prune, quantize and convert models"),
    "sounddevice": ("audio", "listen to a microphone"),
}
# Programs that environment variables name -> what they are for.
_VARIABLES = {
    "EDGEKIT_TFLITE_PYTHON": "run artifacts in tflite-runtime, too",
    ethos.VARIABLE: "compile for Ethos-U",
}


def interpreter() -> Iterator[Finding]:
    """Run a model of one operator, in a child process first."""
    with tempfile.TemporaryDirectory(prefix="edgekit-doctor-") as folder:
        path = Path(folder, "relu.tflite")
        path.write_bytes(one_operator())
        try:
            model = load(path)
            found = np.asarray(model(np.array([[-1, 0, 1, 2]], np.float32)))
        except EdgekitError as error:
            yield of_error("interpreter", error)
            return
    if found.tolist() != [[0, 0, 1, 2]]:
        yield problem(
            "interpreter",
            f"{model.runtime} runs a model, but computes {found.tolist()} for [[0, 0, 1, 2]].",
            "Install another version of it; if that does not help, tell edgekit's makers.",
        )
        return
    yield ok("interpreter", f"{model.runtime} runs a model.")


def one_operator() -> bytes:
    """Return a model of one RELU of four values."""
    relu = enum_values("BuiltinOperator")["RELU"]
    zero, one = np.array([0], np.int32), np.array([1], np.int32)
    shape = np.array([1, 4], np.int32)
    graph = Table(
        "SubGraph",
        tensors=[Table("Tensor", name=name, shape=shape) for name in ("x", "y")],
        inputs=zero,
        outputs=one,
        operators=[Table("Operator", opcode_index=0, inputs=zero, outputs=one)],
    )
    code = Table("OperatorCode", builtin_code=relu, deprecated_builtin_code=relu, version=1)
    return pack(
        Table(
            "Model",
            version=3,
            operator_codes=[code],
            subgraphs=[graph],
            buffers=[Table("Buffer")],
        )
    )


def opencv() -> Iterator[Finding]:
    """See which OpenCV is installed, whether it loads, and that there is only one."""
    installed = library_versions(_OPENCV)
    if len(installed) > 1:
        names = " ".join(installed)
        yield problem(
            "opencv-twice",
            f"{', '.join(installed)} are installed over each other; what works is chance.",
            f"pip uninstall -y {names} && pip install opencv-python-headless",
        )
    try:
        version = guard.call(f"{__name__}:cv2_version", doing="loading cv2", timeout_s=60)
    except EdgekitError as error:
        yield (
            of_error("opencv", error)
            if installed
            else note(
                "opencv",
                "OpenCV is not installed; pictures and cameras need it.",
                "pip install 'edgekit[camera]'",
            )
        )
        return
    name = next(iter(installed), "the system's cv2")
    yield ok("opencv", f"OpenCV {version} loads ({name}).")


def cv2_version() -> str:
    """Import OpenCV; in a child process, for its libraries may be missing."""
    return str(need("cv2", "read pictures and cameras").__version__)


def optional() -> Iterator[Finding]:
    """Say which extras are installed, by name only: TensorFlow takes long to load."""
    versions = library_versions(_OPTIONAL)
    for name, (extra, purpose) in _OPTIONAL.items():
        if name in versions:
            yield ok(name, f"{name} {versions[name]} is installed.")
        else:
            remedy = f"pip install 'edgekit[{extra}]'"
            yield note(name, f"{name} is not installed; it is needed to {purpose}.", remedy)
    if "sounddevice" in versions and _lacks_portaudio():
        yield problem(
            "portaudio",
            "sounddevice is installed, but the library PortAudio is not.",
            "sudo apt install libportaudio2",
        )


def _lacks_portaudio() -> bool:
    """On Linux the package brings no library of its own."""
    return sys.platform == "linux" and ctypes.util.find_library("portaudio") is None


def compilers() -> Iterator[Finding]:
    """Look for the compilers of accelerators, and for what variables name."""
    for variable, purpose in _VARIABLES.items():
        named = os.environ.get(variable)
        if named and shutil.which(named) is None:
            yield problem(
                variable,
                f"{variable} names {named}, which is no program ({purpose}).",
                f"unset {variable}, or give it the path of one",
            )
    if shutil.which(os.environ.get(ethos.VARIABLE) or "vela") or _beside_python("vela"):
        yield ok("vela", "Vela, the compiler for Arm Ethos-U, is installed.")
    else:
        yield note(
            "vela",
            "Vela, the compiler for Arm Ethos-U, is not installed.",
            "pip install 'edgekit[ethos]'",
        )
    if shutil.which("edgetpu_compiler"):
        yield ok("edgetpu-compiler", "edgetpu_compiler is installed.")
    else:
        yield note("edgetpu-compiler", "edgetpu_compiler is not installed.", _compiler_words())


def _beside_python(name: str) -> bool:
    return shutil.which(name, path=str(Path(sys.executable).parent)) is not None


def _compiler_words() -> str:
    if platform.machine() != "x86_64" or sys.platform != "linux":
        return "It exists for x86-64 Debian and Ubuntu only; compile there or in a container."
    return "Google's package source has it: coral.ai/docs/edgetpu/compiler"


def python() -> Iterator[Finding]:
    """Say which Python runs, and on what."""
    text = f"Python {platform.python_version()} on {platform.machine()}, {sys.executable}"
    if importlib.util.find_spec("pip") is None:
        yield note("python", f"{text}, without pip.", "python3 -m ensurepip")
    elif sys.prefix == sys.base_prefix and sys.platform == "linux":
        yield note(
            "python",
            f"{text}: the system's own, into which Debian lets no pip install.",
            "python3 -m venv --system-site-packages ~/edgekit, and its bin/pip",
        )
    else:
        yield ok("python", f"{text}.")
