"""The page in the browser that shows what a demonstration sees or hears."""

from edgekit.preview.colors import color_of
from edgekit.preview.preview import Preview, open_preview
from edgekit.preview.roll import Roll

__all__ = ["Preview", "Roll", "color_of", "open_preview"]
