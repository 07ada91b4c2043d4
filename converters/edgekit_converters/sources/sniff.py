"""What a model file really is, told from its content, before any library opens it."""

import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import SourceError
from edgekit.manifest import Manifest

Format = Literal["keras zip", "hdf5", "saved_model", "tflite"]

CONFIG = "config.json"
MANIFEST = "edgekit.json"
WEIGHTS = "model.weights.h5"
_META = "metadata.json"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

# What a format is called, and the suffixes by which Keras and people know it.
TITLES: dict[Format, str] = {
    "keras zip": "a Keras zip archive",
    "hdf5": "an HDF5 file",
    "tflite": "a TFLite file",
}
SUFFIXES: dict[Format, tuple[str, ...]] = {
    "keras zip": (".keras",),
    "hdf5": (".h5", ".hdf5"),
    "tflite": (".tflite", ".lite"),
}

# First bytes of files that people take for models, and what to say of them.
STRANGERS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "is a git-lfs pointer, not the model itself.\nFetch the model with: git lfs pull",
    ),
    (b"<", "is a web page or XML, not a model.\nDownload the file itself (the raw link)."),
    (b"{", "is JSON: an architecture without weights.\nSave the whole model: model.save(...)."),
    (b"\x1f\x8b", "is gzip-compressed.\nUnpack it first, and give what is inside."),
    (b"\x80", "is a Python pickle, which edgekit does not open.\nSave the model as .keras."),
)

_BOMB_RATIO = 100  # unpacked over packed size; Keras stores weights uncompressed
_BOMB_BYTES = 64 * 2**20
_JSON_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """A model file that has the shape of what it claims to be.

    Attributes:
        path: The file or folder.
        format: What it is.
        config: The architecture of a Keras file; None elsewhere.
        keras_version: Version of Keras that wrote it; empty where the file does not say.
        manifest: The manifest of edgekit, where a Keras file carries one.
    """

    path: Path
    format: Format
    config: dict[str, Any] | None = None
    keras_version: str = ""
    manifest: Manifest | None = None

    @property
    def by_keras_3(self) -> bool:
        """Whether Keras 3 wrote it."""
        major = self.keras_version.partition(".")[0]
        return major.isdigit() and int(major) >= 3


def sniff(path: Path) -> Sniffed:
    """Tell what a model file is.

    Raises:
        SourceError: It is missing, empty, damaged, renamed, holds only weights or only an
            architecture, or is no model at all.
    """
    if path.is_dir():
        return _folder(path)
    head = _head(path)
    found = _format(path, head)
    if path.suffix.lower() not in SUFFIXES[found]:
        msg = (
            f"{path} is {TITLES[found]} under another name.\n"
            f"Rename it to {path.with_suffix(SUFFIXES[found][0]).name}"
        )
        raise SourceError(msg)
    return _READERS[found](path)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}."
        raise SourceError(msg) from error
    if not head:
        msg = f"{path} is empty: 0 bytes.\nWas it downloaded or copied to the end?"
        raise SourceError(msg)
    return head


def _format(path: Path, head: bytes) -> Format:
    if head.startswith(b"PK"):
        return "keras zip"
    if head.startswith(HDF5_MAGIC):
        return "hdf5"
    if head[4:8] == b"TFL3":
        return "tflite"
    for start, text in STRANGERS:
        if head.lstrip().startswith(start):
            msg = f"{path} {text}"
            raise SourceError(msg)
    if path.name == "saved_model.pb":
        msg = f"{path} is one part of a SavedModel.\nGive the folder: {path.parent}"
        raise SourceError(msg)
    msg = (
        f"{path} is not a model that edgekit can import: it starts with {head[:8]!r}.\n"
        "Give a .keras, .h5, .hdf5 or .tflite file, or a SavedModel folder."
    )
    raise SourceError(msg)


def _folder(path: Path) -> Sniffed:
    graph = path / "saved_model.pb"
    if not graph.is_file():
        unpacked = (path / CONFIG).is_file() and (path / WEIGHTS).is_file()
        remedy = (
            "It looks like an unpacked .keras file; give the .keras file itself."
            if unpacked
            else "Give a SavedModel folder, or a .keras, .h5, .hdf5 or .tflite file."
        )
        msg = f"{path} is a folder without saved_model.pb, so it is no SavedModel.\n{remedy}"
        raise SourceError(msg)
    head = _head(graph)
    for start, text in STRANGERS[:2]:
        if head.startswith(start):
            msg = f"{graph} {text}"
            raise SourceError(msg)
    if not (path / "variables" / "variables.index").is_file():
        msg = f"{path} is a SavedModel without its variables folder.\nCopy the whole folder."
        raise SourceError(msg)
    return Sniffed(path=path, format="saved_model")


