"""The store engine: scratchpad to memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..decode import Command
from ..memory import WINDOW_WRITE
from ..network import endpoint_node, tile_node
from ..requests import Request
from ..timing import TIMING
from .dma import DmaEngine, Job

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["StoreEngine"]


class StoreEngine(DmaEngine):
    """Write requests with their data out, acknowledgements back; exactly ``row_bytes`` a row."""

    access = WINDOW_WRITE
    first_request = TIMING.store_first_request

    def __init__(self, tile: Tile, front: FrontEnd) -> None:
        super().__init__(tile, front)
        self.depth = tile.config.tile.store_requests

    def send(self, job: Job, request: Request) -> int:
        chip, tile = self.tile.chip, self.tile
        number = job.command.fields.endpoint
        way = chip.network.way("request", tile_node(tile.x, tile.y), endpoint_node(number))
        header = chip.network.request_header_flits
        flits = header + request.flits
        head = way.send(self.events.now, flits)
        tile.counters.request_flits += flits
        tile.counters.response_flits += chip.network.response_header_flits
        request.settle = TIMING.store_settle
        self.events.at(head + header - 1, chip.endpoints[number].write, request)
        return way.free

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
