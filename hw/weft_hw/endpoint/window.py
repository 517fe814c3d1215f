"""Access windows: what memory the host has granted, and the check of every request against them."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..control.registers import WINDOW_PAGE_BYTES
from ..isa import Status
from ..noc.packet import Headed, RequestHeader, RequestKind
from .access import Access, Requester
from .plan import Planner

__all__ = ["Window", "WindowCheck"]


class Window(data.Struct):
    """Pages ``base <= page < limit`` of ``WINDOW_PAGE_BYTES``, granted for reading, writing or
    both."""

    base: unsigned(32)
    limit: unsigned(32)
    read: unsigned(1)
    write: unsigned(1)


class WindowCheck(wiring.Component):
    """Lets a request pass, planned, with the status it deserves: OK if all of ``[address, address +
    length)`` lies inside one window with the right permission; WINDOW if not, or beyond the address
    space; ILLEGAL_FIELD if the length is zero or above the largest packet, or a write has no data.

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
            "o": Out(stream.Signature(Access(address_bits=address_bits,
                                             data_bytes=config.flit_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        address_bits = self.config.host.address_bits
        page_bits = WINDOW_PAGE_BYTES.bit_length() - 1
        largest = self.config.mesh.max_packet_bytes

        # s0: first and last byte; what goes with no request does not matter
        s0_valid = Signal()
        s0_requester = Signal(Requester, reset_less=True)
        s0_reads = Signal(reset_less=True)
        s0_has_data = Signal(reset_less=True)
        s0_first = Signal(len(self.i.payload.header.address), reset_less=True)
        s0_last = Signal(len(self.i.payload.header.address) + 1, reset_less=True)
        s0_well_formed = Signal(reset_less=True)
        s0_ready = Signal()
        # s1: the verdict and the plan, which are the output register
        s1_ready = Signal()
        # both hold a request: in a register, since the way from ``o.ready`` to the network is long
        both = Signal()
        m.d.comb += [
            s1_ready.eq(~self.o.valid | self.o.ready),
            s0_ready.eq(~s0_valid | s1_ready),
            self.i.ready.eq(~both | self.o.ready),
        ]
        m.d.sync += both.eq(Mux(s1_ready, s0_valid & self.i.valid, s0_valid | self.i.valid))

        header = self.i.payload.header
        reads = header.kind == RequestKind.READ
        with m.If(s0_ready):
            m.d.sync += [
                s0_valid.eq(self.i.valid),
                s0_requester.node.eq(header.source),
                s0_requester.tag.eq(header.tag),
                s0_reads.eq(reads),
                s0_has_data.eq(self.i.payload.has_data),
                s0_first.eq(header.address),
                s0_last.eq(header.address + header.length - 1),
                s0_well_formed.eq((header.length != 0) & (header.length <= largest)
                                  & (reads | self.i.payload.has_data)),
            ]

        m.submodules.planner = planner = Planner(address_bits=address_bits,
                                                 data_bytes=self.config.flit_bytes)
        granted = Signal(len(self.windows))
        allowed = Signal()
        m.d.comb += [
            planner.first.eq(s0_first),
            planner.last.eq(s0_last),
            planner.reads.eq(s0_reads),
            granted.eq(Cat(
                Mux(s0_reads, window.read, window.write)
                & (s0_first[page_bits:] >= window.base) & (s0_last[page_bits:] < window.limit)
                for window in self.windows)),
            allowed.eq(granted.any() & ~s0_first[address_bits:].any()
                       & ~s0_last[address_bits:].any()),
        ]
        with m.If(s1_ready):
            m.d.sync += [
                self.o.valid.eq(s0_valid),
                self.o.payload.requester.eq(s0_requester),
                self.o.payload.reads.eq(s0_reads),
                self.o.payload.has_data.eq(s0_has_data),
                self.o.payload.span.eq(planner.span),
                self.o.payload.how.eq(planner.how),
                self.o.payload.how.drop.eq(~s0_well_formed | ~allowed),
            ]
            with m.If(~s0_well_formed):
                m.d.sync += self.o.payload.status.eq(Status.ILLEGAL_FIELD)
            with m.Elif(~allowed):
                m.d.sync += self.o.payload.status.eq(Status.WINDOW)
            with m.Else():
                m.d.sync += self.o.payload.status.eq(Status.OK)
        return m
