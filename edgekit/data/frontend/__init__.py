"""The sound front end: one definition of a keyword model's input, in training and after."""

from edgekit.data.frontend.presets import PRESETS, preset
from edgekit.data.frontend.record import FrontEnd, load_front_end
from edgekit.data.frontend.stream import Stream, extract

__all__ = ["PRESETS", "FrontEnd", "Stream", "extract", "load_front_end", "preset"]
