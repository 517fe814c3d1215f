"""C++ to a shared library: compiles files beside each other, longest first, and links them."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import BuildError

__all__ = ["Jobs", "Unit"]

_MAX_ERROR_LINES = 6


@dataclass(frozen=True, slots=True)
class Unit:
    """One source file, its object file and the compiler's options for it."""

    source: Path
    target: Path
    options: tuple[str, ...]
    weight: float = 0.0
    """Heavier ones are started first."""


class Jobs:
    """Runs as many compilers as the process has cores; an error or an interrupt ends them all."""

    def __init__(self, compiler: str) -> None:
        self.compiler = compiler
        self._pool = ThreadPoolExecutor(max_workers=_cores())
        self._running: set[subprocess.Popen] = set()
        self._stopped = False
        self._mutex = threading.Lock()

    def __enter__(self) -> "Jobs":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            with self._mutex:
                self._stopped = True
                for process in self._running:
                    _kill(process)
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)

    def start(self, units: Sequence[Unit]) -> list:
        """Queues the compilation of ``units``, heaviest first; returns their futures."""
        ordered = sorted(units, key=lambda unit: unit.weight, reverse=True)
        return [self._pool.submit(self._compile, unit) for unit in ordered]

    def call(self, function: Callable, *arguments: object):
        """Queues any other work; returns its future."""
        return self._pool.submit(function, *arguments)

    def finish(self, futures: list, report: Callable[[int, int], None] | None = None) -> None:
        """Waits for ``futures``, calling ``report(done, all)``; raises what one of them raised."""
        left = set(futures)
        while left:
            done, left = wait(left, timeout=0.5, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            if report is not None:
                report(sum(future.done() for future in futures), len(futures))

    def link(self, objects: Sequence[Path], target: Path) -> None:
        """Links ``objects`` to the shared library ``target``."""
        command = [self.compiler, "-shared", "-o", str(target), *map(str, objects), "-pthread"]
        self._execute(command, target.name)

    def _compile(self, unit: Unit) -> None:
        command = [self.compiler, *unit.options, "-c", str(unit.source), "-o", str(unit.target)]
        self._execute(command, unit.source.name)

    def _execute(self, command: list[str], what: str) -> None:
        with self._mutex:
            if self._stopped:
                return
            process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._running.add(process)
        _, errors = process.communicate()
        with self._mutex:
            self._running.discard(process)
        if process.returncode != 0 and not self._stopped:
            lines = [line for line in errors.splitlines() if "error" in line] or errors.splitlines()
            raise BuildError(
                f"{self.compiler} refused {what}: " + "\n".join(lines[:_MAX_ERROR_LINES])
            )


def _kill(process: subprocess.Popen) -> None:
    """Ends a compiler with the programs that it has started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
