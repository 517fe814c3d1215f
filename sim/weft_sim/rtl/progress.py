"""A progress line on the error output for work that takes more than a second.

On a terminal the line is rewritten every second; elsewhere a line is printed after the first
second, then every ten.
"""

import sys
import threading
import time
from collections.abc import Callable

__all__ = ["Progress"]

_FIRST_S = 1.0
_TERMINAL_PERIOD_S = 1.0
_PLAIN_PERIOD_S = 10.0


class Progress:
    """``with Progress("building base") as progress: progress.step = "compiling"``."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.step: str | Callable[[], str] = ""
        """What is being done now, or who says it when a line is written; assign at will."""
        self._stop = threading.Event()
        self._started_s = time.monotonic()
        self._shown = False
        self._thread = threading.Thread(target=self._show, daemon=True)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._shown:
            self._write("done" if kind is None else "stopped", last=True)

    def _show(self) -> None:
        period_s = _TERMINAL_PERIOD_S if sys.stderr.isatty() else _PLAIN_PERIOD_S
        wait_s = _FIRST_S
        while not self._stop.wait(wait_s):
            self._shown = True
            self._write(self.step if isinstance(self.step, str) else self.step())
            wait_s = period_s

    def _write(self, text: str, *, last: bool = False) -> None:
        line = f"{self.what}: {text}, {self.elapsed_s:.0f} s" if text else self.what
        if sys.stderr.isatty():
            line = f"\r{line}\x1b[K" + ("\n" if last else "")
        else:
            line += "\n"
        sys.stderr.write(line)
        sys.stderr.flush()
