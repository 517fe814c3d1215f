"""Requests: the packets into which the DMA engines cut a transfer, and what becomes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

from weft_hw.axi.bursts import PAGE_BYTES
from weft_hw.config import ChipConfig
from weft_hw.isa import Status

from .memory import DeviceMemory, Windows
from .route import Route

__all__ = ["Request", "Walk"]


class Shape:
    """All of a walk that its cycles depend on: ``requests`` are (flits, beats, bursts, beats that
    leave the endpoint's buffer ahead of the data); ``flits`` and ``beats`` of all of them.
    """

    __slots__ = ("beats", "flits", "requests")

    def __init__(self, requests: tuple[tuple[int, int, int, int], ...]) -> None:
        self.requests = requests
        self.flits = sum(request[0] for request in requests)
        self.beats = sum(request[1] for request in requests)


#: Shapes of walks met before, and one of all those that are alike.
_SHAPES: dict[tuple[int, ...], Shape] = {}
_ALIKE: dict[tuple[tuple[int, int, int, int], ...], Shape] = {}
_MOST_SHAPES = 4096


class Request:
    """One READ or WRITE packet.

    ``status`` is what the endpoint and the memory will say; ``row`` its first scratchpad row;
    ``beats`` and ``bursts`` those of its access; ``settle`` the cycles from the response's last
    flit to its entry leaving the requester's ring; ``done`` that it may leave. ``arrives`` is told
    the cycle of that flit where something may hold up the response's data; otherwise ``answered``
    is called when it is settled.
    """

    __slots__ = (
        "address",
        "answered",
        "arrived",
        "arrives",
        "back",
        "beats",
        "bursts",
        "done",
        "flits",
        "last",
        "length",
        "out",
        "ready",
        "row",
        "settle",
        "status",
    )

    answered: Callable[[], None]
    arrives: Callable[[int], None] | None
    back: Route
    out: Route

    def __init__(self, address: int, length: int, row: int, last: bool, flit_bytes: int) -> None:
        self.address = address
        self.length = length
        self.row = row
        self.last = last
        self.flits = -(-length // flit_bytes)
        self.beats = (address % flit_bytes + length - 1) // flit_bytes + 1
        self.bursts = 2 if address % PAGE_BYTES + length > PAGE_BYTES else 1
        self.status = Status.OK
        self.settle = 0
        self.arrives = None
        self.ready = 0
        self.arrived = False
        self.done = False

    def pieces(self, flit_bytes: int) -> Iterator[tuple[int, int, int, int]]:
        """(first byte, bytes, first aligned byte, aligned bytes) of each burst of the access."""
        start, end = self.address, self.address + self.length
        while start < end:
            stop = min(end, (start // PAGE_BYTES + 1) * PAGE_BYTES)
            aligned = start - start % flit_bytes
            yield start, stop - start, aligned, -(-(stop - aligned) // flit_bytes) * flit_bytes
            start = stop

    def ask(self, windows: Windows, memory: DeviceMemory, access: int, flit_bytes: int) -> None:
        """Finds out what the endpoint and the memory will say; ``access``: the right it needs."""
        if not windows.grants(self.address, self.length, access):
            self.status = Status.WINDOW
        elif any(memory.fails(*piece[2:]) for piece in self.pieces(flit_bytes)):
            self.status = Status.BUS


class Walk:
    """The requests of a LOAD or STORE, in order, as ``dma/decode.py`` and ``dma/pattern.py`` cut
    them.

    Rows that follow each other without a gap on both sides are one run. A walk ends early, with
    ``fault`` (status, address), at the first request that leaves the address space or the
    scratchpad.
    """

    def __init__(self, fields: SimpleNamespace, config: ChipConfig) -> None:
        self._flit = config.flit_bytes
        self._packet = config.mesh.max_packet_bytes
        self._rows = config.tile.scratchpad_rows
        self._space = 1 << config.host.address_bits
        row_flits = -(-fields.row_bytes // self._flit)
        self.base = fields.memory_address
        self.local = fields.local_row
        self.stride = fields.memory_stride
        self.local_stride = fields.local_stride
        linear = (
            fields.memory_stride == fields.row_bytes
            and fields.local_stride == row_flits
            and fields.row_bytes % self._flit == 0
        )
        self.row_bytes = fields.rows * fields.row_bytes if linear else fields.row_bytes
        self.rows = 1 if linear else fields.rows
        self.fault: tuple[Status, int] | None = None

        self._per_row = -(-self.row_bytes // self._packet)

    def __iter__(self) -> Iterator[Request]:
        return self.requests_from(0)

    def requests_from(self, number: int) -> Iterator[Request]:
        """The requests but for the first ``number``."""
        packet, flit = self._packet, self._flit
        begin, skip = divmod(number, self._per_row)
        for row in range(begin, self.rows):
            address = self.base + row * self.stride
            local = self.local + row * self.local_stride
            for start in range(skip * packet, self.row_bytes, packet):
                length = min(packet, self.row_bytes - start)
                first = local + start // flit
                if first + -(-length // flit) > self._rows:
                    self.fault = (Status.LOCAL_RANGE, max(first, self._rows))
                    return
                if address + start + length > self._space:
                    self.fault = (Status.WINDOW, self._space - 1)
                    return
                last = row == self.rows - 1 and start + packet >= self.row_bytes
                yield Request(address + start, length, first, last, flit)
            skip = 0

    @property
    def shape(self) -> Shape:
        """Of its requests, if it has no fault."""
        stride = self.stride % PAGE_BYTES if self.rows > 1 else 0
        key = (
            self._flit, self._packet, self.row_bytes, self.rows, self.base % PAGE_BYTES, stride,
        )  # fmt: skip
        shape = _SHAPES.get(key)
        if shape is None:
            if len(_SHAPES) >= _MOST_SHAPES:
                _SHAPES.clear()
                _ALIKE.clear()
            requests = tuple(self._measure())
            shape = _SHAPES[key] = _ALIKE.setdefault(requests, Shape(requests))
        return shape

    def _measure(self) -> Iterator[tuple[int, int, int, int]]:
        packet, flit = self._packet, self._flit
        for row in range(self.rows):
            address = self.base + row * self.stride
            offset = address % flit
            for start in range(0, self.row_bytes, packet):
                length = min(packet, self.row_bytes - start)
                beats = (offset + length - 1) // flit + 1
                bursts = 2 if (address + start) % PAGE_BYTES + length > PAGE_BYTES else 1
                yield -(-length // flit), beats, bursts, min(beats, 1 + bool(offset))
