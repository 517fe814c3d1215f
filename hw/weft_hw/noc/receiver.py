"""From packets to headers and data."""

from amaranth.hdl import Assert, Cat, Module, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .packet import DataFlit, Flit, Headed
from .sender import header_flits

__all__ = ["PacketReceiver"]


class PacketReceiver(wiring.Component):
    """Splits packets into header and data; a header is accepted before its data flows, and all data
    before the next header. The last flit of a header waits in the network until the header is
    accepted.

    Latency: 0 cycles (``o_header`` and ``o_data`` are combinational from ``i``).  Throughput: 1
    flit a cycle, without a pause between header, data and packets.

    Parameters
    ----------
    header : layout
    flit_bytes : int

    Members
    -------
    i : In(stream of Flit)
    o_header : Out(stream of Headed(header))
    o_data : Out(stream of DataFlit)
    """

    def __init__(self, header, flit_bytes):
        self.flits = header_flits(header, flit_bytes)
        super().__init__({
            "i": In(stream.Signature(Flit(flit_bytes=flit_bytes))),
            "o_header": Out(stream.Signature(Headed(header))),
            "o_data": Out(stream.Signature(DataFlit(flit_bytes=flit_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        in_data = Signal()
        index = Signal(max(1, (self.flits - 1).bit_length()))
        at_end = Signal()
        flit = self.i.payload.data
        header = flit
        if self.flits > 1:
            # reset-less: complete when the last flit is there
            early = Signal((self.flits - 1) * len(flit), reset_less=True)
            header = Cat(early, flit)
            with m.If(self.i.valid & ~in_data & ~at_end):
                m.d.sync += early.eq(header[len(flit):])

        m.d.comb += [
            at_end.eq(index == self.flits - 1),
            self.o_header.payload.header.eq(header),
            self.o_header.payload.has_data.eq(~self.i.payload.last),
            self.o_data.payload.eq(self.i.payload),
        ]
        with m.If(in_data):
            m.d.comb += [self.o_data.valid.eq(self.i.valid), self.i.ready.eq(self.o_data.ready)]
        with m.Elif(at_end):
            m.d.comb += [self.o_header.valid.eq(self.i.valid), self.i.ready.eq(self.o_header.ready)]
        with m.Else():
            m.d.comb += self.i.ready.eq(1)

        with m.If(self.i.valid & self.i.ready):
            with m.If(in_data | at_end):
                m.d.sync += [index.eq(0), in_data.eq(~self.i.payload.last)]
            with m.Else():
                m.d.sync += index.eq(index + 1)
        m.d.sync += Assert(ResetSignal() | ~self.i.valid | ~self.i.payload.last | in_data | at_end,
                           "a packet must not end inside its header")
        return m
