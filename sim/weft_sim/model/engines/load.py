"""The load engine: memory to scratchpad."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..decode import Command
from ..memory import WINDOW_READ
from ..requests import Request
from ..timing import TIMING
from .dma import DmaEngine, Job

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["LoadEngine"]


class LoadEngine(DmaEngine):
    """Read requests out, data into scratchpad rows; the rest of a row's last one becomes zero."""

    access = WINDOW_READ

    def __init__(self, tile: Tile, front: FrontEnd) -> None:
        super().__init__(tile, front)
        self.depth = tile.config.tile.load_requests

    def offer(self, job: Job, request: Request) -> None:
        self.tile.requests.offer(self.front.id.value, partial(self._send, job, request))

    def _send(self, job: Job, request: Request) -> None:
        chip, counters = self.tile.chip, self.tile.counters
        flits = chip.network.request_header_flits
        self.allocate(job, request, self.events.now + flits - 1)
        head = job.out.send(self.events.now, flits)
        counters.request_flits += flits
        counters.response_flits += chip.network.response_header_flits
        if request.status is Status.OK:
            counters.response_flits += request.flits
        request.settle = TIMING.load_settle
        endpoint = chip.endpoints[job.command.fields.endpoint]
        self.events.at(head + flits - 1, endpoint.read, request)

    def execute(self, command: Command) -> None:
        f, tile = command.fields, self.tile
        width = tile.config.tile.row_bytes
        local_rows = -(-f.row_bytes // width)
        source = tile.memory.rows(f.memory_address, f.memory_stride, f.rows, f.row_bytes)
        target = tile.scratchpad.view(f.local_row, (f.rows, f.local_stride), (local_rows, 1))
        whole, rest = divmod(f.row_bytes, width)
        if f.local_stride >= local_rows or f.rows == 1:
            if whole:
                shape = (f.rows, whole, width)
                target[:, :whole] = source[:, : whole * width].reshape(shape)
            if rest:
                target[:, whole, :rest] = source[:, whole * width :]
                target[:, whole, rest:] = 0
            return
        for row in range(f.rows):
            self._put(f.local_row + row * f.local_stride, source[row].tobytes())

    def move(self, request: Request) -> None:
        if request.status is Status.OK:
            self._put(request.row, self.tile.memory.read(request.address, request.length))

    def _put(self, row: int, raw: bytes) -> None:
        """Bytes from the start of a scratchpad row on, the last row filled with zeros."""
        width = self.tile.config.tile.row_bytes
        rows = -(-len(raw) // width)
        flat = self.tile.scratchpad.data[row : row + rows].reshape(-1)
        flat[: len(raw)] = memoryview(raw)
        flat[len(raw) :] = 0

    def count(self, length: int) -> None:
        self.tile.counters.bytes_loaded += length
