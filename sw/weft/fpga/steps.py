"""The steps of a long flow: each is told, timed and kept, and is not run again if nothing that it
reads has changed.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .tools import run_tool

__all__ = ["Steps"]

_RECORD = "steps.json"
#: How often a running step tells where it is.
_TELL_S = 30.0
#: Lines of nextpnr that say how far it is: placer, its refinement, either router.
_PROGRESS = re.compile(r"(?:at iteration|iter=|^Info: +\d+ \|)")


class Steps:
    """Runs steps in ``folder``, where ``steps.json`` keeps what each has been made from.

    ``seconds`` are those each step took when it ran, now or then.
    """

    def __init__(self, folder: Path, on_step: Callable[[str], None]) -> None:
        self.folder = folder
        self._on_step = on_step
        self.seconds: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._done = json.loads((folder / _RECORD).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            self._done = {}

    def make(
        self,
        name: str,
        sources: Sequence[Path | str],
        results: Sequence[Path],
        work: Callable[[], None],
    ) -> None:
        """Does ``work``, which makes ``results`` from ``sources``: files by their contents, and
        text as it is."""
        digest = hashlib.sha256()
        for source in sources:
            content = source.read_bytes() if isinstance(source, Path) else source.encode()
            digest.update(hashlib.sha256(content).digest())
        before = self._done.get(name, {})
        if before.get("sources") == digest.hexdigest() and all(made.is_file() for made in results):
            self._on_step(f"{name}: unchanged")
            self.seconds[name] = before["seconds"]
            return
        self._on_step(name)
        for stale in results:
            stale.unlink(missing_ok=True)
        started = time.monotonic()
        work()
        self.seconds[name] = round(time.monotonic() - started, 1)
        self._done[name] = {"sources": digest.hexdigest(), "seconds": self.seconds[name]}
        (self.folder / _RECORD).write_text(json.dumps(self._done, indent=1) + "\n")

    def run(
        self, name: str, command: list[str], sources: Sequence[Path], results: Sequence[Path]
    ) -> None:
        """``make`` by a program, whose messages go to a log."""
        told = time.monotonic()

        def on_line(line: str) -> None:
            nonlocal told
            if _PROGRESS.search(line) and time.monotonic() - told >= _TELL_S:
                told = time.monotonic()
                self._on_step(f"{name}: {line.removeprefix('Info:').strip()}")

        log = self.folder / f"{name.lower()}.log"
        self.make(
            name,
            [*sources, *command[1:]],
            results,
            lambda: run_tool(command, log, on_line),
        )
