"""Metadata of a .tflite file: buffers of any name, the standard metadata, associated files.

The standard metadata (`TFLITE_METADATA`) are a small flatbuffer of their own that tells
phones how to feed the model and what its outputs mean; files that they name, such as the
labels, stand in a zip archive that is appended to the model.
"""

import io
import logging
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import InputError, RecordError
from edgekit.flatbuffer.graph import Graph, TensorView
from edgekit.flatbuffer.tables import ModelFile, Table, pack, read_model, read_tables, text
from edgekit.flatbuffer.written import (
    AXIS_LABELS,
    BOX_BOUNDARIES,
    BOX_PIXELS,
    COLOR_SPACES,
    VALUE_LABELS,
)
from edgekit.manifest import Manifest, Preprocessing

MANIFEST = "EDGEKIT"
STANDARD = "TFLITE_METADATA"
LABELS_FILE = "labels.txt"
_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"
_MAX_FILES = 256
_MAX_FILES_BYTES = 2**26  # of all of them together
# Roles of finished boxes and what phones call them.
_BOX_OUTPUTS = {
    "boxes": "location",
    "classes": "category",
    "scores": "score",
    "count": "number of detections",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardMetadata:
    """What the standard metadata of a file say.

    Attributes:
        name: Name of the model.
        description: Its own words.
        preprocessing: How a picture becomes the first input; None if nothing is said.
        labels: Names of the classes; empty if there are none.
        labels_output: Index of the output that the labels belong to, or None.
        boxes: An output is said to hold bounding boxes.
        sample_rate_hz: Of the sound that the first input takes, or None.
    """

    name: str = ""
    description: str = ""
    preprocessing: Preprocessing | None = None
    labels: tuple[str, ...] = ()
    labels_output: int | None = None
    boxes: bool = False
    sample_rate_hz: int | None = None


@dataclass(frozen=True, slots=True)
class OutputContent:
    """What the standard metadata of a file say of one output.

    Attributes:
        name: Its name there, e.g. `location`; empty if they have none.
        box_order: Where x_min, y_min, x_max and y_max stand in a box; () if it does not
            hold corners of boxes.
        box_pixels: Boxes are in pixels of the input; else in shares of it.
    """

    name: str = ""
    box_order: tuple[int, ...] = ()
    box_pixels: bool = False


def write_metadata(
    model: bytes,
    buffers: Mapping[str, bytes | None],
    files: Mapping[str, bytes | None] | None = None,
) -> bytes:
    """Write metadata buffers and associated files into a model.

    What is there by the same name is replaced; everything else is kept.

    Args:
        model: A .tflite file.
        buffers: Metadata by name, e.g. {'EDGEKIT': b'{...}'}; None removes one.
        files: Associated files by name, appended as an uncompressed zip; None removes one.

    Raises:
        InputError: It is no .tflite file, or is damaged.
    """
    file = Graph(read_model(model)).file
    kept = associated_files(file)
    for name, content in buffers.items():
        _set_buffer(file.model, name, content)
    return pack_file(file.model, {**kept, **(files or {})})


def pack_file(model: Table, files: Mapping[str, bytes | None]) -> bytes:
    """Write a model with its associated files behind it."""
    data = pack(model)
    wanted = {name: content for name, content in files.items() if content is not None}
    if not wanted:
        return data
    stream = io.BytesIO(data)
    stream.seek(0, io.SEEK_END)
    # Stored, not deflated: MediaPipe reads no other.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in wanted.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def associated_files(file: ModelFile) -> dict[str, bytes]:
    """Files in the archive that is appended to a model.

    What is damaged or too large is left out with a warning.
    """
    if b"PK\x05\x06" not in file.data[file.end :]:
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
            return dict(_members(archive))
    # What zipfile raises on damaged archives.
    except (
        zipfile.BadZipFile,
        EOFError,
        LookupError,
        NotImplementedError,
        OSError,
        OverflowError,
        RuntimeError,
        ValueError,
        struct.error,
        zlib.error,
    ) as error:
        _log.warning("The files appended to %s cannot be read: %s.", file.name, error)
        return {}


def read_standard_metadata(source: bytes | str | Path | Graph) -> StandardMetadata:
    """Read what the standard metadata of a model say; empty if it has none or they are damaged.

    Raises:
        InputError: It is no .tflite file, or is damaged.
    """
    graph = source if isinstance(source, Graph) else Graph(source)
    root = _root(graph)
    if root is None or not root.subgraph_metadata:
        return StandardMetadata()
    main = root.subgraph_metadata[0]
    inputs, outputs = main.input_tensor_metadata or [], main.output_tensor_metadata or []
    place, labels = _find_labels(outputs, graph.file)
    return StandardMetadata(
        name=text(root.name),
        description=text(root.description),
        preprocessing=_read_preprocessing(inputs[0]) if inputs else None,
        labels=labels,
        labels_output=place,
        boxes=any(_content(each, "BoundingBoxProperties") for each in outputs),
        sample_rate_hz=_read_sample_rate(inputs[0]) if inputs else None,
    )


def output_contents(graph: Graph) -> tuple[OutputContent, ...]:
    """What the standard metadata say of each output; () if they do not list them all."""
    root = _root(graph)
    if root is None or not root.subgraph_metadata:
        return ()
    tables = root.subgraph_metadata[0].output_tensor_metadata or []
    if len(tables) != len(graph.outputs):
        return ()
    return tuple(_output_content(each) for each in tables)


def _output_content(table: Table) -> OutputContent:
    boxes = _content(table, "BoundingBoxProperties")
    if boxes is None or boxes.type not in {0, BOX_BOUNDARIES}:
        return OutputContent(text(table.name))
    order = (0, 1, 2, 3) if boxes.index is None else tuple(int(each) for each in boxes.index)
    whole = order if sorted(order) == [0, 1, 2, 3] else ()
    return OutputContent(text(table.name), whole, boxes.coordinate_type == BOX_PIXELS)


def standard_metadata(
    manifest: Manifest, graph: Graph
) -> tuple[bytes, dict[str, bytes | None]]:
    """Say a manifest in TFLite's standard metadata.

    What the model's own standard metadata say beyond that is kept.

    Args:
        manifest: Name, labels, preprocessing and output roles come from here.
        graph: The model.

    Returns:
        buffer: Content of the metadata buffer `TFLITE_METADATA`.
        files: Associated files by name: the labels, if there are any; None for label files
            that they replace.
    """
    root = _root(graph)
    try:
        return _say(root or _empty_root(), manifest, graph)
    except InputError:  # the root holds what this schema does not know
        return _say(_empty_root(), manifest, graph)


def labels_output(manifest: Manifest, outputs: tuple[TensorView, ...]) -> int | None:
    """Index of the output whose values are one score a label; None if none is."""
    roles = {each.name: each.role for each in manifest.outputs}
    fits = [i for i, each in enumerate(outputs) if each.shape[-1:] == (len(manifest.labels),)]
    said = [i for i in fits if roles.get(outputs[i].name) in {"probabilities", "logits"}]
    return next(iter(said or fits), None)


def _empty_root() -> Table:
    return Table("ModelMetadata", version="1", min_parser_version=_PARSER_VERSION)


def _say(
    root: Table, manifest: Manifest, graph: Graph
) -> tuple[bytes, dict[str, bytes | None]]:
    """Bring what a manifest says into standard metadata and pack them."""
    root.name = manifest.name or root.name
    root.min_parser_version = root.min_parser_version or _PARSER_VERSION
    main = (root.subgraph_metadata or [Table("SubGraphMetadata")])[0]
    root.subgraph_metadata = [main]
    inputs = _tensors(main.input_tensor_metadata, graph.inputs)
    outputs = _tensors(main.output_tensor_metadata, graph.outputs)
    main.input_tensor_metadata, main.output_tensor_metadata = inputs, outputs
    if MANIFEST in graph.metadata:
        _forget(inputs, outputs)
        root.name = manifest.name
    for table, tensor in zip(inputs, graph.inputs, strict=True):
        _describe_input(table, tensor, manifest)
    place, files = _say_outputs(outputs, manifest, graph)
    if place is not None:
        files[LABELS_FILE] = _label_lines(manifest.labels)
    elif MANIFEST in graph.metadata:
        files[LABELS_FILE] = None
    return pack(root, _IDENTIFIER), files


def _say_outputs(
    outputs: list[Table], manifest: Manifest, graph: Graph
) -> tuple[int | None, dict[str, bytes | None]]:
    """Say what each output holds.

    Returns:
        place: Index of the output that the labels belong to, or None.
        files: The label files that there were, each to be removed.
    """
    boxes = _finished_boxes(manifest, graph.outputs)
    place = boxes["classes"] if boxes else labels_output(manifest, graph.outputs)
    files: dict[str, bytes | None] = {}
    for i, table in enumerate(outputs):
        if i == place:
            files |= dict.fromkeys(_label_files(table))
            _describe_scores(table, manifest, graph.outputs[i])
        elif table.content is None:
            table.content = _content_of("FeatureProperties")
    for role, i in boxes.items():
        _describe_boxes(outputs[i], role)
    return place, files


def _forget(inputs: list[Table], outputs: list[Table]) -> None:
    """Take back what an earlier manifest said."""
    for table in inputs:
        table.content = table.stats = None
        table.process_units = _other_units(table)
    for table in outputs:
        table.content = table.stats = None
        files = table.associated_files or []
        table.associated_files = [each for each in files if each.name != LABELS_FILE]


def _set_buffer(model: Table, name: str, content: bytes | None) -> None:
    """Set, replace or remove one metadata buffer."""
    model.buffers = model.buffers or [Table("Buffer")]
    entries = model.metadata or []
    for entry in entries:
        if entry.name == name and not _used_elsewhere(model, entry):
            model.buffers[entry.buffer] = Table("Buffer")
    model.metadata = [entry for entry in entries if entry.name != name]
    if content is None:
        return
    free = [e.buffer for e in entries if e.name == name and not _used_elsewhere(model, e)]
    place = free[0] if free else len(model.buffers)
    if not free:
        model.buffers.append(Table("Buffer"))
    model.buffers[place].data = np.frombuffer(content, np.uint8)
    model.metadata.append(Table("Metadata", name=name, buffer=place))


def _used_elsewhere(model: Table, entry: Table) -> bool:
    """A tensor, or metadata of another name, share the buffer of a metadata entry."""
    others = (e.buffer for e in model.metadata or () if e.name != entry.name)
    tensors = (t.buffer for graph in model.subgraphs for t in graph.tensors or ())
    return entry.buffer == 0 or entry.buffer in {*others, *tensors}


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    entries = archive.infolist()
    if len(entries) > _MAX_FILES:
        msg = f"there are {len(entries)} of them, {_MAX_FILES} are allowed"
        raise zipfile.BadZipFile(msg)
    left = _MAX_FILES_BYTES
    for entry in entries:
        with archive.open(entry) as member:
            content = member.read(left + 1)
        if len(content) > left:
            msg = f"they take more than {_MAX_FILES_BYTES >> 20} MiB"
            raise zipfile.BadZipFile(msg)
        left -= len(content)
        yield entry.filename, content


def _root(graph: Graph) -> Table | None:
    """The model's standard metadata as a tree."""
    data = graph.metadata.get(STANDARD)
    if not data:
        return None
    try:
        return read_tables(data, "ModelMetadata", _IDENTIFIER, STANDARD)
    except InputError as error:
        _log.warning("The standard metadata of %s cannot be read: %s", graph.file.name, error)
        return None


def _content(tensor: Table, kind: str) -> Table | None:
    """What a tensor is said to hold, if it is of this kind."""
    content = tensor.content.content_properties if tensor.content else None
    return content if isinstance(content, Table) and content.table_kind == kind else None


def _content_of(kind: str, **fields: Any) -> Table:
    return Table("Content", content_properties=Table(kind, **fields))


def _normalization(tensor: Table) -> Table | None:
    """The normalization among the process units of a tensor."""
    options = (each.options for each in tensor.process_units or ())
    found = (each for each in options if isinstance(each, Table))
    return next((each for each in found if each.table_kind == "NormalizationOptions"), None)


def _other_units(tensor: Table) -> list[Table]:
    """The process units of a tensor without normalization."""
    units = tensor.process_units or ()
    return [each for each in units if each.options is not _normalization(tensor)]


def _label_files(tensor: Table) -> list[str]:
    """Names of the label files of a tensor."""
    files = tensor.associated_files or ()
    return [text(each.name) for each in files if each.type in {AXIS_LABELS, VALUE_LABELS}]


def _read_preprocessing(tensor: Table) -> Preprocessing | None:
    """Mean, std and colours of an image input."""
    image, found = _content(tensor, "ImageProperties"), _normalization(tensor)
    if found is None or found.mean is None or found.std is None:
        return None
    gray = image is not None and image.color_space == COLOR_SPACES["gray"]
    mean, std = tuple(found.mean.tolist()), tuple(found.std.tolist())
    if not all(map(math.isfinite, mean + std)):
        return None
    try:
        return Preprocessing(color="gray" if gray else "rgb", mean=mean, std=std)
    except RecordError as error:
        _log.warning("The normalization in the standard metadata is left out: %s", error)
        return None


def _read_sample_rate(tensor: Table) -> int | None:
    sound = _content(tensor, "AudioProperties")
    return int(sound.sample_rate) or None if sound else None


def _find_labels(outputs: list[Table], file: ModelFile) -> tuple[int | None, tuple[str, ...]]:
    """The first label file that an output names and that is there."""
    named = [(i, name) for i, output in enumerate(outputs) for name in _label_files(output)]
    files = associated_files(file) if named else {}
    for place, name in named:
        # Ultralytics gives a whole dictionary out as labels.
        if name in files and not files[name].lstrip().startswith(b"{"):
            lines = files[name].decode("utf-8", "replace").splitlines()
            return place, tuple(line.strip() for line in _without_blank_end(lines))
    return None, ()


def _without_blank_end(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


def _tensors(tables: list[Table] | None, tensors: tuple[TensorView, ...]) -> list[Table]:
    """One metadata table a tensor; those that are there are kept if they are as many."""
    if tables is not None and len(tables) == len(tensors):
        return tables
    return [Table("TensorMetadata", name=each.name) for each in tensors]


def _describe_input(table: Table, tensor: TensorView, manifest: Manifest) -> None:
    """Say how a picture or a sound becomes this input.

    MediaPipe demands the normalization of float pictures; uint8 ones get raw pixels and
    their normalization is not looked at.
    """
    image, sound = manifest.preprocessing, manifest.front_end
    if image is not None and len(tensor.shape) == 4:
        channels = tensor.shape[-1]
        gray = image.color == "gray" or channels == 1
        space = COLOR_SPACES.get("gray" if gray else image.color, 0)
        table.content = _content_of("ImageProperties", color_space=space)
        options = Table("NormalizationOptions", mean=list(image.mean), std=list(image.std))
        table.process_units = [*_other_units(table), Table("ProcessUnit", options=options)]
        low, high = image.input_range
        table.stats = Table("Stats", min=[low], max=[high])
    elif sound and _takes_the_wave(sound, tensor):
        rate = int(sound["sample_rate_hz"])
        table.content = _content_of("AudioProperties", sample_rate=rate, channels=1)
    elif table.content is None:
        table.content = _content_of("FeatureProperties")


def _takes_the_wave(front_end: dict[str, Any], tensor: TensorView) -> bool:
    """Whether an input is a waveform, not features that a front end makes of it."""
    plain = "kind" not in front_end and "sample_rate_hz" in front_end
    return plain and len(tensor.shape) <= 2


def _describe_scores(table: Table, manifest: Manifest, tensor: TensorView) -> None:
    """Say that an output holds one score a label."""
    table.content = _content_of("FeatureProperties")
    roles = {each.name: each.role for each in manifest.outputs}
    if roles.get(tensor.name, "probabilities") == "probabilities":
        table.stats = Table("Stats", min=[0.0], max=[1.0])
    kept = [
        f for f in table.associated_files or () if f.type not in {AXIS_LABELS, VALUE_LABELS}
    ]
    labels = Table(
        "AssociatedFile",
        name=LABELS_FILE,
        type=AXIS_LABELS,
        description="Names of the classes.",
    )
    table.associated_files = [*kept, labels]


def _finished_boxes(manifest: Manifest, outputs: tuple[TensorView, ...]) -> dict[str, int]:
    """Places of the outputs by role if they are finished boxes; else nothing."""
    roles = {each.name: each.role for each in manifest.outputs}
    places = {roles.get(each.name, ""): i for i, each in enumerate(outputs)}
    return places if places.keys() == _BOX_OUTPUTS.keys() else {}


def _describe_boxes(table: Table, role: str) -> None:
    """Say which part of finished boxes an output holds, as phones look for it."""
    table.name = _BOX_OUTPUTS[role]
    if role == "boxes":
        table.content = _content_of(
            "BoundingBoxProperties",
            index=np.array([1, 0, 3, 2], np.uint32),
            type=BOX_BOUNDARIES,
        )
    elif role == "classes":
        table.stats = None
        for each in table.associated_files or ():
            if each.name == LABELS_FILE:
                each.type = VALUE_LABELS


def _label_lines(labels: tuple[str, ...]) -> bytes:
    return "".join(" ".join(label.split()) + "\n" for label in labels).encode()
