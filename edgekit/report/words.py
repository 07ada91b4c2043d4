"""How names, numbers and verdicts are written on the page."""

from edgekit.report.documents import Document, basename, number, part, text
from edgekit.report.markup import Markup, tag

NONE = "–"  # noqa: RUF001 (a dash in a table)
NOTHING = Markup("")


def model_name(document: Document) -> str:
    """Name the model that a document is about."""
    return basename(text(document, "model") or text(document, "path"))


def place(document: Document) -> str:
    """Say where a latency is from: target, device of a fleet, board, processor."""
    machine = part(document, "machine")
    names = (
        text(document, "target"),
        text(document, "device"),
        text(machine, "board"),
        text(machine, "cpu"),
    )
    return next(filter(None, names), text(machine, "arch") or NONE)


def score(document: Document) -> str:
    """Write the value of a metric: a share, or dB."""
    value = number(document, "value")
    if value is not None and text(document, "metric").endswith("_db"):
        return f"{value:.1f} dB"
    return percent(value)


def size(count: float | None) -> str:
    """Write a number of bytes.

    >>> size(98_496), size(3_200_000)
    ('98.5 kB', '3.20 MB')
    """
    if count is None:
        return NONE
    return f"{count / 1000:,.1f} kB" if count < 1e6 else f"{count / 1e6:,.2f} MB"


def percent(share: float | None) -> str:
    """Write a share of one."""
    return NONE if share is None else f"{100 * share:.1f} %"


def points(share: float | None) -> str:
    """Write a difference of shares, in percentage points."""
    return NONE if share is None else f"{100 * share:+.2f}"


def ms(value: float | None) -> str:
    """Write a latency.

    >>> ms(0.0824), ms(12.5), ms(340.2)
    ('0.082 ms', '12.50 ms', '340 ms')
    """
    if value is None:
        return NONE
    digits = 3 if value < 1 else 2 if value < 100 else 0
    return f"{value:.{digits}f} ms"


def counted(count: object, what: str) -> str:
    """Write a number of things.

    >>> counted(1, "thread"), counted(4, "thread")
    ('1 thread', '4 threads')
    """
    return f"{count} {what}" if str(count) == "1" else f"{count} {what}s"


def badge(word: str, look: str) -> Markup:
    """Return a word in a frame; `look` is good, warn or bad, and more."""
    return tag("span", word, cls=f"tag {look}")


def yes_no(value: object) -> str:
    """Return a frame that says yes or no; a dash where nobody knows."""
    if value is None:
        return NONE
    return badge("yes", "good") if value else badge("no", "warn")
