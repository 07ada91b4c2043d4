"""The page in the browser that shows what a demonstration sees."""

from edgekit.preview.colors import color_of
from edgekit.preview.preview import Preview, open_preview

__all__ = ["Preview", "color_of", "open_preview"]
