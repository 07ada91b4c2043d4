"""One zip with all that a small Linux computer needs to run artifacts, without a network."""

from edgekit.bundle.environment import environment_bundle, environment_name
from edgekit.bundle.make import Bundle, Packed, bundle

__all__ = ["Bundle", "Packed", "bundle", "environment_bundle", "environment_name"]
