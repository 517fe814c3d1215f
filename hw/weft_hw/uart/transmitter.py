"""UART transmitter, 8N1."""

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["UartTransmitter"]


class UartTransmitter(wiring.Component):
    """Bytes to the pin ``tx``, which is high at rest.

    Latency: 1 cycle to the start bit.  Throughput: a byte every ``10 * divisor`` cycles.

    Parameters
    ----------
    divisor : int
        Cycles a bit, at least 1.

    Members
    -------
    i : In(stream of 8 bits)
    tx : Out(1)
    """

    def __init__(self, *, divisor):
        if divisor < 1:
            raise ValueError(f"divisor must be at least 1 cycle a bit, not {divisor}")
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(unsigned(8))), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        wait = Signal(range(self.divisor))
        left = Signal(range(10))  # bits after the one on the line
        shift = Signal(9, init=0x1FF)
        free = Signal()
        m.d.comb += [
            free.eq((wait == 0) & (left == 0)),
            self.i.ready.eq(free),
        ]
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(left != 0):
            m.d.sync += [
                self.tx.eq(shift[0]),
                shift.eq(Cat(shift[1:], Const(1, 1))),
                left.eq(left - 1),
                wait.eq(self.divisor - 1),
            ]
        with m.Elif(self.i.valid):
            m.d.sync += [
                self.tx.eq(0),
                shift.eq(Cat(self.i.payload, Const(1, 1))),
                left.eq(9),
                wait.eq(self.divisor - 1),
            ]
        return m
