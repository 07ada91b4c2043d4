"""`edgekit models`: the models that edgekit carries, and others that it knows."""

from dataclasses import dataclass
from typing import Any

import click

from edgekit.cli import tables
from edgekit.cli.common import Document, command
from edgekit.errors import UnknownName, UsageError
from edgekit.extras import need
from edgekit.known.download import download as download_known
from edgekit.known.table import KnownModel, known_models


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model, carried or known.

    Attributes:
        name: What `--model` takes.
        task: `classify`, `detect`, `keywords` or `generic`.
        bytes: Size of its file.
        carried: Whether it came with edgekit.
        path: Its file; None where it was not downloaded.
        licence: Its licence.
        source: Who made it, or where it was published.
        about: What it is.
        labels: Names of its classes, where it carries them.
        accuracy: What its card says of it; None where it has no card.
        sha256: Digest that a downloaded file must have.
    """

    name: str
    task: str
    bytes: int
    carried: bool
    path: str | None
    licence: str
    source: str
    about: str
    labels: tuple[str, ...] = ()
    accuracy: str | None = None
    sha256: str | None = None


def _show(found: Document) -> None:
    if "card" in found:
        _show_one(found["models"][0], found["card"])
    else:
        _show_all(found["models"])


def _show_all(found: list[Document]) -> None:
    carried = [
        (
            each["name"],
            each["task"],
            len(each["labels"]),
            tables.size(each["bytes"]),
            each["accuracy"],
        )
        for each in found
        if each["carried"]
    ]
    heads = ["carried", "task", "classes", "size", "what its card says"]
    tables.table(heads, carried, numbers=["classes", "size"])
    known = [
        (each["name"], each["task"], tables.size(each["bytes"]), _here(each), each["about"])
        for each in found
        if not each["carried"]
    ]
    tables.line()
    tables.table(["known", "task", "size", "here", "what it is"], known, numbers=["size"])
    tables.line("\nDownload one of these: edgekit models NAME --download")


def _here(found: Document) -> str | None:
    return "yes" if found["path"] else None


def _show_one(found: Document, card: str | None) -> None:
    tables.facts(
        [
            ("model", found["name"]),
            ("what it is", found["about"]),
            ("task", found["task"]),
            ("classes", ", ".join(found["labels"])),
            ("size", tables.size(found["bytes"])),
            ("licence", found["licence"]),
            ("source", found["source"]),
            ("sha256", found["sha256"]),
            ("file", found["path"] or f"not here; edgekit models {found['name']} --download"),
        ]
    )
    if card:
        tables.line()
        click.echo(card.rstrip())  # a table of Markdown is not to be wrapped


def _home() -> Any:
    """Return the package of the carried models."""
    return need("edgekit_demos.models", "show the carried models")


def _known(model: KnownModel) -> Model:
    path = model.cached()
    return Model(
        name=model.name,
        task=model.task,
        bytes=model.bytes,
        carried=False,
        path=str(path) if path else None,
        licence=model.licence,
        source=model.source,
        about=model.about,
        sha256=model.sha256,
    )


def _carried(name: str) -> Model:
    """Describe a carried model from its file, its manifest and its card."""
    from edgekit.artifact import read_manifest

    path = _home().model_path(name)
    card = _home().read_card(name)
    manifest = read_manifest(path)
    return Model(
        name=name,
        task=manifest.task if manifest else "generic",
        bytes=path.stat().st_size,
        carried=True,
        path=str(path),
        licence=card.licence,
        source="edgekit",
        about=card.about,
        labels=manifest.labels if manifest else (),
        accuracy=card.accuracy,
    )


@command(_show)
@click.argument("name", required=False)
@click.option("--download", is_flag=True, help="Put the known model NAME into the cache.")
def models(name: str | None, *, download: bool) -> dict[str, Any]:
    """List the models that edgekit carries and knows, or show NAME with its card.

    A carried model is there without a network. A known one was published by others; once
    it is downloaded, its name serves as `--model` and, for a Keras file, as `--weights`.

    \b
    Examples:
      edgekit models
      edgekit models cards
      edgekit models coco-ssd --download
      edgekit demo detect --model coco-ssd --source 0
      edgekit models --json | jq '.models[] | select(.carried) | .path'
    """
    carried = _home().model_names()
    known = known_models()
    if name is None:
        if download:
            msg = "--download wants the name of a model; `edgekit models` lists them."
            raise UsageError(msg)
        return {"models": [*map(_carried, carried), *map(_known, known.values())]}
    if name in carried:
        return {"models": [_carried(name)], "card": _home().read_card(name).text}
    if name not in known:
        raise UnknownName(kind="model", name=name, known=[*carried, *known])
    if download:
        download_known(known[name])
    return {"models": [_known(known[name])], "card": None}
