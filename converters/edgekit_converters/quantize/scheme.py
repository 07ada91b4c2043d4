"""The quantization schemes: what each stores, and what it needs."""

from dataclasses import dataclass

from edgekit.errors import UnknownName
from edgekit.flatbuffer.io_types import IoType


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeFacts:
    """What one scheme means.

    Attributes:
        weights: Type of the stored weights.
        activations: Type of what flows between the ops.
        calibrated: Whether the ranges of the activations come from data.
        io: Types that its inputs and outputs may have.
        summary: One sentence for people.
    """

    weights: str
    activations: str
    calibrated: bool
    io: tuple[IoType, ...]
    summary: str


SCHEMES = {
    "int8": SchemeFacts(
        weights="int8",
        activations="int8",
        calibrated=True,
        io=("float32", "int8", "uint8"),
        summary="Everything in 8-bit integers: smallest and fastest, runs on accelerators.",
    ),
    "int16x8": SchemeFacts(
        weights="int8",
        activations="int16",
        calibrated=True,
        io=("float32", "int16"),
        summary="8-bit weights, 16-bit activations: close to float, slow on most devices.",
    ),
    "dynamic": SchemeFacts(
        weights="int8",
        activations="float32, quantized on the fly",
        calibrated=False,
        io=("float32",),
        summary="8-bit weights, float in and out of every op: needs no calibration data.",
    ),
    "float16": SchemeFacts(
        weights="float16",
        activations="float32",
        calibrated=False,
        io=("float32",),
        summary="Half the size, for GPUs.",
    ),
    "weight-only": SchemeFacts(
        weights="int8",
        activations="float32",
        calibrated=False,
        io=("float32",),
        summary="8-bit weights that are expanded to float before use: smaller, not faster.",
    ),
}


def scheme_facts(name: str) -> SchemeFacts:
    """Return what a scheme means.

    Raises:
        UnknownName: There is no such scheme.
    """
    if name not in SCHEMES:
        raise UnknownName(kind="scheme", name=name, known=list(SCHEMES))
    return SCHEMES[name]
