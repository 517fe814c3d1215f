"""What the load and the store engine share: walks to requests, and the ring of those in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..decode import Command
from ..network import Way, endpoint_node, tile_node
from ..requests import Request, Walk
from ..timing import TIMING
from .base import Engine

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["DmaEngine", "Job"]


class Job:
    """A command in the engine. ``clean``: no request of it can be refused."""

    __slots__ = ("address", "clean", "command", "issue_from", "requests", "status", "walk")

    def __init__(self, command: Command, walk: Walk | None, clean: bool, issue_from: int) -> None:
        self.command = command
        self.walk = walk
        self.clean = clean
        self.issue_from = issue_from
        self.requests: Iterator[Request] = iter(walk) if walk is not None else iter(())
        self.status = Status.OK
        self.address = 0


class _Entry:
    """An entry of the ring: a request, or the end of a command that could not go on."""

    __slots__ = ("address", "job", "last", "request", "status")

    def __init__(
        self, job: Job, request: Request | None, status: Status, address: int, last: bool
    ) -> None:
        self.job = job
        self.request = request
        self.status = status
        self.address = address
        self.last = last


class DmaEngine(Engine):
    """Issues a request a cycle while the ring has room; entries leave in order (``dma/ring.py``).

    One command issues, one more waits in the decoder; any number wait for their last responses.
    """

    #: window right that its requests need, requests in flight, cycles from hand-over to a request
    access: int
    depth: int
    first_request: int

    def __init__(self, tile: Tile, front: FrontEnd) -> None:
        super().__init__(tile, front)
        self._ring: deque[_Entry] = deque()
        self._issuing: Job | None = None
        self._decoding: Job | None = None
        self._issue_at = -1
        self._flit = tile.config.flit_bytes

    # --- commands in --------------------------------------------------------------------------

    def ready(self) -> bool:
        return (
            self._decoding is None
            and len(self.front.inside) < self.tile.config.tile.command_queue_depth
        )

    def start(self, command: Command) -> None:
        issue_from = self.events.now + self.first_request
        f = command.fields
        legal = f.rows and f.row_bytes and f.endpoint < self.tile.config.mesh.memory_endpoints
        walk = Walk(f, self.tile.config) if legal else None
        self._decoding = Job(
            command, walk, walk is not None and self._is_clean(command), issue_from
        )
        self._take_walk()

    def _is_clean(self, command: Command) -> bool:
        f = command.fields
        extent = (f.rows - 1) * f.memory_stride + f.row_bytes
        row_flits = -(-f.row_bytes // self._flit)
        walks = ((f.rows, f.local_stride), (row_flits, 1))
        aligned = f.memory_address - f.memory_address % self._flit
        span = f.memory_address + extent - aligned
        return (
            self.tile.scratchpad.holds(f.local_row, *walks)
            and self.tile.windows.grants(f.memory_address, extent, self.access)
            and not self.tile.memory.fails(aligned, -(-span // self._flit) * self._flit)
        )

    def _take_walk(self) -> None:
        """The decoder's command becomes the one that issues, two cycles after its hand-over."""
        job = self._decoding
        if self._issuing is not None or job is None:
            return
        decoded = job.issue_from - self.first_request + TIMING.dma_decode
        if self.events.now < decoded:
            self.events.at(decoded, self._take_walk)
            return
        self._issuing, self._decoding = job, None
        job.issue_from = max(job.issue_from, self.events.now + 1)
        self._wake_issue(job.issue_from)
        self.events.at(self.events.now, self.front.offer)

    # --- requests out -------------------------------------------------------------------------

    def _wake_issue(self, cycle: int) -> None:
        """Looks at the next request in ``cycle``, unless it will look earlier."""
        if self._issue_at < 0 or cycle < self._issue_at:
            self._issue_at = cycle
            self.events.at(cycle, self._issue, cycle)

    def _issue(self, planned: int) -> None:
        if planned != self._issue_at:
            return
        self._issue_at = -1
        job = self._issuing
        now = self.events.now
        if job is None or len(self._ring) >= self.depth:
            return
        if now < job.issue_from:
            self._wake_issue(job.issue_from)
            return
        if self.tile.aborting:
            self._finish_walk(job, Status.ABORTED, 0)
            return
        if job.status is not Status.OK:
            self._finish_walk(job, Status.ABORTED, 0)
            return
        if job.walk is None:
            self._finish_walk(job, Status.ILLEGAL_FIELD, 0)
            return
        request = next(job.requests, None)
        if request is None:
            assert job.walk.fault is not None
            self._finish_walk(job, *job.walk.fault)
            return
        if not job.clean:
            request.status = self._verdict(request)
        self._ring.append(_Entry(job, request, Status.OK, request.address, request.last))
        request.answered = partial(self._answered, request)
        request.back = self._way_back(job)
        free = self.send(job, request)
        if request.last:
            self._issuing = None
            self._take_walk()
        if self._issuing is not None:
            self._wake_issue(max(free, self._issuing.issue_from, now + 1))

    def _finish_walk(self, job: Job, status: Status, address: int) -> None:
        """The walk ends without a request."""
        self._ring.append(_Entry(job, None, status, address, True))
        self._issuing = None
        self.events.after(1, self._leave)
        self._take_walk()

    def send(self, job: Job, request: Request) -> int:
        """Sends a request; the cycle from which the next can go."""
        raise NotImplementedError

    def _way_back(self, job: Job) -> Way:
        chip = self.tile.chip
        source = endpoint_node(job.command.fields.endpoint)
        return chip.network.way("response", source, tile_node(self.tile.x, self.tile.y))

    def _verdict(self, request: Request) -> Status:
        """What the endpoint or the memory says to a request."""
        if not self.tile.windows.grants(request.address, request.length, self.access):
            return Status.WINDOW
        if any(self.tile.memory.fails(*piece[2:]) for piece in request.pieces(self._flit)):
            return Status.BUS
        return Status.OK

    # --- responses ----------------------------------------------------------------------------

    def _answered(self, request: Request) -> None:
        request.done = True
        if self._ring[0].request is request:
            self._leave()

    def _leave(self) -> None:
        """Entries leave the ring in order; the last of a command ends it."""
        ring = self._ring
        was_full = len(ring) >= self.depth
        while ring and (ring[0].request is None or ring[0].request.done):
            entry = ring.popleft()
            job, request = entry.job, entry.request
            status = entry.status if request is None else request.status
            if request is not None:
                if not job.clean:
                    self.move(request)
                if status is Status.OK:
                    self.count(request.length)
            if status is not Status.OK and job.status is Status.OK:
                job.status, job.address = status, entry.address
            if entry.last:
                self._end_job(job)
        if self._issuing is not None and was_full:
            self._wake_issue(self.events.now + 1)

    def _end_job(self, job: Job) -> None:
        if job.status is Status.OK and job.clean:
            self.execute(job.command)
        self.front.done(job.command, job.status, job.address)

    def move(self, request: Request) -> None:
        """Moves the bytes of one request of a transfer of which some are refused."""
        raise NotImplementedError

    def count(self, length: int) -> None:
        """Adds the bytes of a request that succeeded to the tile's counter."""
        raise NotImplementedError

    def abort(self) -> None:
        """Ends the walks; what is in flight comes back by itself."""
        if self._issuing is not None:
            self._wake_issue(self.events.now + 1)
