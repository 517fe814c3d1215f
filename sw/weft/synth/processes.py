"""Independent pieces of work on several processes: results as they come, all ended by Ctrl-C."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from .errors import FlowError

__all__ = ["run_pieces"]

Piece = TypeVar("Piece")
Result = TypeVar("Result")
Progress = Callable[[str], None]

#: Seconds that an interrupted process has to end by itself, before and after it is told to. (One
#: that was started with interrupts ignored does not hear the first telling.)
_GRACE_S, _END_S = 0.5, 5.0


def run_pieces(
    work: Callable[[Piece, Progress], Result], pieces: Sequence[Piece], count: int,
    progress: Progress,
) -> Iterator[tuple[int, Result]]:  # fmt: skip
    """Yields each piece's index with its result, in the order in which they end. With a ``count``
    of 1 all is done in this process; else processes are forked, so that ``work`` finds what was
    prepared before, and results are pickled. ``progress`` gets what all of them are doing.

    Raises
    ------
    FlowError
        if a process is killed.
    Exception
        what ``work`` raised, in any of them; the others are ended.
    """
    if min(count, len(pieces)) <= 1:
        for index, piece in enumerate(pieces):
            yield index, work(piece, progress)
        return
    context = get_context("fork")
    waiting = deque(range(len(pieces)))
    at_work: dict[Connection, BaseProcess] = {}
    said: dict[Connection, str] = {}
    try:
        for _ in range(min(count, len(pieces))):
            here, there = context.Pipe()
            process = context.Process(
                target=_serve, args=(work, pieces, there, [*at_work, here]), daemon=True
            )
            process.start()
            there.close()
            at_work[here] = process
            here.send(waiting.popleft())
        while at_work:
            for ready in connection.wait(list(at_work)):
                assert isinstance(ready, Connection)
                kind, index, content = _received(ready, at_work[ready])
                if kind == "said":
                    said[ready] = content
                    progress("; ".join(said.values()))
                    continue
                if kind == "failed":
                    raise content
                if waiting:
                    ready.send(waiting.popleft())
                else:
                    ready.send(None)
                    said.pop(ready, None)
                    at_work.pop(ready).join()
                yield index, content
    finally:
        _end(list(at_work.values()))


def _received(ready: Connection, process: BaseProcess) -> tuple[str, int, Any]:
    try:
        kind, index, content = ready.recv()
    except EOFError as error:
        process.join()
        raise FlowError(
            f"a process that measured was ended from outside (exit code {process.exitcode}); "
            "with --jobs 1 it takes less memory"
        ) from error
    return kind, index, content


def _end(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.join(_GRACE_S)
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGINT)
    for process in processes:
        process.join(_END_S)
        for end in (process.terminate, process.kill):
            if process.is_alive():
                end()
                process.join(_END_S)


def _serve(
    work: Callable[[Piece, Progress], Result], pieces: Sequence[Piece], there: Connection,
    others: list[Connection],
) -> None:  # fmt: skip
    """In a process of its own: pieces by their index until None."""
    # ends of pipes that came along with the fork: with them open here nobody would see them close
    for other in others:
        other.close()
    try:
        while (index := there.recv()) is not None:

            def say(text: str, index: int = index) -> None:
                there.send(("said", index, text))

            try:
                there.send(("done", index, work(pieces[index], say)))
            except Exception as error:  # whatever it is, it is raised where the results are taken
                there.send(("failed", index, error))
    except (KeyboardInterrupt, EOFError, BrokenPipeError):
        pass
