"""Front ends by name: our own default and those of published models."""

from edgekit.data.frontend.record import FrontEnd
from edgekit.errors import UnknownName

PRESETS = {
    "log-mel": FrontEnd(),
    "mlperf-tiny": FrontEnd(
        kind="mfcc",
        coefficients=10,
        low_hz=20.0,
        high_hz=4000.0,
        spectrum="magnitude",
        floor=1e-6,
    ),
}


def preset(name: str) -> FrontEnd:
    """Return the front end of that name.

    Raises:
        UnknownName: There is none; the message names those there are.
    """
    if name not in PRESETS:
        kind = "front end"
        raise UnknownName(kind, name, list(PRESETS))
    return PRESETS[name]
