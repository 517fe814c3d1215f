"""Ports of the local memories, seen from the engine that uses them.

A read is granted when ``request`` is accepted; its data appears on ``response`` exactly
``READ_LATENCY`` cycles later, in order. A write is done when accepted and seen by every read
granted in a later cycle.
"""

from amaranth.hdl import Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["READ_LATENCY", "ReadPort", "WriteBeat", "WritePort", "as_asked"]

#: Cycles from an accepted read request to its data: memory, then an output register.
READ_LATENCY = 2


class ReadPort(wiring.Signature):
    """Reads rows of ``row_bits`` from a memory of ``rows``."""

    def __init__(self, *, rows, row_bits):
        super().__init__({
            "request": Out(stream.Signature(unsigned(ceil_log2(rows)))),
            # no ready: the response cannot be stalled (and a constant cannot be a module's port)
            "response": In(wiring.Signature({"payload": Out(unsigned(row_bits)), "valid": Out(1)})),
        })


class WriteBeat(data.StructLayout):
    """One row to write; with several ``parts``, those of it whose bit in ``mask`` is set."""

    def __init__(self, *, rows, row_bits, parts=1):
        mask = {"mask": unsigned(parts)} if parts > 1 else {}
        super().__init__({"row": unsigned(ceil_log2(rows)), "data": unsigned(row_bits), **mask})


class WritePort(wiring.Signature):
    """Writes rows, or ``parts`` equal parts of them."""

    def __init__(self, *, rows, row_bits, parts=1):
        super().__init__({
            "request": Out(stream.Signature(WriteBeat(rows=rows, row_bits=row_bits, parts=parts))),
        })


def as_asked(m, name, value):
    """``value`` as it was when the row that now arrives was asked for, from ``READ_LATENCY``
    registers called ``arriving_<name>_<n>``.
    """
    for step in range(READ_LATENCY):
        later = Signal.like(value, name=f"arriving_{name}_{step}")
        m.d.sync += later.eq(value)
        value = later
    return value
