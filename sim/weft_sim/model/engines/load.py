"""The load engine: memory to scratchpad."""

from __future__ import annotations

from weft_hw.isa import Status

from ..decode import Command
from ..memory import WINDOW_READ
from ..timing import TIMING
from .dma import DmaEngine

__all__ = ["LoadEngine"]


class LoadEngine(DmaEngine):
    """Read requests out, data into scratchpad rows; the rest of a row's last one becomes zero."""

    access = WINDOW_READ

    def begin(self, command: Command) -> None:
        f = command.fields
        now = self.events.now
        latency = TIMING.dma_start + self.tile.dram.latency_cycles + TIMING.dma_done
        refusal = self.first_refusal(f)
        if refusal is not None:
            _, address, status = refusal
            self.end_at(now + latency, command, status, address)
            return
        flits = f.rows * self.local_rows(f)
        self.tile.statistics["bytes_read"] += f.rows * f.row_bytes
        self.tile.statistics["beats_read"] += flits
        self.accept_at(now + flits)
        self.end_at(now + latency + flits, command, Status.OK)

    def execute(self, command: Command) -> None:
        f, tile = command.fields, self.tile
        local_rows = self.local_rows(f)
        source = tile.memory.rows(f.memory_address, f.memory_stride, f.rows, f.row_bytes)
        width = tile.config.tile.row_bytes
        target = tile.scratchpad.view(f.local_row, (f.rows, f.local_stride), (local_rows, 1))
        whole, rest = divmod(f.row_bytes, width)
        if f.local_stride >= local_rows:
            target[:, :whole] = source[:, : whole * width].reshape(f.rows, whole, width)
            if rest:
                target[:, whole, :rest] = source[:, whole * width :]
                target[:, whole, rest:] = 0
            return
        for row in range(f.rows):
            flat = target[row].reshape(-1)
            flat[: f.row_bytes] = source[row]
            flat[f.row_bytes :] = 0
        tile.counters.bytes_loaded += f.rows * f.row_bytes
