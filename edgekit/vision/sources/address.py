"""Addresses of streams, as they may be shown."""

from urllib.parse import urlsplit, urlunsplit


def without_password(address: str) -> str:
    """Return an address that may stand in a log.

    >>> without_password("rtsp://me:secret@10.0.0.9/live")
    'rtsp://me@10.0.0.9/live'
    """
    try:
        parts = urlsplit(address)
        if parts.password is None:
            return address
    except ValueError:
        return address.partition("://")[0] + "://..."
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{name}@{host}"))
