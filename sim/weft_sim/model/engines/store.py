"""The store engine: scratchpad to memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from weft_hw.isa import Status

from ..decode import Command
from ..memory import WINDOW_WRITE
from ..multicast import Tree
from ..requests import Request, Shape, Walk
from ..route import Route
from ..strips import StripWalk
from ..timing import TIMING
from ..walks import TensorWalk
from .dma import DmaEngine
from .job import Job
from .row_reader import RowReader
from .tile_store import TileRequest, TileStore
from .traffic import ArrayTraffic

if TYPE_CHECKING:
    from ..endpoint import Endpoint
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["StoreEngine"]

#: dma/store.py _HEADERS: packets whose data may be read ahead of their headers.
_HEADERS = 4


class _Header(NamedTuple):
    """A packet whose data is read: how it is sent, its data flits, when its header is ready at the
    earliest.
    """

    send: Callable[[], None]
    flits: int
    ready: int
    endpoint: Endpoint
    way: Route | Tree


class StoreEngine(DmaEngine):
    """Write requests with their data out, acknowledgements back; exactly ``row_bytes`` a row."""

    access = WINDOW_WRITE
    is_load = False

    def __init__(self, tile: Tile, front: FrontEnd, traffic: ArrayTraffic) -> None:
        super().__init__(tile, front)
        self.depth = tile.config.tile.store_requests
        self.settle_cycles = TIMING.store_settle
        self._length = tile.chip.network.request_header_flits
        self._headers: deque[_Header] = deque()
        #: a header is being offered, or its data follows it
        self._in_data = False
        #: the packet whose data leaves: way and data flits; the flit of it asked for last
        self._leaving: tuple[Route | Tree, int] | None = None
        self._watched = -1
        #: when the packet to memory is offered, and when the one before it was taken
        self._offered_from = 0
        self._entered_at = -1
        self._order: deque[Command] = deque()
        self._ends: dict[int, tuple[Status, int]] = {}
        self.reader = RowReader(traffic)
        self.tiles = TileStore(self)

    # --- commands -----------------------------------------------------------------------------

    def _is_to_tiles(self, command: Command) -> bool:
        return bool(command.fields.to_tiles) and self.tile.config.mesh.tiles > 1

    def ready(self) -> bool:
        command = self.front.command
        if command is None or not self._is_to_tiles(command):
            return super().ready()
        return self.tiles.ready and self._has_place

    def start(self, command: Command) -> None:
        self._order.append(command)
        if self._is_to_tiles(command):
            self.tiles.start(command)
        else:
            super().start(command)

    def walk(self, command: Command) -> Walk | TensorWalk | StripWalk | None:
        # a chip with one tile has no tiles to store to
        return None if command.fields.to_tiles else super().walk(command)

    def ended(self, command: Command, status: Status, address: int) -> None:
        """Ends are given in the order of the commands, whichever way they went."""
        self._ends[command.index] = status, address
        while self._order and self._order[0].index in self._ends:
            first = self._order.popleft()
            self.front.done(first, *self._ends.pop(first.index))

    def left(self, command: Command) -> None:
        if self._is_to_tiles(command):
            self.tiles.left()
        else:
            super().left(command)

    def tiles_ended(self, command: Command, status: Status, address: int) -> None:
        """A store to tiles has ended."""
        self.ended(command, status, address)

    # --- requests -----------------------------------------------------------------------------

    def _make_ready(self) -> None:
        before = self._offered
        super()._make_ready()
        if self._offered is not before:
            self._offered_from = self.events.now + 1

    def offer(self, job: Job, request: Request) -> None:
        now = self.events.now
        free_from = self._free_from()
        if free_from is None:
            return
        if free_from > now:
            self.wake_offer(free_from)
            return
        self.enter(job, request)
        self._entered_at = now
        request.arrives = partial(self.tile.load.acknowledge, request)
        endpoint = self.tile.chip.endpoints[job.command.fields.endpoint]
        self.reader.read(now, request.row, request.flits)
        send = partial(self._send, job, request, endpoint)
        self._queue(_Header(send, request.flits, self.reader.ready(), endpoint, job.out))
        self.taken_at(now)

    def _free_from(self) -> int | None:
        """The cycle in which the reader takes a packet; None if that is not known yet."""
        if len(self._headers) >= _HEADERS:
            return None
        free_from = self.reader.free_from()
        if free_from is None and self._leaving is not None:
            flit, (way, flits) = self.reader.awaited, self._leaving
            if self._watched < flit < flits:
                # it may have a place in the mesh long before the last one of its packet
                self._watched = flit
                way.watch(self._length + flit, partial(self._leaves, flit))
                free_from = self.reader.free_from()
        return free_from

    def _leaves(self, flit: int, cycle: int) -> None:
        """The data flit that is waited for leaves in that cycle."""
        self.reader.leaves(flit, cycle)
        self._wake(cycle + 1)

    def _wake(self, cycle: int) -> None:
        """Looks at what is offered in ``cycle``."""
        self.wake_offer(cycle)
        self.events.at(cycle, self.tiles.look)

    def _queue(self, header: _Header) -> None:
        self._headers.append(header)
        if not self._in_data:
            self._next_header()

    def _offer_header(self) -> None:
        """The oldest packet's header is ready."""
        header = self._headers[0]
        if len(self._headers) == 1 and header.flits:
            # it may have been held up since
            ready = self.reader.ready()
            if ready > self.events.now:
                self.events.at(ready, self._offer_header)
                return
        client = self.front.id.value
        self.tile.requests.offer(client, self._send_header, header.endpoint, header.way)

    def _send_header(self) -> None:
        header = self._headers[0]
        self.tile.counters.request_flits += self._length + header.flits
        header.send()
        self._wait_sent(header)

    def _send(self, job: Job, request: Request, endpoint: Endpoint) -> None:
        length, now = self._length, self.events.now
        self.tile.counters.response_flits += self.tile.chip.network.response_header_flits
        data = self.reader.sends(now + length, request.flits)
        job.out.send(
            now,
            length + request.flits,
            lambda head: self.events.at(head + length - 1, endpoint.write, request),
            (length, self.header_sent),
            [(length + flit, cycle) for flit, cycle in data],
        )

    def header_sent(self, cycle: int) -> None:
        """The sender takes the last flit of the oldest header in ``cycle``."""
        header = self._headers[0]
        self.events.at(cycle, self._drop_header)
        self._leaving = (header.way, header.flits) if header.flits else None
        self._watched = -1
        self._wake(cycle + 1)

    def _drop_header(self) -> None:
        self._headers.popleft()

    def _wait_sent(self, header: _Header) -> None:
        link = header.way.sender
        if link.held:
            link.waiters.append(partial(self._wait_sent, header))
            return
        self._leaving = None
        if header.flits:
            self.reader.sent(link.free - header.flits, header.flits)
            self._wake(self.events.now + 1)
        self.events.at(link.free, self._next_header)

    def _next_header(self) -> None:
        """The data of a packet has left: the next header, once it is ready."""
        self._in_data = bool(self._headers)
        if self._in_data:
            self.events.at(self._headers[0].ready, self._offer_header)

    # --- packets to tiles ---------------------------------------------------------------------

    def room_for_tiles(self, rows: int) -> int | None:
        """The cycle in which a packet to tiles is taken; None if that is not known yet. Packets to
        memory go first.
        """
        now = self.events.now
        if now == self._entered_at or (self._offers and self.has_room):
            return now + 1
        if not rows:
            return None if len(self._headers) >= _HEADERS else now
        return self._free_from()

    @property
    def _offers(self) -> bool:
        """Whether a packet to memory is offered in this cycle, if the ring has room for it."""
        offers = self._offered is not None and self._offered[1] is not None
        return offers and self.events.now >= self._offered_from

    def send_to_tiles(self, request: TileRequest, way: Tree) -> None:
        """A packet to tiles, for which there is room."""
        now, packet = self.events.now, request.packet
        assert packet is not None
        ready = now + TIMING.store_empty_header
        if packet.rows:
            self.reader.read(now, packet.row, packet.rows)
            ready = self.reader.ready()
        send = partial(self.tiles.send, request)
        self._queue(_Header(send, packet.rows, ready, self.tile.chip.endpoints[0], way))

    # --- bytes --------------------------------------------------------------------------------

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

    def signature(self, job: Job) -> tuple[bool, Shape] | None:
        if self.reader.meets_others(job.banks(self.tile.scratchpad), self.tile.events.now):
            return None
        return super().signature(job)

    def count_all(self, job: Job) -> None:
        assert isinstance(job.walk, Walk)
        shape, network = job.walk.shape, self.tile.chip.network
        counters, counts = self.tile.counters, self.tile.chip.counts
        size = job.walk.rows * job.walk.row_bytes
        counters.bytes_stored += size
        counters.request_flits += len(shape.requests) * network.request_header_flits
        counters.request_flits += shape.flits
        counters.response_flits += len(shape.requests) * network.response_header_flits
        counts["beats_written"] += shape.beats
        counts["bytes_written"] += size

    def count(self, length: int) -> None:
        self.tile.counters.bytes_stored += length
