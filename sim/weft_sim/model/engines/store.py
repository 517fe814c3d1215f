"""The store engine: scratchpad to memory."""

from __future__ import annotations

from itertools import islice

from weft_hw.isa import Status

from ..decode import Command
from ..memory import WINDOW_WRITE
from ..timing import TIMING
from .dma import DmaEngine

__all__ = ["StoreEngine"]


class StoreEngine(DmaEngine):
    """Write requests with their data out, acknowledgements back; exactly ``row_bytes`` a row."""

    access = WINDOW_WRITE

    def begin(self, command: Command) -> None:
        f = command.fields
        now = self.events.now
        latency = TIMING.dma_start + self.tile.dram.latency_cycles + TIMING.dma_done
        refusal = self.first_refusal(f)
        if refusal is not None:
            number, address, status = refusal
            self._write(command, number)
            self.end_at(now + latency, command, status, address)
            return
        flits = f.rows * self.local_rows(f)
        self.tile.statistics["bytes_written"] += f.rows * f.row_bytes
        self.tile.statistics["beats_written"] += flits
        self.accept_at(now + flits)
        end = now + latency + flits
        self.tile.statistics["last_write_response_cycle"] = end
        self.end_at(end, command, Status.OK)

    def execute(self, command: Command) -> None:
        f, tile = command.fields, self.tile
        local_rows = self.local_rows(f)
        if f.memory_stride < f.row_bytes and f.rows > 1:
            self._write(command, self.request_count(f))
            return
        source = tile.scratchpad.view(f.local_row, (f.rows, f.local_stride), (local_rows, 1))
        source = source.reshape(f.rows, -1)[:, : f.row_bytes]
        tile.memory.rows(f.memory_address, f.memory_stride, f.rows, f.row_bytes)[...] = source

    def _write(self, command: Command, count: int) -> None:
        """The first ``count`` requests, one after the other (rows may overlap in memory)."""
        f, tile = command.fields, self.tile
        packet = tile.config.mesh.max_packet_bytes
        per_row = -(-f.row_bytes // packet)
        for number, (address, length) in enumerate(islice(self.requests(f), count)):
            row, chunk = divmod(number, per_row)
            first = f.local_row + row * f.local_stride
            data = tile.scratchpad.data[first : first + self.local_rows(f)].reshape(-1)
            tile.memory.write(address, data[chunk * packet : chunk * packet + length].tobytes())
