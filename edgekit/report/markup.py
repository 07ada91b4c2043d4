"""HTML as nested calls; every text is escaped, so that no file name can become markup."""

import html
from importlib.resources import files


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Markup:
    """Return an element.

    Args:
        name: E.g. `td`.
        *children: Texts, which are escaped, and elements, which are not.
        **attributes: Their values are escaped; `cls` stands for `class`, `_` for `-`.

    >>> tag("td", "a < b", cls="number")
    '<td class="number">a &lt; b</td>'
    """
    names = {key: "class" if key == "cls" else key.replace("_", "-") for key in attributes}
    written = "".join(
        f' {names[key]}="{html.escape(value)}"' for key, value in attributes.items() if value
    )
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """Put texts and elements one after another."""
    return Markup(
        "".join(each if isinstance(each, Markup) else html.escape(each) for each in children)
    )


def table(heads: list[str], rows: list[list[str]], numbers: set[int] | None = None) -> Markup:
    """Return a table; on a narrow screen each row becomes a list of `title value`.

    Args:
        heads: Column titles.
        rows: Texts or elements.
        numbers: Which columns are aligned to the right.
    """
    looks = ["number" if place in (numbers or set()) else "" for place in range(len(heads))]
    titles = [tag("th", head, cls=look) for head, look in zip(heads, looks, strict=True)]
    lines = [
        tag(
            "tr",
            *(
                tag("td", value, cls=look, data_head=head)
                for value, look, head in zip(values, looks, heads, strict=True)
            ),
        )
        for values in rows
    ]
    return tag("table", tag("thead", tag("tr", *titles)), tag("tbody", *lines))


def section(title: str, *children: str, note: str = "") -> Markup:
    """Return a titled part of the page, with one line on how to read it."""
    return tag(
        "section", tag("h2", title), tag("p", note, cls="note") if note else "", *children
    )


def page(title: str, *children: str) -> str:
    """Return a whole document that loads nothing."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"{tag('title', title)}<style>{_style()}</style></head>"
        f"<body><main>{join(*children)}</main></body></html>\n"
    )


def _style() -> str:
    return files("edgekit.report").joinpath("page.css").read_text(encoding="utf-8")
