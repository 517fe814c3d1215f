"""One self-contained HTML page: no script, no font, no link to anywhere."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["page", "section", "table", "tiles"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --line: #d9dee3;
  --lane: #f0f2f4; --page: #fff; --accent: #1f5fa8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #9aa4af; --line: #3a424b; --lane: #262c33; --page: #15191e;
    --accent: #7db4f0 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1040px; padding: 32px 24px 64px;
  font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page) }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 18px; margin: 36px 0 8px }
p { margin: 6px 0; max-width: 76ch } .soft { color: var(--soft) }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 20px 0 }
.tile { border: 1px solid var(--line); border-radius: 6px; padding: 10px 14px }
.tile b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; white-space: nowrap }
.tile span { color: var(--soft); font-size: 13px }
.scroll { overflow-x: auto; margin: 8px 0 20px }
table { border-collapse: collapse; width: 100%; font-size: 14px }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line);
  vertical-align: top }
th { font-weight: 600; color: var(--soft) }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
svg { width: 100%; height: auto } svg text { font: 10px system-ui, sans-serif; fill: var(--soft) }
svg .lane { fill: var(--lane) } svg .mark { stroke: var(--soft); stroke-dasharray: 2 2 }
pre { background: var(--lane); padding: 12px; border-radius: 6px; overflow-x: auto;
  font-size: 13px }
"""


def _is_number(value: object) -> bool:
    text = str(value)
    return text[:1].isdigit() or (text[:1] in "+-~" and text[1:2].isdigit())


def _row(values: Sequence[object], tag: str, numeric: Sequence[bool]) -> str:
    cells = (
        f"<{tag}{' class=number' if right else ''}>{html.escape(str(value))}</{tag}>"
        for value, right in zip(values, numeric, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table; columns whose first cell is a number are set right."""
    lines = [tuple(row) for row in rows]
    numeric = [_is_number(value) for value in lines[0]] if lines else [False] * len(head)
    body = "".join(_row(line, "td", numeric) for line in lines)
    return (
        f'<div class="scroll"><table><thead>{_row(head, "th", numeric)}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def tiles(items: Iterable[tuple[str, str]]) -> str:
    """Headline figures: (value, what it is)."""
    cells = "".join(
        f'<div class="tile"><b>{html.escape(value)}</b><span>{html.escape(what)}</span></div>'
        for value, what in items
    )
    return f'<div class="tiles">{cells}</div>'


def section(title: str, *parts: str, note: str = "") -> str:
    """A heading, an optional sentence, and HTML parts."""
    sentence = f'<p class="soft">{html.escape(note)}</p>' if note else ""
    return f"<h2>{html.escape(title)}</h2>{sentence}{''.join(parts)}"


def page(title: str, subtitle: str, *parts: str) -> str:
    """The whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
        f'<h1>{html.escape(title)}</h1><p class="soft">{html.escape(subtitle)}</p>'
        f"{''.join(parts)}</body></html>\n"
    )
