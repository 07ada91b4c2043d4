"""The artifact: a model file that carries its manifest.

A .tflite holds it as the metadata buffer `EDGEKIT`, beside the standard metadata that
phones read; a .keras holds it as the zip entry `edgekit.json`, which Keras ignores.
"""

import io
import shutil
import zipfile
import zlib
from copy import copy
from pathlib import Path

from edgekit.errors import InputError
from edgekit.files import atomic_write
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.metadata import (
    MANIFEST,
    STANDARD,
    StandardMetadata,
    read_standard_metadata,
    standard_metadata,
    write_metadata,
)
from edgekit.flatbuffer.tables import read_model
from edgekit.manifest import Manifest, Task

KERAS_ENTRY = "edgekit.json"
_MAX_MANIFEST_BYTES = 2**26
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    zlib.error,
)


def read_manifest(path: Path) -> Manifest | None:
    """Read what a .tflite or .keras file carries about itself.

    A .tflite of others without a manifest, but with standard metadata that name labels
    or a normalization, gives a manifest of these.

    Args:
        path: The model; what is no zip archive is read as .tflite.

    Returns:
        The manifest, or None if the file carries nothing.

    Raises:
        InputError: The file cannot be read or is damaged.
        RecordError: Its manifest cannot be read.
    """
    path = Path(path)
    if path.is_file() and _is_zip(path):
        return _read_keras(path)
    return graph_manifest(Graph(path))


def graph_manifest(graph: Graph) -> Manifest | None:
    """The manifest of a .tflite that was read already; see `read_manifest`."""
    content = graph.metadata.get(MANIFEST)
    if content is not None:
        return Manifest.loads(content, graph.file.name)
    found = read_standard_metadata(graph)
    if not found.labels and found.preprocessing is None:
        return None
    return Manifest(
        name=found.name,
        task=_task(found, graph),
        labels=found.labels,
        preprocessing=found.preprocessing,
    )


def write_manifest(model: bytes, manifest: Manifest) -> bytes:
    """Write a manifest and the standard metadata that follow from it into a .tflite.

    What an earlier manifest said is replaced, metadata of others are kept.

    Args:
        model: A .tflite file.
        manifest: What it is to carry.

    Raises:
        InputError: It is no .tflite file, or is damaged.
    """
    buffer, files = standard_metadata(manifest, Graph(read_model(model)))
    buffers = {MANIFEST: manifest.dumps().encode(), STANDARD: buffer}
    return write_metadata(model, buffers, files)


def write_keras_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest into a .keras file, in place and whole or not at all.

    Raises:
        InputError: It is no .keras file, or is damaged.
        EdgekitError: It cannot be written.
    """
    path = Path(path)
    stream = io.BytesIO()
    try:
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(stream, "w") as target:
            for entry in source.infolist():
                if entry.filename == KERAS_ENTRY:
                    continue
                large = entry.file_size >= 2**31
                with (
                    source.open(entry) as data,
                    target.open(copy(entry), "w", force_zip64=large) as place,
                ):
                    shutil.copyfileobj(data, place)
            target.writestr(zipfile.ZipInfo(KERAS_ENTRY), manifest.dumps())
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror or error}."
        raise InputError(msg) from error
    except _ZIP_ERRORS as error:
        msg = f"{path} is not a .keras file, or it is damaged: {error}."
        raise InputError(msg) from error
    atomic_write(path, stream.getvalue())


def _is_zip(path: Path) -> bool:
    """A file begins as zip archives do."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}."
        raise InputError(msg) from error


def _read_keras(path: Path) -> Manifest | None:
    """The manifest in a .keras file."""
    try:
        with zipfile.ZipFile(path) as archive:
            if KERAS_ENTRY not in archive.namelist():
                return None
            with archive.open(KERAS_ENTRY) as entry:
                content = entry.read(_MAX_MANIFEST_BYTES)
    except (OSError, *_ZIP_ERRORS) as error:
        msg = f"{path} is a damaged archive: {error}. Get or make the file again."
        raise InputError(msg) from error
    return Manifest.loads(content, str(path))


def _task(found: StandardMetadata, graph: Graph) -> Task:
    """What the standard metadata of others tell of the task."""
    if found.boxes:
        return "detect"
    scores = found.labels_output is not None and graph.outputs[found.labels_output].shape[-1:]
    return "classify" if scores == (len(found.labels),) else "generic"
