"""What the load and the store engine share: walks to requests, and the ring of those in flight."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from weft_hw.isa import Status

from ..decode import Command
from ..network import endpoint_node, tile_node
from ..requests import Request, Shape, Walk
from ..strips import StripWalk
from ..timing import TIMING
from ..transfers import ENDED, FREED
from ..walks import TensorWalk
from .base import Engine
from .job import Entry, Job

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["DmaEngine"]


class DmaEngine(Engine):
    """Offers a request a cycle while the ring has room; entries leave in order (``dma/ring.py``).

    A command is decoded, then walked (``dma/pattern.py``: one access is offered while the next is
    made ready); any number of commands wait for their last responses.
    """

    #: window right that its requests need, requests in flight, cycles from a response to the ring
    access: int
    depth: int
    settle_cycles: int
    is_load: bool

    def __init__(self, tile: Tile, front: FrontEnd) -> None:
        super().__init__(tile, front)
        self.events = tile.chip.dma_events
        self._accepts = True
        self._ring: deque[Entry] = deque()
        self._decoding: Job | None = None
        self._walking: Job | None = None
        self._walk_from = 0
        self._offered: tuple[Job, Request | None] | None = None
        self._offer_at = self._left_at = -1
        self._sending = False
        #: the oldest entry ends its command, and stays until that is taken
        self._ending = False
        self._flit = tile.config.flit_bytes

    # --- commands in --------------------------------------------------------------------------

    def ready(self) -> bool:
        return self._accepts and self._has_place

    @property
    def _has_place(self) -> bool:
        """Whether the engine holds fewer commands than it can."""
        return len(self.front.inside) < self.tile.config.tile.command_queue_depth

    def start(self, command: Command) -> None:
        network = self.tile.chip.network
        walk = self.walk(command)
        here = tile_node(self.tile.x, self.tile.y)
        there = endpoint_node(0 if walk is None else getattr(command.fields, "endpoint", 0))
        ways = network.route("request", here, there), network.route("response", there, here)
        transfers, now = self.tile.chip.transfers, self.tile.events.now
        clean = walk is not None and self.is_clean(command, walk)
        job = Job(command, walk, clean, now + TIMING.dma_decode, ways)
        self._accepts = False
        self.begun(job)
        if transfers is None:
            self.go(job)
        else:
            transfers.begin(self, job)

    def begun(self, job: Job) -> None:
        """A command has been taken."""

    def go(self, job: Job) -> None:
        """The machine takes a command now."""
        self._decoding = job
        self.events.at(job.decoded, self._take_walk)

    def freed(self) -> None:
        """The decoder is free."""
        self._accepts = True
        self.tile.events.at(self.tile.events.now, self.front.offer)

    def signature(self, job: Job) -> tuple[bool, Shape] | None:
        """All that the cycles of a command depend on; None if that is more."""
        if not job.clean or self.tile.aborting or type(job.walk) is not Walk:
            return None
        return self.is_load, job.walk.shape

    @abstractmethod
    def count_all(self, job: Job) -> None:
        """Counts all requests of a command that has ended well."""

    def walk(self, command: Command) -> Walk | TensorWalk | StripWalk | None:
        """What the command asks for; None if it is illegal."""
        f, config = command.fields, self.tile.config
        legal = f.rows and f.row_bytes and f.endpoint < config.mesh.memory_endpoints
        return Walk(f, config) if legal else None

    def is_clean(self, command: Command, walk: Walk | TensorWalk | StripWalk) -> bool:
        """Whether it is known that no request of a walk will be refused."""
        f = command.fields
        end = f.memory_address + (f.rows - 1) * f.memory_stride + f.row_bytes
        row_flits = -(-f.row_bytes // self._flit)
        holds = self.tile.scratchpad.holds(f.local_row, (f.rows, f.local_stride), (row_flits, 1))
        return holds and self.grants(f.memory_address, end)

    def grants(self, first: int, end: int) -> bool:
        """Whether no access to memory bytes ``first`` to ``end - 1`` will be refused."""
        aligned = first - first % self._flit
        span = -(-(end - aligned) // self._flit) * self._flit
        return self.tile.windows.grants(first, end - first, self.access) and not (
            self.tile.memory.fails(aligned, span)
        )

    def _take_walk(self) -> None:
        """The decoder's command is walked from the next cycle on."""
        job = self._decoding
        if self._walking is not None or job is None or self.events.now < job.decoded:
            return
        self._walking, self._decoding = job, None
        self._walk_from = self.events.now + 1
        self.events.after(TIMING.dma_free, self._found, FREED, job)
        self.events.after(1, self._make_ready)

    # --- requests out -------------------------------------------------------------------------

    def _make_ready(self) -> None:
        """The walk's next access is offered from the next cycle on."""
        job = self._walking
        if job is None or self._offered is not None or self.events.now < self._walk_from:
            return
        stopped = self.tile.aborting or job.status is not Status.OK
        request = None if stopped else next(job.requests, None)
        self._offered = (job, request)
        self.wake_offer(self.events.now + 1)
        if request is None or request.last:
            self._walking = None
            self._take_walk()

    def wake_offer(self, cycle: int) -> None:
        """Looks at the access offered in ``cycle``, unless it will look earlier."""
        if self._offer_at < 0 or cycle < self._offer_at:
            self._offer_at = cycle
            self.events.at(cycle, self._look, cycle)

    def _look(self, planned: int) -> None:
        if planned != self._offer_at:
            return
        self._offer_at = -1
        if self._offered is None or self._sending or len(self._ring) >= self.depth:
            return
        job, request = self._offered
        if not self.has_room:
            self.wake_offer(self.events.now + 1)
        elif request is None:
            self._fault(job)
        else:
            self.offer(job, request)

    @property
    def has_room(self) -> bool:
        """Whether the ring has room: the place of an entry from the cycle after it leaves on."""
        return len(self._ring) + (self._left_at == self.events.now) < self.depth

    def enter(self, job: Job, request: Request) -> None:
        """A request becomes the youngest entry of the ring."""
        if not job.clean:
            request.ask(self.tile.windows, self.tile.memory, self.access, self._flit)
        self._ring.append(Entry(job, request, Status.OK, request.address, request.last))
        request.answered = partial(self._answered, request)
        request.out, request.back = job.out, job.back
        request.settle = self.settle_cycles

    def taken_at(self, cycle: int) -> None:
        """The access offered is taken, with the last flit of its offer in ``cycle``."""
        if cycle > self.events.now:
            self._sending = True
            self.events.at(cycle, self._taken)
        else:
            self._taken()

    def _taken(self) -> None:
        self._sending = False
        self._offered = None
        self._make_ready()

    def _fault(self, job: Job) -> None:
        """The access offered is none: it ends its command."""
        status, address = Status.ABORTED, 0
        if self.tile.aborting or job.status is not Status.OK:
            pass
        elif job.walk is None:
            status = Status.ILLEGAL_FIELD
        elif job.walk.fault is not None:
            status, address = job.walk.fault
        self._ring.append(Entry(job, None, status, address, True))
        self.events.after(1, self._leave)
        self._taken()

    @abstractmethod
    def offer(self, job: Job, request: Request) -> None:
        """Offers an access for which the ring has room; ``enter`` and ``taken_at`` follow."""

    # --- responses ----------------------------------------------------------------------------

    def _answered(self, request: Request) -> None:
        request.done = True
        if self._ring[0].request is request:
            self._leave()

    def _leave(self) -> None:
        """The oldest entry leaves the ring, one a cycle; the last of a command ends it."""
        ring, now = self._ring, self.events.now
        if self._ending or not ring or not (ring[0].request is None or ring[0].request.done):
            return
        if now <= self._left_at:
            self.events.at(self._left_at + 1, self._leave)
            return
        entry = ring[0]
        job, request = entry.job, entry.request
        status = entry.status if request is None else request.status
        if request is not None:
            if not job.clean:
                self.move(request)
            if status is Status.OK:
                self.count(request.length)
        if status is not Status.OK and job.status is Status.OK:
            job.status, job.address = status, entry.address
        self._ending = entry.last and self.tile.chip.transfers is None
        if not self._ending:
            self._drop()
        if entry.last:
            self._found(ENDED, job)

    def _drop(self) -> None:
        ring, now = self._ring, self.events.now
        if self._offered is not None and len(ring) >= self.depth:
            self.wake_offer(now + 1)
        ring.popleft()
        self._left_at = now
        if ring and (ring[0].request is None or ring[0].request.done):
            self.events.at(now + 1, self._leave)

    def _found(self, kind: int, job: Job) -> None:
        """The machine has freed the decoder, or ended a command."""
        transfers = self.tile.chip.transfers
        if transfers is not None:
            transfers.found(self, kind, job)
        elif kind == FREED:
            self.freed()
        else:
            self.end(job)

    def end(self, job: Job) -> None:
        """A command ends."""
        if job.status is Status.OK and job.clean:
            self.carry_out(job)
        self.ended(job.command, job.status, job.address)

    def ended(self, command: Command, status: Status, address: int) -> None:
        """All that a command asked for has been answered."""
        self.front.done(command, status, address)

    def left(self, command: Command) -> None:
        if self._ending:
            self._ending = False
            self._drop()

    def carry_out(self, job: Job) -> None:
        """Moves the bytes of a transfer that has succeeded."""
        self.execute(job.command)

    @abstractmethod
    def execute(self, command: Command) -> None:
        """Moves the bytes of a plain transfer that has succeeded."""

    @abstractmethod
    def move(self, request: Request) -> None:
        """Moves the bytes of one request of a transfer of which some are refused."""

    @abstractmethod
    def count(self, length: int) -> None:
        """Adds the bytes of a request that succeeded to the tile's counter."""

    def abort(self) -> None:
        """Walks end with their next access; what is in flight comes back by itself."""
