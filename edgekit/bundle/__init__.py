"""One zip with all that a small Linux computer needs to run artifacts, without a network."""

from edgekit.bundle.make import Bundle, Packed, bundle

__all__ = ["Bundle", "Packed", "bundle"]
