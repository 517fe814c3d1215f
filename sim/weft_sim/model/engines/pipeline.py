"""When the blocks of matmul commands go through the array: closed forms, command after command."""

from __future__ import annotations

from ..timing import TIMING

__all__ = ["ArrayPipeline"]

_LONG_AGO = -(10**9)


class ArrayPipeline:
    """Weight loader and activation streamer of one array of ``rows`` x ``rows``.

    A block starts (its first activation is asked for) when the block before it has had all its
    activations, and R cycles after the block before it started: by then its weights, asked for
    meanwhile, are in the shadows. So blocks of one command start ``max(M, R)`` cycles apart.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.accepts_from = 0
        self._taken = 0
        self._last_start = _LONG_AGO
        self._last_ready = _LONG_AGO
        self._stream_end = 0

    def flush(self, cycle: int) -> None:
        """The array is empty at ``cycle``."""
        self.accepts_from = max(self.accepts_from, cycle + 1)
        self._last_start = _LONG_AGO
        self._last_ready = _LONG_AGO
        self._stream_end = min(self._stream_end, cycle)

    def run(self, cycle: int, m: int, blocks: int) -> tuple[int, int]:
        """A command of ``blocks`` blocks of ``m`` rows, handed over in ``cycle``.

        Returns
        -------
        stalls, done
            Cycles in which the streamer waited for weights; the cycle of the command's end.
        """
        rows = self.rows
        queued = cycle + TIMING.matmul_queue
        loader_taken = max(queued, self._last_ready - TIMING.matmul_load_latency)
        ready = max(loader_taken + 1 + rows + TIMING.matmul_weights_ready, self._last_start + rows)
        taken = max(queued, self._stream_end - 1)
        active = taken + 1
        start = max(ready, active)
        period = max(m, rows)
        self._last_start = start + (blocks - 1) * period
        self._last_ready = ready if blocks == 1 else self._last_start - period + rows
        self._stream_end = self._last_start + m
        # the queue before the streamer holds two
        self.accepts_from = max(queued, self._taken + 1)
        self._taken = taken
        done = self._stream_end + 2 * rows + TIMING.matmul_done
        return start - active + (blocks - 1) * (period - m), done
