"""Replies to frames: END, escaped bytes, CRC, END."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .crc import crc_step
from .protocol import CRC_START, END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE

__all__ = ["FrameByte", "Framer"]


class FrameByte(data.Struct):
    """A byte of a frame, ``last`` with the final one before the CRC."""

    byte: unsigned(8)
    last: unsigned(1)


class Framer(wiring.Component):
    """Adds what ``protocol`` puts around a frame.

    Latency: 1 cycle (the END before).  Throughput: a byte per cycle, an escaped one per two.

    Members
    -------
    i : In(stream of FrameByte)
    o : Out(stream of 8 bits)
    """

    i: In(stream.Signature(FrameByte))
    o: Out(stream.Signature(unsigned(8)))

    def elaborate(self, platform):
        m = Module()
        crc = Signal(16, init=CRC_START)
        escaped = Signal()  # the ESC of this byte has gone
        byte = Signal(8)
        inside = Signal()  # the byte must be escaped if it looks like END or ESC
        special = Signal()
        sent = Signal()  # the byte has gone
        m.d.comb += [
            special.eq((byte == END) | (byte == ESCAPE)),
            self.o.payload.eq(byte),
            sent.eq(self.o.valid & self.o.ready),
        ]
        with m.If(inside & special):
            with m.If(escaped):
                m.d.comb += self.o.payload.eq(Mux(byte == END, ESCAPED_END, ESCAPED_ESCAPE))
            with m.Else():
                m.d.comb += [self.o.payload.eq(ESCAPE), sent.eq(0)]
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += escaped.eq(~escaped)
        with m.FSM():
            with m.State("START"):
                # waits for a frame; sends the END before it
                m.d.comb += [byte.eq(END), self.o.valid.eq(self.i.valid)]
                m.d.sync += crc.eq(CRC_START)
                with m.If(sent):
                    m.next = "BODY"
            with m.State("BODY"):
                # passes bytes on up to the last
                m.d.comb += [
                    byte.eq(self.i.payload.byte),
                    inside.eq(1),
                    self.o.valid.eq(self.i.valid),
                    self.i.ready.eq(sent),
                ]
                with m.If(sent):
                    m.d.sync += crc.eq(crc_step(crc, byte))
                    with m.If(self.i.payload.last):
                        m.next = "CRC_HIGH"
            with m.State("CRC_HIGH"):
                m.d.comb += [byte.eq(crc[8:]), inside.eq(1), self.o.valid.eq(1)]
                with m.If(sent):
                    m.next = "CRC_LOW"
            with m.State("CRC_LOW"):
                m.d.comb += [byte.eq(crc[:8]), inside.eq(1), self.o.valid.eq(1)]
                with m.If(sent):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += [byte.eq(END), self.o.valid.eq(1)]
                with m.If(sent):
                    m.next = "START"
        return m
