"""Stores to tiles (``dma/tile_transfer.py``): packets out, acknowledgements of all tiles back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from weft_hw.dma.tile_transfer import TILE_REQUESTS
from weft_hw.isa import Status

from ..decode import Command
from ..events import Events
from ..multicast import Tree, rectangle_of
from ..network import tile_node
from ..tile_walk import TilePacket, TileWalk
from ..timing import TIMING

if TYPE_CHECKING:
    from ..tile import Tile
    from .store import StoreEngine

__all__ = ["TileRequest", "TileStore"]


class _Job:
    """A command in the path."""

    def __init__(self, command: Command, walk: TileWalk, way: Tree | None) -> None:
        self.command = command
        self.walk = walk
        self.way = way
        self.packets: Iterator[TilePacket] = iter(walk)
        self.status = Status.OK
        self.address = 0


class TileRequest:
    """A packet in flight; ``left`` tiles have not acknowledged it. None as ``packet``: the end of a
    command that could not go on.
    """

    def __init__(self, job: _Job, packet: TilePacket | None, status: Status, address: int) -> None:
        self.job = job
        self.packet = packet
        self.status = status
        self.address = address
        self.left = 0 if packet is None else job.walk.tiles
        self.last = packet is None or packet.last


class TileStore:
    """The way of a store engine to tiles: its own walk and ring; reader and headers are shared."""

    def __init__(self, engine: StoreEngine) -> None:
        self.engine = engine
        self.events: Events = engine.tile.chip.events
        self._job: _Job | None = None
        self._offered: tuple[_Job, TilePacket | None] | None = None
        self._ring: deque[TileRequest] = deque()
        self._free_from = 0
        self._left_at = -1
        #: the oldest entry ends its command, and stays until that is taken
        self._ending = False

    @property
    def ready(self) -> bool:
        """Whether a command is taken now."""
        return self._job is None and self.events.now >= self._free_from

    def start(self, command: Command) -> None:
        """A command taken now."""
        tile = self.engine.tile
        walk = TileWalk(command.fields, tile.config)
        way = None
        if walk.fault is None:
            way = tile.chip.network.tree(tile.x, tile.y, rectangle_of(command.fields))
        self._job = _Job(command, walk, way)
        self.events.after(TIMING.tile_walk, self._make)

    # --- packets out --------------------------------------------------------------------------

    def _make(self) -> None:
        """The next access is made, and offered from the next cycle on."""
        job = self._job
        if job is None or self._offered is not None:
            return
        stopped = self.engine.tile.aborting or job.status is not Status.OK
        packet = None if stopped else next(job.packets, None)
        self._offered = job, packet
        if packet is None or packet.last:
            self._job = None
            self._free_from = self.events.now + 1
            self.events.after(1, self.engine.front.offer)
        self.events.after(1, self.look)

    def look(self) -> None:
        """Takes the access offered if there is room for it."""
        if self._offered is None or len(self._ring) >= TILE_REQUESTS:
            return
        job, packet = self._offered
        if packet is None:
            self._ring.append(TileRequest(job, None, *self._fault(job)))
            self.events.after(1, self._leave)
        else:
            wait = self.engine.room_for_tiles(packet.rows)
            if wait is None:
                return
            if wait > self.events.now:
                self.events.at(wait, self.look)
                return
            request = TileRequest(job, packet, Status.OK, 0)
            self._ring.append(request)
            assert job.way is not None
            self.engine.send_to_tiles(request, job.way)
        self._offered = None
        self._make()

    def _fault(self, job: _Job) -> tuple[Status, int]:
        if self.engine.tile.aborting or job.status is not Status.OK or job.walk.fault is None:
            return Status.ABORTED, 0
        return job.walk.fault

    def send(self, request: TileRequest) -> None:
        """The header of a packet leaves now."""
        tile, packet, way = self.engine.tile, request.packet, request.job.way
        assert packet is not None
        assert way is not None
        header = tile.chip.network.request_header_flits
        raw = tile.scratchpad.data[packet.row : packet.row + packet.rows].copy()
        raw.reshape(-1)[packet.length :] = 0

        def deliver(x: int, y: int, last: int, release: Callable[[int], None]) -> None:
            target = tile.chip.tile_at(x, y)
            assert target is not None
            row, rows = packet.remote_row, packet.rows
            if rows and target.load.banks_written & target.scratchpad.banks_of(row, row + rows - 1):
                arrive = range(last - rows + 1, last + 1)
                self.events.at(last, self._give_way, request, target, raw, release, arrive, 0)
                return
            release(last + 1)
            self.events.at(last, self._write, request, target, raw)

        data = self.engine.reader.sends(self.events.now + header, packet.rows)
        way.send(
            self.events.now,
            header + packet.rows,
            deliver,
            (header, self.engine.header_sent),
            [(header + flit, cycle) for flit, cycle in data],
        )

    def _give_way(
        self,
        request: TileRequest,
        target: Tile,
        raw: np.ndarray,
        release: Callable[[int], None],
        arrive: range,
        ask: int,
    ) -> None:
        """Rows that arrive in the given cycles, the first of them not written before ``ask``, are
        written when the loads of the tile leave their banks alone.
        """
        packet, loads = request.packet, target.load_writes
        assert packet is not None
        while arrive:
            row = packet.remote_row + packet.rows - len(arrive)
            granted = loads.write_from(row, max(ask, arrive[0]))
            if granted > loads.known_until:
                look = max(granted - 1, self.events.now + 1)
                self.events.at(look, self._give_way, request, target, raw, release, arrive, granted)
                return
            arrive, ask = arrive[1:], granted + 1
        release(ask)
        self.events.at(ask - 1, self._write, request, target, raw)

    def _write(self, request: TileRequest, target: Tile, raw: np.ndarray) -> None:
        """The last row of a packet is written in a tile (``tile/remote_writer.py``)."""
        packet = request.packet
        assert packet is not None
        target.scratchpad.data[packet.remote_row : packet.remote_row + packet.rows] = raw
        if packet.signal:
            self.events.after(1, self._signal, request, target)
        else:
            self._acknowledge(request, target, Status.OK)

    def _signal(self, request: TileRequest, target: Tile) -> None:
        packet = request.packet
        assert packet is not None
        given = target.semaphores.signal(packet.signal)
        self._acknowledge(request, target, Status.OK if given else Status.SEMAPHORE_OVERFLOW)

    def _acknowledge(self, request: TileRequest, target: Tile, status: Status) -> None:
        """An acknowledgement is offered in the next cycle."""
        tile, network = self.engine.tile, self.engine.tile.chip.network
        here, there = tile_node(target.x, target.y), tile_node(tile.x, tile.y)
        flits = network.response_header_flits
        network.outbox("response", here).post(
            self.events.now + 1,
            network.route("response", here, there),
            flits,
            lambda head: self.events.at(head + flits - 1, self._acknowledged, request, status),
        )

    # --- acknowledgements ---------------------------------------------------------------------

    def _acknowledged(self, request: TileRequest, status: Status) -> None:
        counters = self.engine.tile.counters
        counters.response_flits += self.engine.tile.chip.network.response_header_flits
        request.left -= 1
        if request.status is Status.OK:
            request.status = status
        if not request.left and self._ring[0] is request:
            self.events.after(TIMING.store_settle, self._leave)

    def _leave(self) -> None:
        """Entries leave in order, one a cycle; the last of a command ends it."""
        ring, now = self._ring, self.events.now
        if self._ending or not ring or ring[0].left or self._left_at == now:
            return
        entry = ring[0]
        job = entry.job
        if entry.status is Status.OK and entry.packet is not None:
            self.engine.count(entry.packet.length)
        elif job.status is Status.OK:
            job.status, job.address = entry.status, entry.address
        self._ending = entry.last
        if entry.last:
            self.engine.tiles_ended(job.command, job.status, job.address)
        else:
            self._drop()

    def left(self) -> None:
        """The end of the oldest command has been taken."""
        self._ending = False
        self._drop()

    def _drop(self) -> None:
        ring = self._ring
        ring.popleft()
        self._left_at = self.events.now
        if ring and not ring[0].left:
            self.events.after(1, self._leave)
        if self._offered is not None:
            self.events.after(1, self.look)
