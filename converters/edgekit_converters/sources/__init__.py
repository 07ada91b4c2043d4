"""Import: a model file of any kind becomes a `Source`, checked against what wrote it."""

from edgekit_converters.sources.batch import fix_batch
from edgekit_converters.sources.float_file import ImportCheck, check_import, write_float
from edgekit_converters.sources.load import load_source
from edgekit_converters.sources.source import InputSpec, Source

__all__ = [
    "ImportCheck",
    "InputSpec",
    "Source",
    "check_import",
    "fix_batch",
    "load_source",
    "write_float",
]
