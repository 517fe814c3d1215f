"""Access windows: what memory the host has granted, and the check of every request against them."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..control.registers import WINDOW_PAGE_BYTES
from ..isa import Status
from ..noc.packet import Headed, RequestHeader, RequestKind
from .access import Access

__all__ = ["Window", "WindowCheck"]


class Window(data.Struct):
    """Pages ``base <= page < limit`` of ``WINDOW_PAGE_BYTES``, granted for reading, writing or
    both."""

    base: unsigned(32)
    limit: unsigned(32)
    read: unsigned(1)
    write: unsigned(1)


class WindowCheck(wiring.Component):
    """Lets a request pass with the status it deserves: OK if all of ``[address, address + length)``
    lies inside one window with the right permission; WINDOW if not, or beyond the address space;
    ILLEGAL_FIELD if the length is zero or above the largest packet, or a write has no data.

    Latency: 2 cycles.  Throughput: one request per cycle.

    Members
    -------
    windows : In(ArrayLayout(Window, n))
        static while requests are in flight
    i : In(stream of Headed(RequestHeader))
    o : Out(stream of Access)
    """

    def __init__(self, config):
        self.config = config
        address_bits = config.host.address_bits
        super().__init__({
            "windows": In(data.ArrayLayout(Window, config.host.windows)),
            "i": In(stream.Signature(Headed(RequestHeader(address_bits=address_bits)))),
            "o": Out(stream.Signature(Access(address_bits=address_bits))),
        })

    def elaborate(self, platform):
        m = Module()
        address_bits = self.config.host.address_bits
        page_bits = WINDOW_PAGE_BYTES.bit_length() - 1
        largest = self.config.mesh.max_packet_bytes

        # s0: first and last byte
        s0_valid = Signal()
        s0_access = Signal(Access(address_bits=address_bits), reset_less=True)
        s0_end = Signal(len(self.i.payload.header.address) + 1, reset_less=True)
        s0_well_formed = Signal(reset_less=True)
        s0_start_fits = Signal(reset_less=True)
        s0_ready = Signal()
        # s1: the verdict, which is the output register
        s1_ready = Signal()
        m.d.comb += [
            s1_ready.eq(~self.o.valid | self.o.ready),
            s0_ready.eq(~s0_valid | s1_ready),
            self.i.ready.eq(s0_ready),
        ]

        header = self.i.payload.header
        is_read = header.kind == RequestKind.READ
        with m.If(s0_ready):
            m.d.sync += s0_valid.eq(self.i.valid)
            with m.If(self.i.valid):
                m.d.sync += [
                    s0_access.requester.node.eq(header.source),
                    s0_access.requester.tag.eq(header.tag),
                    s0_access.kind.eq(header.kind),
                    s0_access.has_data.eq(self.i.payload.has_data),
                    s0_access.length.eq(header.length),
                    s0_access.address.eq(header.address[:address_bits]),
                    s0_start_fits.eq(~header.address[address_bits:].any()),
                    s0_end.eq(header.address + header.length - 1),
                    s0_well_formed.eq((header.length != 0) & (header.length <= largest)
                                      & (is_read | self.i.payload.has_data)),
                ]

        first_page = s0_access.address[page_bits:]
        last_page = s0_end[page_bits:]
        s0_is_read = s0_access.kind == RequestKind.READ
        granted = Signal(len(self.windows))
        m.d.comb += granted.eq(Cat(
            (window.read & s0_is_read | window.write & ~s0_is_read)
            & (first_page >= window.base) & (last_page < window.limit)
            for window in self.windows))
        inside = granted.any() & s0_start_fits & ~s0_end[address_bits:].any()
        with m.If(s1_ready):
            m.d.sync += self.o.valid.eq(s0_valid)
            with m.If(s0_valid):
                m.d.sync += self.o.payload.eq(s0_access)
                with m.If(~s0_well_formed):
                    m.d.sync += self.o.payload.status.eq(Status.ILLEGAL_FIELD)
                with m.Elif(~inside):
                    m.d.sync += self.o.payload.status.eq(Status.WINDOW)
                with m.Else():
                    m.d.sync += self.o.payload.status.eq(Status.OK)
        return m
