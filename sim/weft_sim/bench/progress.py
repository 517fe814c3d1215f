"""The progress line: what is being built or run now. ``set_sink`` sends it elsewhere (pytest's
terminal, a widget).
"""

import sys
from collections.abc import Callable

__all__ = ["set_sink", "show"]


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_sink: Callable[[str], None] = _to_stderr


def set_sink(sink: Callable[[str], None] | None) -> None:
    """Sends progress lines to ``sink``; None restores standard error."""
    global _sink
    _sink = _to_stderr if sink is None else sink


def show(line: str) -> None:
    """Shows one line."""
    _sink(line)
