"""What control needs to know of a command, and how a failure is told."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ..isa import Engine, Status

__all__ = ["PREFIX_BYTES", "CommandInfo", "Failure"]

#: Bytes at the start of a command that control looks at: the header, then a fence's or NOP's own
#: first fields.
PREFIX_BYTES = 16


class CommandInfo(data.Struct):
    """The first ``PREFIX_BYTES`` of a command, and whether reading any of it met an AXI error."""

    prefix: unsigned(8 * PREFIX_BYTES)
    error: unsigned(1)


class Failure(data.Struct):
    """Why the queue stops. ``by_control`` if no tile reported it; then engine and tile are zero."""

    valid: unsigned(1)
    status: Status
    index: unsigned(32)
    engine: Engine
    x: unsigned(4)
    y: unsigned(4)
    by_control: unsigned(1)
