"""What a DMA engine keeps of a command, and of each of its requests in flight."""

from __future__ import annotations

from collections.abc import Iterator

from weft_hw.isa import Status

from ..decode import Command
from ..local import LocalMemory
from ..requests import Request, Walk
from ..route import Route
from ..strips import StripWalk
from ..walks import TensorWalk

__all__ = ["Entry", "Job"]


class Job:
    """A command in the engine. ``clean``: no request of it can be refused."""

    __slots__ = (
        "address",
        "back",
        "clean",
        "command",
        "decoded",
        "number",
        "out",
        "requests",
        "status",
        "walk",
    )

    def __init__(
        self,
        command: Command,
        walk: Walk | TensorWalk | StripWalk | None,
        clean: bool,
        decoded: int,
        ways: tuple[Route, Route],
    ) -> None:
        self.command = command
        self.walk = walk
        self.clean = clean
        self.decoded = decoded
        self.out, self.back = ways
        self.requests: Iterator[Request] = iter(walk) if walk is not None else iter(())
        self.status = Status.OK
        self.address = 0
        #: its place among those begun since the engines were idle
        self.number = 0

    def banks(self, pad: LocalMemory) -> int:
        """The scratchpad banks whose rows it reads or writes, a bit each."""
        f, walk = self.command.fields, self.walk
        if walk is None:
            return 0
        if not self.clean:
            return -1
        flit = pad.data.shape[1]
        if isinstance(walk, Walk):
            last = f.local_row + (f.rows - 1) * f.local_stride + -(-f.row_bytes // flit) - 1
            return pad.banks_of(f.local_row, last)
        if isinstance(walk, StripWalk):
            last = f.local_row + (walk.columns - 1) * f.local_stride + walk.local_rows - 1
            return pad.banks_of(f.local_row, last)
        assert walk.known is not None
        first, last = int(walk.known.locals.min()), int(walk.known.locals.max())
        return pad.banks_of(first, last + -(-walk.row_bytes // flit) - 1)


class Entry:
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
