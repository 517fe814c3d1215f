"""The store engine: scratchpad to memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..decode import Command
from ..memory import WINDOW_WRITE
from ..requests import Request
from ..timing import TIMING
from .dma import DmaEngine, Job
from .row_reader import RowReader
from .traffic import ArrayTraffic

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["StoreEngine"]

#: dma/store.py _HEADERS: packets whose data may be read ahead of their headers.
_HEADERS = 4


class StoreEngine(DmaEngine):
    """Write requests with their data out, acknowledgements back; exactly ``row_bytes`` a row."""

    access = WINDOW_WRITE

    def __init__(self, tile: Tile, front: FrontEnd, traffic: ArrayTraffic) -> None:
        super().__init__(tile, front)
        self.depth = tile.config.tile.store_requests
        self.settle_cycles = TIMING.store_settle
        self._headers: deque[tuple[Job, Request, int]] = deque()
        self.reader = RowReader(traffic)

    def offer(self, job: Job, request: Request) -> None:
        now = self.events.now
        free_from = None if len(self._headers) >= _HEADERS else self.reader.free_from()
        if free_from is None:
            return
        if free_from > now:
            self.wake_offer(free_from)
            return
        self.enter(job, request)
        ready = now + TIMING.store_header + self.reader.read(now, request.row, request.flits)
        self._headers.append((job, request, ready))
        if len(self._headers) == 1:
            self.events.at(ready, self._offer_header)
        self.taken_at(now)

    def _offer_header(self) -> None:
        """The oldest packet's header is ready."""
        job, _, _ = self._headers[0]
        endpoint = self.tile.chip.endpoints[job.command.fields.endpoint]
        self.tile.requests.offer(self.front.id.value, self._send, endpoint, job.out)

    def _send(self) -> None:
        job, request, _ = self._headers.popleft()
        chip, counters, now = self.tile.chip, self.tile.counters, self.events.now
        header = chip.network.request_header_flits
        flits = header + request.flits
        endpoint = chip.endpoints[job.command.fields.endpoint]
        self.reader.sent(now + header, request.flits)
        counters.request_flits += flits
        counters.response_flits += chip.network.response_header_flits
        self.wake_offer(now + 1)
        if self._headers:
            self.events.at(max(now + flits, self._headers[0][2]), self._offer_header)
        job.out.send(
            now, flits, lambda head: self.events.at(head + header - 1, endpoint.write, request)
        )

    def execute(self, command: Command) -> None:
        f, tile = command.fields, self.tile
        local_rows = -(-f.row_bytes // tile.config.tile.row_bytes)
        source = tile.scratchpad.view(f.local_row, (f.rows, f.local_stride), (local_rows, 1))
        source = source.reshape(f.rows, -1)[:, : f.row_bytes]
        target = tile.memory.rows(f.memory_address, f.memory_stride, f.rows, f.row_bytes)
        if f.memory_stride >= f.row_bytes or f.rows == 1:
            target[...] = source
            return
        for row in range(f.rows):
            target[row] = source[row]

    def move(self, request: Request) -> None:
        tile = self.tile
        if request.status is Status.WINDOW:
            return
        rows = tile.scratchpad.data[request.row : request.row + request.flits].reshape(-1)
        for start, length, *aligned in request.pieces(tile.config.flit_bytes):
            if not tile.memory.fails(*aligned):
                offset = start - request.address
                tile.memory.write(start, rows[offset : offset + length].tobytes())

    def count(self, length: int) -> None:
        self.tile.counters.bytes_stored += length
