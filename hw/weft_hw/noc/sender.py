"""From headers and data to packets."""

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .packet import DataFlit, Flit, Headed

__all__ = ["PacketSender", "header_flits"]


def header_flits(header, flit_bytes):
    """Flits that a header takes."""
    return -(-Shape.cast(header).width // (8 * flit_bytes))


class PacketSender(wiring.Component):
    """Sends a header in as many flits as it needs, then, if it has data, data flits up to ``last``.

    A header is taken with its last flit, so it may change only then; data is not taken before its
    header.

    Latency: 0 cycles (``o`` is combinational from ``i_header`` and ``i_data``).  Throughput: 1 flit
    a cycle, without a pause between packets.

    Parameters
    ----------
    header : layout
    flit_bytes : int

    Members
    -------
    i_header : In(stream of Headed(header))
    i_data : In(stream of DataFlit)
    o : Out(stream of Flit)
    """

    def __init__(self, header, flit_bytes):
        self.flits = header_flits(header, flit_bytes)
        super().__init__({
            "i_header": In(stream.Signature(Headed(header))),
            "i_data": In(stream.Signature(DataFlit(flit_bytes=flit_bytes))),
            "o": Out(stream.Signature(Flit(flit_bytes=flit_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        in_data = Signal()
        index = Signal(max(1, (self.flits - 1).bit_length()))
        at_end = Signal()
        header = self.i_header.payload.header.as_value()
        flit_bits = len(self.o.payload.data)

        m.d.comb += at_end.eq(index == self.flits - 1)
        with m.If(in_data):
            m.d.comb += [
                self.o.valid.eq(self.i_data.valid),
                self.o.payload.eq(self.i_data.payload),
                self.i_data.ready.eq(self.o.ready),
            ]
        with m.Else():
            m.d.comb += [
                self.o.valid.eq(self.i_header.valid),
                self.o.payload.data.eq(header.word_select(index, flit_bits)),
                self.o.payload.last.eq(at_end & ~self.i_header.payload.has_data),
                self.i_header.ready.eq(at_end & self.o.ready),
            ]

        with m.If(self.o.valid & self.o.ready):
            with m.If(in_data):
                m.d.sync += in_data.eq(~self.i_data.payload.last)
            with m.Elif(at_end):
                m.d.sync += [index.eq(0), in_data.eq(self.i_header.payload.has_data)]
            with m.Else():
                m.d.sync += index.eq(index + 1)
        return m
