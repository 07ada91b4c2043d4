"""Addresses of streams, as they may be shown."""

import re
from urllib.parse import urlsplit, urlunsplit

_SECRET = re.compile(r"(?i)\b(token|key|auth|pass|passwd|password|pwd|secret)=[^&#]*")


def without_password(address: str) -> str:
    """Return an address that may stand in a log.

    >>> without_password("rtsp://me:secret@10.0.0.9/live?token=k7dn&channel=1")
    'rtsp://me@10.0.0.9/live?token=...&channel=1'
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return address.partition("://")[0] + "://..."
    user, at, host = parts.netloc.rpartition("@")
    shown = parts._replace(
        netloc=user.partition(":")[0] + at + host, query=_SECRET.sub(r"\1=...", parts.query)
    )
    return urlunsplit(shown)
