"""The machine that edgekit runs on."""

from typing import Any

from edgekit.profiling.profile import Profile
from edgekit.profiling.ways.address import Address
from edgekit.profiling.ways.errand import Errand, carry_out
from edgekit.records import from_json, to_json


def call(address: Address, errand: Errand) -> Any:  # noqa: ARG001 (as every way)
    """Do an errand here; the result is plain JSON."""
    files = [str(path) for path in errand.files]
    return to_json(carry_out(errand.function, files, errand.arguments))


def measure(address: Address, errand: Errand) -> tuple[Profile, ...]:
    """Measure the models here."""
    return tuple(from_json(Profile, each, "the profile") for each in call(address, errand))
