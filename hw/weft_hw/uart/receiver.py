"""UART receiver, 8N1: a start bit (low), eight data bits from the least significant, a stop bit
(high)."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import cdc, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["MIN_DIVISOR", "UartReceiver"]

#: Fewest cycles a bit: each bit is sampled once, in its middle, and the line is looked at in whole
#: cycles.
MIN_DIVISOR = 4


class UartReceiver(wiring.Component):
    """Bytes from the pin ``rx``. A byte cannot wait: it is offered for one cycle.

    Latency: 3 cycles, of synchroniser and output register, from the middle of the stop bit.
    Throughput: a byte every ``10 * divisor`` cycles.

    Parameters
    ----------
    divisor : int
        Cycles a bit, at least 4.

    Members
    -------
    rx : In(1)
    o : Out(stream of 8 bits, always ready)
    broken : Out(1)
        In place of ``o``: no stop bit where one had to be (noise, break, or another speed).
    """

    def __init__(self, *, divisor):
        if divisor < MIN_DIVISOR:
            raise ValueError(f"divisor must be at least {MIN_DIVISOR} cycles a bit, not {divisor}")
        self.divisor = divisor
        super().__init__(
            {
                "rx": In(1),
                "o": Out(stream.Signature(unsigned(8), always_ready=True)),
                "broken": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line = Signal(init=1)
        m.submodules.synchroniser = cdc.FFSynchronizer(self.rx, line, init=1)
        wait = Signal(range(self.divisor))
        bits = Signal(range(8))
        byte = Signal(8, reset_less=True)  # whole after ``done`` only
        done = Signal()
        m.d.comb += self.o.payload.eq(byte)
        m.d.sync += [self.o.valid.eq(done & line), self.broken.eq(done & ~line)]
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.FSM():
            with m.State("IDLE"):
                # waits for a falling edge
                with m.If(~line):
                    m.d.sync += wait.eq(self.divisor // 2 - 1)
                    m.next = "START"
            with m.State("START"):
                # waits for the middle of the start bit; a glitch is none
                with m.If(wait == 0):
                    m.d.sync += [wait.eq(self.divisor - 1), bits.eq(7)]
                    m.next = "DATA"
                    with m.If(line):
                        m.next = "IDLE"
            with m.State("DATA"):
                # waits for the middle of each data bit
                with m.If(wait == 0):
                    m.d.sync += [
                        wait.eq(self.divisor - 1),
                        byte.eq(Cat(byte[1:], line)),
                        bits.eq(bits - 1),
                    ]
                    with m.If(bits == 0):
                        m.next = "STOP"
            with m.State("STOP"):
                # waits for the middle of the stop bit
                with m.If(wait == 0):
                    m.d.comb += done.eq(1)
                    m.next = "IDLE"
                    with m.If(~line):
                        m.next = "HIGH"
            with m.State("HIGH"):
                # waits for the line to be high again after a broken byte
                with m.If(line):
                    m.next = "IDLE"
        return m
