"""All that is looked at, in one record."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgekit.doctor import hardware, software
from edgekit.doctor.finding import Finding
from edgekit.measure import Machine, library_versions, machine
from edgekit.progress import track

PACKAGES = (
    "edgekit",
    "numpy",
    "ai-edge-litert",
    "tflite-runtime",
    "opencv-python-headless",
    "opencv-python",
    "soundfile",
    "sounddevice",
    "tensorflow",
    "keras",
    "tf-keras",
    "ai-edge-quantizer",
    "ethos-u-vela",
)

# In the order of the findings.
CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "Python": software.python,
    "the interpreter": software.interpreter,
    "OpenCV": software.opencv,
    "optional packages": software.optional,
    "compilers": software.compilers,
    "the Edge TPU": hardware.edge_tpu,
    "cameras": hardware.cameras,
    "microphones": hardware.microphones,
    "temperature and supply": hardware.health,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is installed and attached, and what is wrong with it.

    Attributes:
        healthy: Nothing is a problem.
        findings: All that was looked at.
        versions: Versions of the installed packages that edgekit uses.
        machine: The machine.
    """

    healthy: bool
    findings: tuple[Finding, ...]
    versions: dict[str, str]
    machine: Machine


def diagnose() -> Diagnosis:
    """Look at everything; nothing is changed, no camera or microphone is opened."""
    checks = track(CHECKS.values(), "Looking at this machine", len(CHECKS), "part")
    findings = tuple(finding for check in checks for finding in check())
    return Diagnosis(
        healthy=all(finding.level != "problem" for finding in findings),
        findings=findings,
        versions=library_versions(PACKAGES),
        machine=machine(),
    )
