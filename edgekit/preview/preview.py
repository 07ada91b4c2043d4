"""The preview: what a demonstration shows, for whoever opens its page."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from edgekit.data.opencv import Order, Pixels
from edgekit.preview.address import Address, parse_address, reachable_at
from edgekit.preview.roll import Strip
from edgekit.preview.scene import Detection, Scene
from edgekit.preview.server import Server


class Preview:
    """A web page with the live picture, served from the moment this is made.

    Nothing that is shown waits for a viewer: a frame replaces the one before it, and is
    encoded only when somebody looks, once for all, in a thread of theirs. Close it, or
    use it as a context manager, and no thread, socket or descriptor stays.

    Args:
        host: Where to listen: `127.0.0.1` for this machine alone. At any other address
            viewers need the token, which is in `url`.
        port: 0 for any that is free.
        title: Heading of the page.
        model: Name of the model.
        source: What the frames or the sound come from.
        labels: All labels of the model, in its order; it keeps their colours apart.
        kind: Whether it shows pictures or sound.

    Raises:
        DeviceError: The port is in use, or the address is none of this machine's.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        title: str = "edgekit",
        model: str = "",
        source: str = "",
        labels: Sequence[str] = (),
        kind: Literal["pictures", "sound"] = "pictures",
    ) -> None:
        about = {"title": title, "model": model, "source": source, "kind": kind}
        self._scene = Scene(about, labels)
        self._server = Server(Address(host, port), self._scene)

    @property
    def url(self) -> str:
        """What to open in a browser, with the token if one is asked for."""
        place = Address(reachable_at(self._server.host), self._server.port)
        token = self._server.access.token
        return f"http://{place}/" + (f"?token={token}" if token else "")

    @property
    def port(self) -> int:
        """The port, also if any was asked for."""
        return self._server.port

    def show(
        self,
        pixels: Pixels,
        *,
        order: Order = "bgr",
        detections: Sequence[Detection] = (),
        ms: Mapping[str, float] | None = None,
        counts: Mapping[str, Any] | None = None,
    ) -> None:
        """Replace what is shown; returns at once, whoever looks.

        Args:
            pixels: A frame, shape (height, width, 3). It is not copied: leave it as it is
                from here on.
            order: Whether blue or red comes first.
            detections: Each with `label` and `score`, and where it is known `box` as
                (x_min, y_min, x_max, y_max) in pixels of the frame and `id`. An id seen
                for the first time is an event.
            ms: Milliseconds of each stage, in the order of the work.
            counts: Further numbers to show under their names, e.g. `dropped`.
        """
        self._scene.show(pixels, order, detections, ms or {}, counts or {})

    def hear(
        self,
        strip: Strip,
        *,
        ms: Mapping[str, float] | None = None,
        counts: Mapping[str, Any] | None = None,
    ) -> None:
        """Replace what is shown of a sound; returns at once, whoever looks.

        Args:
            strip: Its last seconds, from a `Roll`.
            ms: Milliseconds of each stage, in the order of the work.
            counts: Further numbers to show under their names, e.g. `level`.
        """
        self._scene.hear(strip, ms or {}, counts or {})

    def tell(self, text: str, label: str = "") -> None:
        """Add an event to the page's list.

        Args:
            text: What happened, e.g. `The camera is back.`.
            label: Gives the event the colour of this label.
        """
        self._scene.tell(text, label)

    def close(self) -> None:
        """Send the viewers away and free the port; a second call does nothing."""
        if not self._scene.closed:
            self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_preview(address: str, **settings: Any) -> Preview:
    """Open a preview at `HOST:PORT`.

    Args:
        address: As `parse_address` reads it.
        **settings: Keywords of `Preview`.

    Raises:
        UsageError: The address is none.
        DeviceError: As for `Preview`.
    """
    place = parse_address(address)
    return Preview(place.host, place.port, **settings)
