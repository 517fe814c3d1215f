"""Packet arbiter: several senders of packets share one network port.

Latency: 0 cycles. Throughput: a header-only packet every cycle. Fair between senders: round robin,
a packet at a time.
"""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .packet import DataFlit, Headed
from .turns import first_after, nobody_before

__all__ = ["PacketArbiter"]


class PacketArbiter(wiring.Component):
    """Merges ``count`` pairs of header and data streams into one pair.

    Members
    -------
    i_header_<n>, i_data_<n> : In(stream of Headed), In(stream of DataFlit)
    o_header, o_data : Out
        To a ``PacketSender``.
    """

    def __init__(self, header, *, flit_bytes, count):
        self.count = count
        headers = stream.Signature(Headed(header))
        flits = stream.Signature(DataFlit(flit_bytes=flit_bytes))
        super().__init__({
            **{f"i_header_{n}": In(headers) for n in range(count)},
            **{f"i_data_{n}": In(flits) for n in range(count)},
            "o_header": Out(headers), "o_data": Out(flits),
        })

    def elaborate(self, platform):
        m = Module()
        count = self.count
        headers = [getattr(self, f"i_header_{n}") for n in range(count)]
        flits = [getattr(self, f"i_data_{n}") for n in range(count)]
        chosen = Signal(range(count))       # of the header offered
        last = Signal(range(count))         # served last: the others go first
        held = Signal()                     # a header offered stays offered
        held_choice = Signal(range(count))
        sending = Signal()                  # data of ``last`` follows

        requests = [header.valid for header in headers]
        valid = Array(requests)
        free = Signal(count)                # that header would be offered
        with m.If(held):
            m.d.comb += [chosen.eq(held_choice), free.eq(1 << held_choice)]
        with m.Else():
            m.d.comb += chosen.eq(last)
            first_after(m, chosen, last, requests)
            nobody_before(m, free, last, requests)
        m.d.comb += [
            self.o_header.valid.eq(valid[chosen] & ~sending),
            self.o_header.payload.eq(Array(header.payload for header in headers)[chosen]),
            self.o_data.valid.eq(Array(flit.valid for flit in flits)[last] & sending),
            self.o_data.payload.eq(Array(flit.payload for flit in flits)[last]),
        ]
        for n in range(count):
            m.d.comb += [
                headers[n].ready.eq(self.o_header.ready & ~sending & free[n]),
                flits[n].ready.eq(self.o_data.ready & sending & (last == n)),
            ]
        m.d.sync += [held.eq(self.o_header.valid & ~self.o_header.ready), held_choice.eq(chosen)]
        with m.If(self.o_header.valid & self.o_header.ready):
            m.d.sync += [last.eq(chosen), sending.eq(self.o_header.payload.has_data)]
        with m.If(self.o_data.valid & self.o_data.ready & self.o_data.payload.last):
            m.d.sync += sending.eq(0)
        return m
