"""Bytes to requests: unescapes, checks, and holds one request with its data."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..verilog import UNINITIALISED
from .crc import crc_step
from .protocol import (
    CRC_START,
    END,
    ESCAPE,
    ESCAPED_END,
    ESCAPED_ESCAPE,
    HEADER_BYTES,
    MAX_DATA,
    Header,
)

__all__ = ["Deframer", "Request"]

_CRC_BYTES = 2
_ROWS = 2 * MAX_DATA
_MAX_FRAME = HEADER_BYTES + MAX_DATA + _CRC_BYTES


class Request(data.Struct):
    """A frame that was received. ``data_bytes`` is the length of its data."""

    header: Header
    data_bytes: unsigned(11)
    whole: unsigned(1)
    """The CRC is right and the frame is not too long."""


class Deframer(wiring.Component):
    """Holds a request until it is taken; bytes that come meanwhile are dropped with the rest of
    their frame.

    Latency: 2 cycles after the END.

    Members
    -------
    i : In(stream of 8 bits, always ready)
    broken : In(1)
        A byte was lost: what follows up to the next END is dropped.
    o : Out(stream of Request)
    data_index : In(11)
        Which byte of the request's data to read.
    data : Out(8)
        It, one cycle later.
    """

    i: In(stream.Signature(unsigned(8), always_ready=True))
    broken: In(1)
    o: Out(stream.Signature(Request))
    data_index: In(11)
    data: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = memory.Memory(
            shape=unsigned(8), depth=_ROWS, init=[], attrs=UNINITIALISED
        )
        write, read = rows.write_port(), rows.read_port()
        # s0: a byte and what it is
        s0_valid, s0_broken = Signal(), Signal()
        s0_byte = Signal(8, reset_less=True)
        s0_is = {code: Signal(name=f"s0_is_{code:02x}", reset_less=True)
                 for code in (END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE)}
        m.d.sync += [
            s0_valid.eq(self.i.valid),
            s0_broken.eq(self.broken),
            s0_byte.eq(self.i.payload),
            *(is_code.eq(self.i.payload == code) for code, is_code in s0_is.items()),
        ]

        hunting = Signal(init=1)  # nothing counts before the next END
        escape = Signal()  # the byte before was ESC
        length = Signal(range(_MAX_FRAME + 2))  # stops one above the longest frame
        crc = Signal(16, init=CRC_START)
        header = Signal(8 * HEADER_BYTES, reset_less=True)
        byte = Signal(8)
        accept = Signal()
        m.d.comb += [
            byte.eq(Mux(~escape, s0_byte, Mux(s0_is[ESCAPED_END], END, ESCAPE))),
            write.addr.eq((length - HEADER_BYTES)[: len(write.addr)]),
            write.data.eq(byte),
            write.en.eq(accept & (length >= HEADER_BYTES)),
            read.addr.eq(self.data_index),
            self.data.eq(read.data),
        ]
        with m.If(self.o.valid):
            # the request and its data are in use
            with m.If(s0_broken | s0_valid):
                m.d.sync += [
                    hunting.eq(s0_broken | ~s0_is[END]),
                    escape.eq(0),
                    crc.eq(CRC_START),
                ]
            with m.If(self.o.ready):
                m.d.sync += self.o.valid.eq(0)
        with m.Elif(s0_broken):
            m.d.sync += hunting.eq(1)
        with m.Elif(s0_valid & s0_is[END]):
            m.d.sync += [hunting.eq(0), escape.eq(0), length.eq(0), crc.eq(CRC_START)]
            with m.If(~hunting & (length >= HEADER_BYTES + _CRC_BYTES)):
                m.d.sync += [
                    self.o.valid.eq(1),
                    self.o.payload.header.eq(header),
                    self.o.payload.data_bytes.eq((length - HEADER_BYTES - _CRC_BYTES)[:11]),
                    self.o.payload.whole.eq((crc == 0) & ~escape & (length <= _MAX_FRAME)),
                ]
        with m.Elif(s0_valid & s0_is[ESCAPE]):
            m.d.sync += escape.eq(1)
        with m.Elif(s0_valid & ~hunting):
            m.d.comb += accept.eq(length <= _MAX_FRAME)
            m.d.sync += [escape.eq(0), crc.eq(crc_step(crc, byte))]
            with m.If(escape & ~s0_is[ESCAPED_END] & ~s0_is[ESCAPED_ESCAPE]):
                m.d.sync += hunting.eq(1)
            with m.If(accept):
                m.d.sync += length.eq(length + 1)
                with m.If(length < HEADER_BYTES):
                    m.d.sync += header.eq(Cat(header[8:], byte))
        return m
