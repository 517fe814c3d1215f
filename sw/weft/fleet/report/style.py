"""What the fleet page adds to the shared page style: colours of charts, tabs, a table filter."""

from importlib import resources

__all__ = ["script", "style"]


def _read(name: str) -> str:
    return (resources.files("weft.fleet.report") / name).read_text(encoding="utf-8")


def style() -> str:
    """The page's own style element."""
    return f"<style>\n{_read('page.css')}</style>"


def script() -> str:
    """The page's script element, and the bubble that shows what a mark is."""
    return f'<div id="bubble"></div><script>\n{_read("page.js")}</script>'
