"""HTML as nested calls; every text is escaped, so that no file name can become markup."""

import html


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


def bar(share: float, low: float | None = None, high: float | None = None) -> Markup:
    """Return a horizontal bar, optionally with a line from `low` to `high`; all in 0..1."""
    width = f"width:{100 * min(max(share, 0.0), 1.0):.1f}%"
    parts = [tag("i", style=width)]
    if low is not None and high is not None:
        reach = f"left:{100 * low:.1f}%;width:{100 * max(high - low, 0.002):.1f}%"
        parts.append(tag("b", style=reach))
    return tag("div", *parts, cls="bar")


def page(title: str, *children: str) -> str:
    """Return a whole document that loads nothing."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"{tag('title', title)}<style>{_STYLE}</style></head>"
        f"<body><main>{join(*children)}</main></body></html>\n"
    )


_STYLE = """
:root { color-scheme: light dark; --ink: #1b2530; --soft: #5d6b7a; --paper: #fbfcfd;
  --card: #fff; --line: #dde4ea; --accent: #0b6e69; --warn: #9a5b00; --bad: #b3261e;
  --tint: #e4f1f0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --soft: #9aa8b6;
  --paper: #11171d; --card: #18212a; --line: #2b3743; --accent: #58c4bb; --warn: #f0b45a;
  --bad: #ff8a80; --tint: #1d3533; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 0 0 .2rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 1rem 1.1rem; margin-top: 1rem; }
.note, .lead { color: var(--soft); margin: 0 0 .7rem; font-size: .93rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem;
  font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: .82rem; }
th, td { padding: .38rem .8rem .38rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; white-space: nowrap; }
.bar { position: relative; height: .8rem; min-width: 6rem; margin-top: .35rem;
  background: var(--tint); border-radius: 4px; }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--accent);
  border-radius: 4px; }
.bar b { position: absolute; top: 50%; height: 2px; background: var(--ink); }
.tag { border: 1px solid currentColor; border-radius: 99px; padding: 0 .5rem;
  font-size: .8rem; white-space: nowrap; }
.tag.good { color: var(--accent); } .tag.warn { color: var(--warn); }
.tag.bad { color: var(--bad); }
.kind-estimated { border-style: dashed; } .kind-calibrated { border-style: dotted; }
ul { margin: 0; padding-left: 1.2rem; } li { margin: .2rem 0; white-space: pre-line; }
pre { background: var(--tint); border-radius: 8px; padding: .7rem .8rem; margin: .4rem 0;
  overflow-x: auto; font-size: .88rem; }
@media (max-width: 40rem) {
  thead { display: none; }
  tr { display: block; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  tr:last-child { border-bottom: 0; }
  td, .number { display: flex; justify-content: space-between; gap: 1rem; border: 0;
    padding: .1rem 0; text-align: right; overflow-wrap: anywhere; white-space: normal; }
  td[data-head]::before { content: attr(data-head); color: var(--soft); flex: none; }
  td .bar { flex: 1; }
}
dt { font-weight: 600; } dd { margin: 0 0 .5rem; color: var(--soft); }
"""