_ZIP_FAILURES = (
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def _keras_zip(path: Path) -> Sniffed:
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_bomb(path, archive)
            if broken := archive.testzip():
                raise zipfile.BadZipFile(broken)
            names = set(archive.namelist())
            _refuse_partial(path, names)
            config = _json(path, archive.read(CONFIG))
            metadata = _json(path, archive.read("metadata.json")) if _META in names else {}
            manifest = (
                Manifest.loads(archive.read(MANIFEST), str(path)) if MANIFEST in names else None
            )
    except _ZIP_FAILURES as error:
        msg = (
            f"{path} is a truncated or damaged Keras archive ({error}).\n"
            "Was it downloaded or copied to the end?"
        )
        raise SourceError(msg) from error
    return Sniffed(
        path=path,
        format="keras zip",
        config=config,
        keras_version=str(metadata.get("keras_version", "")),
        manifest=manifest,
    )


def _refuse_bomb(path: Path, archive: zipfile.ZipFile) -> None:
    size = sum(entry.file_size for entry in archive.infolist())
    if size > _BOMB_BYTES and size > _BOMB_RATIO * path.stat().st_size:
        msg = (
            f"{path} unpacks from {path.stat().st_size:,} to {size:,} bytes, "
            "as no model does; it is not opened.\nSave the model again with model.save(...)."
        )
        raise SourceError(msg)


def _refuse_partial(path: Path, names: set[str]) -> None:
    if CONFIG in names and WEIGHTS in names:
        return
    if WEIGHTS in names:
        msg = f"{path} holds weights only, without the architecture.\n{_SAVE_ALL}"
    elif CONFIG in names:
        msg = f"{path} holds an architecture without weights.\n{_SAVE_ALL}"
    else:
        shown = ", ".join(sorted(names)[:3]) or "nothing"
        msg = f"{path} is a zip archive but no Keras model: it holds {shown}.\n{_FORMATS}"
    raise SourceError(msg)


_SAVE_ALL = "Load it where it was made and save the whole model: model.save('model.keras')"
_FORMATS = "Give a .keras, .h5, .hdf5 or .tflite file, or a SavedModel folder."


def _json(path: Path, text: bytes | str) -> dict[str, Any]:
    try:
        if len(text) > _JSON_BYTES:
            msg = f"{len(text):,} bytes"
            raise ValueError(msg)  # noqa: TRY301 (joins the other ways of being no config)
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"The architecture in {path} is not readable JSON: {error}.\n{_SAVE_ALL}"
        raise SourceError(msg) from error
    if not isinstance(values, dict):
        msg = (
            f"The architecture in {path} is {type(values).__name__}, not a table.\n{_SAVE_ALL}"
        )
        raise SourceError(msg)
    return values


def _hdf5(path: Path) -> Sniffed:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            attributes = {
                key: _text(file.attrs[key])
                for key in ("model_config", "keras_version", "edgekit")
                if key in file.attrs
            }
            has_weights = "model_weights" in file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        msg = (
            f"{path} is a truncated or damaged HDF5 file ({error}).\n"
            "Was it downloaded or copied to the end?"
        )
        raise SourceError(msg) from error
    if "model_config" not in attributes:
        msg = f"{path} holds weights only, without the architecture.\n{_SAVE_ALL}"
        raise SourceError(msg)
    if not has_weights:
        msg = f"{path} holds an architecture without weights.\n{_SAVE_ALL}"
        raise SourceError(msg)
    carried = attributes.get("edgekit")
    return Sniffed(
        path=path,
        format="hdf5",
        config=_json(path, attributes["model_config"]),
        keras_version=attributes.get("keras_version", ""),
        manifest=Manifest.loads(carried, str(path)) if carried else None,
    )


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _tflite(path: Path) -> Sniffed:
    return Sniffed(path=path, format="tflite")


_READERS: dict[Format, Callable[[Path], Sniffed]] = {
    "keras zip": _keras_zip,
    "hdf5": _hdf5,
    "tflite": _tflite,
}
