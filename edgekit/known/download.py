"""Download a known model: over https, up to its size, checked, and then whole in the cache."""

import hashlib
import http.client
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from edgekit import progress
from edgekit.errors import DeviceError, InputError
from edgekit.files import atomic_write
from edgekit.known.table import KnownModel

PAUSES_S = (0.5, 2.0)  # before another try, after a connection failed or was cut
_TIMEOUT_S = 30.0
_CHUNK = 1 << 16
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})

_log = logging.getLogger(__name__)


def download(model: KnownModel, *, pauses_s: Sequence[float] = PAUSES_S) -> Path:
    """Put a model into the cache, unless it is there.

    A connection that fails or is cut is tried again from the beginning. The file appears
    when all of it came and has the digest of the table; until then nothing is written.

    Args:
        model: What to download.
        pauses_s: Seconds to wait before each further try.

    Returns:
        Its file.

    Raises:
        DeviceError: The publisher cannot be reached.
        InputError: What it sends is not that model, or it has no such file.
        EdgekitError: The cache cannot be written, or the disk is full.
    """
    if there := model.cached():
        _log.info("%s is in the cache already.", model.name)
        return there
    content = _persist(model, pauses_s)
    _check(model, content)
    atomic_write(model.place, content)
    return model.place


def _persist(model: KnownModel, pauses_s: Sequence[float]) -> bytes:
    """Try as often as it makes sense."""
    for pause_s in pauses_s:
        try:
            return _receive(model)
        except DeviceError as error:
            _log.info("%s\nTrying again in %g s.", error, pause_s)
            time.sleep(pause_s)
    return _receive(model)


def _receive(model: KnownModel) -> bytes:
    """Receive the file once, at most one byte more than it has.

    Raises:
        DeviceError: It cannot be reached, or the connection is cut.
        InputError: There is no such file.
    """
    try:
        # Addresses come from edgekit's own table.
        with urllib.request.urlopen(model.source, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return _read(model, answer)
    except urllib.error.HTTPError as error:
        error.close()
        found = f"it answers {error.code} {error.reason}"
        if error.code not in _GONE:  # busy, or a proxy between
            raise _unreachable(model, found) from error
        msg = f"{model.name} is not where it was published: {found}.\n{model.source}"
        raise InputError(msg) from error
    except urllib.error.URLError as error:
        raise _unreachable(
            model, getattr(error.reason, "strerror", None) or error.reason
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(model, error) from error


def _read(model: KnownModel, answer: http.client.HTTPResponse) -> bytes:
    announced = answer.length  # None where the server does not say
    content = bytearray()
    with progress.task(f"Downloading {model.name}", model.bytes, "byte") as advance:
        while len(content) <= model.bytes:
            chunk = answer.read(min(_CHUNK, model.bytes + 1 - len(content)))
            if not chunk:
                break
            content += chunk
            advance(len(chunk))
    if announced is not None and len(content) < min(announced, model.bytes):
        raise _unreachable(model, f"it hung up after {len(content):,} of {announced:,} bytes")
    return bytes(content)


def _check(model: KnownModel, content: bytes) -> None:
    """See that it is the model of the table.

    Raises:
        InputError: It is not; nothing was written.
    """
    digest = hashlib.sha256(content).hexdigest()
    if digest == model.sha256:
        return
    size = f"more than {model.bytes:,}" if len(content) > model.bytes else f"{len(content):,}"
    msg = (
        f"{model.source}\nsends something else than {model.name}: {size} bytes, sha256 "
        f"{digest[:12]}...; {model.bytes:,} bytes and {model.sha256[:12]}... are expected. "
        "Nothing was written.\nDoes a proxy or a login page answer instead?"
    )
    raise InputError(msg)


def _unreachable(model: KnownModel, found: object) -> DeviceError:
    return DeviceError(
        f"Cannot download {model.name} from {urlsplit(model.source).netloc}: {found}.\n"
        f"Is there a network? Or fetch it elsewhere, from {model.source}\n"
        f"and keep it as {model.place}"
    )
