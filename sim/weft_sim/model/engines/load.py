"""The load engine: memory to scratchpad."""

from __future__ import annotations

from functools import partial, reduce
from operator import or_
from typing import TYPE_CHECKING

import numpy as np
from weft_hw.isa import Opcode, Status

from ..decode import Command
from ..memory import WINDOW_READ
from ..requests import Request, Walk
from ..route import Sender
from ..strips import StripRow, StripWalk, is_legal_transpose, transposed
from ..timing import TIMING
from ..walks import Fill, RowList, TensorWalk, fill_walk, is_tensor, pattern
from .dma import DmaEngine
from .filler import WriteRegister
from .gather import GatherWalk
from .job import Job
from .traffic import ArrayTraffic

if TYPE_CHECKING:
    from ..tile import Tile
    from .frontend import FrontEnd

__all__ = ["LoadEngine"]


class LoadEngine(DmaEngine):
    """Read requests out, data into scratchpad rows; the rest of a row's last one becomes zero.

    Rows that are padding, and those of a FILL, it writes itself.
    """

    access = WINDOW_READ
    is_load = True

    def __init__(self, tile: Tile, front: FrontEnd, traffic: ArrayTraffic) -> None:
        super().__init__(tile, front)
        self._traffic = traffic
        self.depth = tile.config.tile.load_requests
        self.settle_cycles = TIMING.load_settle
        header = tile.chip.network.response_header_flits
        #: whether responses may have to share the write register; they are told in advance, so
        #: where transfers are not repeated from an idle cycle on it is always so
        self._fills = tile.chip.transfers is None
        #: cycles in which a read of indices waited for the array
        self.conflicts = 0
        self._writes = tile.load_writes
        #: banks that each command inside writes, and those of all
        self._banks, self.banks_written = dict[int, int](), 0
        self._register = WriteRegister(self.events, header, self._room_given, self._writes.add)

    # --- walks --------------------------------------------------------------------------------

    def walk(self, command: Command) -> Walk | TensorWalk | StripWalk | None:
        f, config = command.fields, self.tile.config
        if command.opcode is Opcode.FILL:
            return fill_walk(f, config) if f.rows and f.columns else None
        if not f.rows or not f.row_bytes or f.endpoint >= config.mesh.memory_endpoints:
            return None
        if command.opcode is Opcode.GATHER:
            return GatherWalk(f, config, self.tile.scratchpad, self._traffic)
        if f.transpose:
            return StripWalk(f, config) if is_legal_transpose(f, config) else None
        if not is_tensor(f):
            return super().walk(command)
        if not config.tile.tensor_loads:
            return None
        return TensorWalk(f, config) if (f.height and f.width) or not f.padded else None

    def start(self, command: Command) -> None:
        self._fills = (
            self._fills
            or command.opcode is Opcode.FILL
            or any(getattr(command.fields, name, 0) for name in ("padded", "transpose"))
        )
        super().start(command)

    def begun(self, job: Job) -> None:
        banks = self._banks[job.command.index] = job.banks(self.tile.scratchpad)
        self.banks_written |= banks

    def is_clean(self, command: Command, walk: Walk | TensorWalk | StripWalk) -> bool:
        if isinstance(walk, StripWalk):
            f = command.fields
            end = f.memory_address + (f.rows - 1) * f.memory_stride + f.row_bytes
            return walk.fault is None and self.grants(f.memory_address, end)
        if isinstance(walk, Walk):
            return super().is_clean(command, walk)
        rows = walk.known = walk.row_list()
        if rows is None:
            return False
        read = rows.addresses[rows.read]
        if not len(read):
            return True
        return self.grants(int(read.min()), int(read.max()) + walk.row_bytes)

    # --- requests -----------------------------------------------------------------------------

    def _make_ready(self) -> None:
        job = self._walking
        if job is not None and isinstance(job.walk, StripWalk) and self._offered is None:
            begins = job.decoded + TIMING.transpose_first
            if begins > self.events.now:
                self.events.at(begins, self._make_ready)
                return
        if job is not None and isinstance(job.walk, GatherWalk) and self._offered is None:
            begins = job.walk.made_from(self.events.now)
            if begins > self.events.now and not self.tile.aborting and job.status is Status.OK:
                self.events.at(begins, self._make_ready)
                return
            job.walk.make(self.events.now)
        super()._make_ready()

    def _take_walk(self) -> None:
        before = self._walking
        super()._take_walk()
        job = self._walking
        if job is not None and job is not before and isinstance(job.walk, GatherWalk):
            job.walk.take(self.events.now)

    def _fill(self, job: Job, fill: Fill) -> None:
        """An access that writes rows itself."""
        if self._register.full:
            return
        self.enter(job, fill)
        self._register.fill(fill)
        self.taken_at(self.events.now)

    def _room_given(self) -> None:
        """The register takes a further fill."""
        if self._offered is not None:
            self.wake_offer(self.events.now)

    def enter(self, job: Job, request: Request) -> None:
        super().enter(job, request)
        respond = self._register.respond if self._fills else self._respond
        request.arrives = partial(respond, request)

    def _respond(self, request: Request, last: int) -> None:
        """The last flit of a response arrives in cycle ``last``, and nothing holds it up."""
        self._writes.add(last - request.flits + 2, request.row, request.flits)
        self.events.at(last + request.settle, request.answered)

    def acknowledge(self, request: Request, last: int) -> None:
        """The answer to a store arrives in cycle ``last``, behind responses that may be held up."""
        if self._fills:
            self._register.acknowledge(request, last)
            return
        self.events.at(last + request.settle, request.answered)

    def tell_writes(self) -> None:
        """Tells all that is known by now of the rows that are written."""
        transfers = self.tile.chip.transfers
        if (transfers is None or transfers.tell_writes()) and self._fills:
            self._register.advance(self.tile.events.now)

    def offer(self, job: Job, request: Request) -> None:
        if isinstance(request, Fill):
            self._fill(job, request)
            return
        endpoint = self.tile.chip.endpoints[job.command.fields.endpoint]
        send = partial(self._send, job, request)
        self.tile.requests.offer(self.front.id.value, send, endpoint, job.out)

    def _send(self, job: Job, request: Request) -> None:
        chip, now = self.tile.chip, self.events.now
        flits = chip.network.request_header_flits
        self.enter(job, request)
        self.count_flits(request)
        endpoint = chip.endpoints[job.command.fields.endpoint]
        job.out.send(
            now, flits, lambda head: self.events.at(head + flits - 1, endpoint.read, request)
        )
        self._wait_sent(job.out.sender)

    def _wait_sent(self, link: Sender) -> None:
        """The access offered is taken with the last flit of its header."""
        if link.held:
            self._sending = True
            link.waiters.append(partial(self._wait_sent, link))
        else:
            self.taken_at(link.free - 1)

    def count_flits(self, request: Request) -> None:
        """Adds the flits of a request and of its response to the tile's counters."""
        network, counters = self.tile.chip.network, self.tile.counters
        counters.request_flits += network.request_header_flits
        counters.response_flits += network.response_header_flits
        if request.status is Status.OK:
            counters.response_flits += request.flits

    # --- bytes --------------------------------------------------------------------------------

    def carry_out(self, job: Job) -> None:
        walk = job.walk
        if isinstance(walk, TensorWalk):
            assert walk.known is not None
            self._load_rows(walk, walk.known)
        elif isinstance(walk, StripWalk):
            self._load_columns(job, walk)
        else:
            self.execute(job.command)

    def end(self, job: Job) -> None:
        if isinstance(job.walk, GatherWalk):
            self.conflicts += job.walk.conflicts
        del self._banks[job.command.index]
        self.banks_written = reduce(or_, self._banks.values(), 0)
        super().end(job)

    def _load_columns(self, job: Job, walk: StripWalk) -> None:
        """A transposing LOAD that is known to be in range."""
        f, tile = job.command.fields, self.tile
        source = tile.memory.rows(f.memory_address, f.memory_stride, f.rows, f.row_bytes)
        columns = transposed(np.ascontiguousarray(source), walk.element_bytes, self._flit)
        target = f.local_row + np.arange(walk.columns)[:, None] * f.local_stride
        shape = walk.columns, walk.local_rows, self._flit
        tile.scratchpad.data[target + np.arange(walk.local_rows)] = columns.reshape(shape)

    def _move_strip(self, row: StripRow) -> None:
        """A row of a transfer of which some are refused: its strip is written if it is whole."""
        strip = row.strip
        if row.status is Status.OK:
            strip.data.append(self.tile.memory.read(row.address, row.length))
        else:
            strip.whole = False
        if not row.ends or not strip.whole:
            return
        rows = np.frombuffer(b"".join(strip.data), np.uint8).reshape(len(strip.data), -1)
        for number, line in enumerate(transposed(rows, strip.element_bytes, self._flit)):
            self._put(strip.row + number * strip.stride, line.tobytes())

    def _load_rows(self, walk: TensorWalk, rows: RowList) -> None:
        """Every row of a walk that is known to be in range; later ones go over earlier ones."""
        tile = self.tile
        width = tile.config.tile.row_bytes
        local_rows = -(-walk.row_bytes // width)
        block = np.zeros((walk.rows, local_rows * width), np.uint8)
        columns = np.arange(walk.row_bytes)
        block[:, : walk.row_bytes] = pattern(walk.value, walk.row_bytes)
        read = rows.addresses[rows.read]
        block[rows.read, : walk.row_bytes] = tile.memory.data[read[:, None] + columns]
        target = rows.locals[:, None] + np.arange(local_rows)
        tile.scratchpad.data[target] = block.reshape(walk.rows, local_rows, width)

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
        if isinstance(request, Fill):
            self._put(request.row, pattern(request.value, request.size).tobytes())
        elif isinstance(request, StripRow):
            self._move_strip(request)
        elif request.status is Status.OK:
            self._put(request.row, self.tile.memory.read(request.address, request.length))

    def _put(self, row: int, raw: bytes) -> None:
        """Bytes from the start of a scratchpad row on, the last row filled with zeros."""
        width = self.tile.config.tile.row_bytes
        rows = -(-len(raw) // width)
        flat = self.tile.scratchpad.data[row : row + rows].reshape(-1)
        flat[: len(raw)] = memoryview(raw)
        flat[len(raw) :] = 0

    def count_all(self, job: Job) -> None:
        assert isinstance(job.walk, Walk)
        shape, network = job.walk.shape, self.tile.chip.network
        counters, chip = self.tile.counters, self.tile.chip
        chip.endpoints[job.command.fields.endpoint].reads.count(shape.beats)
        counters.bytes_loaded += job.walk.rows * job.walk.row_bytes
        counters.request_flits += len(shape.requests) * network.request_header_flits
        counters.response_flits += len(shape.requests) * network.response_header_flits
        counters.response_flits += shape.flits

    def count(self, length: int) -> None:
        self.tile.counters.bytes_loaded += length
