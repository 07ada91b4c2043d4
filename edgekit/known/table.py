"""Which models are known, and which of them lie in the cache.

`models.toml` says where each was published, at one commit, and what it must be: a file
with another digest is not that model, wherever it lies.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import InputError, UnknownName
from edgekit.files import cache_dir
from edgekit.manifest import Task
from edgekit.measure import sha256
from edgekit.records import from_json, read_toml

TABLE = Path(__file__).with_name("models.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """One model that others published.

    Attributes:
        name: What it is called here.
        task: `classify`, `detect`, `keywords` or `generic`.
        file: Name of its file.
        about: What it is, as one clause.
        licence: Its licence, as its publisher says.
        bytes: Size of its file.
        sha256: Digest of its file, in hexadecimal digits.
        source: Address of its file.
    """

    name: str
    task: Task
    file: str
    about: str
    licence: str
    bytes: int
    sha256: str
    source: str

    @property
    def place(self) -> Path:
        """Where it lies once it was downloaded."""
        return cache_dir() / "models" / self.file

    def cached(self) -> Path | None:
        """Return its file, or None where there is none, or another one."""
        place = self.place
        if not place.is_file() or place.stat().st_size != self.bytes:
            return None
        return place if sha256(place) == self.sha256 else None


def known_models(table: Path = TABLE) -> dict[str, KnownModel]:
    """Return the known models by name, in the order of the table.

    Args:
        table: A TOML file with a table for each model.

    Raises:
        RecordError: It is not TOML, or a field is missing, unknown or of the wrong type.
    """
    values: dict[str, Any] = read_toml(table)
    return {
        name: from_json(KnownModel, _named(name, each), f"{table.name}: {name}")
        for name, each in values.items()
    }


def known_model(name: str) -> KnownModel:
    """Return one of the known models.

    Raises:
        UnknownName: There is none of that name.
    """
    known = known_models()
    if name not in known:
        raise UnknownName(kind="known model", name=name, known=list(known))
    return known[name]


def known_file(name: str) -> Path:
    """Return the downloaded file of a known model.

    Raises:
        UnknownName: There is none of that name.
        InputError: It was not downloaded, or the file is damaged.
    """
    model = known_model(name)
    path = model.cached()
    if path is None:
        found = "is damaged" if model.place.exists() else "is not on this machine"
        msg = (
            f"The model {name} is known, but {model.place} {found}.\n"
            f"Download it: edgekit models {name} --download"
        )
        raise InputError(msg)
    return path


def path_or_known(named: Path) -> Path:
    """Return a path as it is, but for the name of a known model, the file of that.

    A file of that name in the working folder goes first.

    Raises:
        InputError: The known model was not downloaded.
    """
    return (
        known_file(str(named)) if not named.exists() and str(named) in known_models() else named
    )


def _named(name: str, values: Any) -> Any:
    return {"name": name, **values} if isinstance(values, dict) else values
