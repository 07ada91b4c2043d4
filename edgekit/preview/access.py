"""Who may look: a token where the network can reach the page, the Host header where not."""

import hmac
import secrets
from urllib.parse import urlsplit

from edgekit.preview.address import is_loopback

# No letter or digit that reads like another; 31 of them, 16 at random: 79 bits.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _IN_A_GROUP = 4, 4


class Access:
    """Decides about one request.

    A page on the loopback address needs no token, but the browser's user may have another
    page open whose name its owner points at 127.0.0.1 (DNS rebinding); such requests name
    a foreign host. Everywhere else a viewer shows the token, later the cookie made of it,
    which no foreign page can send.

    Args:
        loopback: Whether the server listens on a loopback address.
        port: Port of the server; cookies know no ports, so their name tells it.

    Attributes:
        token: What a viewer must show; None if nothing is asked.
    """

    def __init__(self, *, loopback: bool, port: int) -> None:
        self.token = None if loopback else make_token()
        self._cookie = f"edgekit_{port}"

    def knows(self, host: str) -> bool:
        """Tell whether a Host header may be answered."""
        if self.token is not None:
            return True
        try:
            return is_loopback(urlsplit(f"//{host}").hostname or "")
        except ValueError:
            return False

    def admits(self, *, offered: str, cookies: str) -> bool:
        """Tell whether a viewer may look.

        Args:
            offered: The token in the address, or nothing.
            cookies: The Cookie header, or nothing.
        """
        return self.token is None or self.fits(offered) or self.fits(self._kept(cookies))

    def fits(self, offered: str) -> bool:
        """Compare with the token, in a time that tells nothing of it."""
        wanted = (self.token or "").encode()
        return hmac.compare_digest(offered.strip().lower().encode(), wanted)

    def keep(self) -> str:
        """Return the Set-Cookie header of one who showed the token."""
        return f"{self._cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"

    def _kept(self, cookies: str) -> str:
        pairs = (each.strip().partition("=") for each in cookies.split(";"))
        return next((value for name, _, value in pairs if name == self._cookie), "")


def make_token() -> str:
    """Return letters that nobody guesses and that can be typed on a phone."""
    letters = (
        "".join(secrets.choice(_LETTERS) for _ in range(_IN_A_GROUP)) for _ in range(_GROUPS)
    )
    return "-".join(letters)
