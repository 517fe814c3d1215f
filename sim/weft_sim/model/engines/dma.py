"""What the load and the store engine share: a transfer cut into requests, and who refuses them."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

from weft_hw.isa import Status

from ..decode import Command
from .base import Engine

__all__ = ["DmaEngine"]

_ADDRESS_MASK = (1 << 64) - 1


class DmaEngine(Engine):
    """A strided transfer: ``rows`` rows of ``row_bytes`` bytes, each in requests of one packet."""

    #: window right that its requests need
    access: int

    def local_rows(self, fields: SimpleNamespace) -> int:
        """Scratchpad rows that a row of the transfer fills."""
        return -(-fields.row_bytes // self.tile.config.tile.row_bytes)

    def check(self, command: Command) -> tuple[Status, int]:
        f = command.fields
        if not (f.rows and f.row_bytes) or f.endpoint >= self.tile.config.mesh.memory_endpoints:
            return Status.ILLEGAL_FIELD, 0
        walks = ((f.rows, f.local_stride), (self.local_rows(f), 1))
        if not self.tile.scratchpad.holds(f.local_row, *walks):
            return Status.LOCAL_RANGE, self.tile.scratchpad.last_row(f.local_row, *walks)
        return Status.OK, 0

    def requests(self, fields: SimpleNamespace) -> Iterator[tuple[int, int]]:
        """(address, length) of every request, in order."""
        packet = self.tile.config.mesh.max_packet_bytes
        for row in range(fields.rows):
            address = fields.memory_address + row * fields.memory_stride
            for start in range(0, fields.row_bytes, packet):
                yield (address + start) & _ADDRESS_MASK, min(packet, fields.row_bytes - start)

    def request_count(self, fields: SimpleNamespace) -> int:
        packet = self.tile.config.mesh.max_packet_bytes
        return fields.rows * -(-fields.row_bytes // packet)

    def verdict(self, address: int, length: int) -> Status:
        """What the endpoint or the memory says to one request."""
        if not self.tile.windows.grants(address, length, self.access):
            return Status.WINDOW
        if self.tile.memory.fails(address, length):
            return Status.BUS
        return Status.OK

    def first_refusal(self, fields: SimpleNamespace) -> tuple[int, int, Status] | None:
        """(number, address, status) of the first request that is refused; None if none is."""
        extent = (fields.rows - 1) * fields.memory_stride + fields.row_bytes
        if self.verdict(fields.memory_address, extent) is Status.OK:
            return None
        for number, (address, length) in enumerate(self.requests(fields)):
            status = self.verdict(address, length)
            if status is not Status.OK:
                return number, address, status
        return None
