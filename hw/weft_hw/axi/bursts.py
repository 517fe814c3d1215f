"""Bursts: the streams behind an AXI4 manager's channels, and the splitter that keeps them inside
4 KiB pages."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

__all__ = ["PAGE_BYTES", "Burst", "BurstSplitter", "ReadBeat", "Span", "WriteBeat"]

#: No burst crosses a multiple of this (ARM IHI 0022, A3.4.1).
PAGE_BYTES = 4096


class Burst(data.StructLayout):
    """An address channel's payload. ``length`` is beats - 1; the low address bits within a beat are
    zero."""

    def __init__(self, *, address_bits):
        super().__init__({"address": unsigned(address_bits), "length": unsigned(8)})


class ReadBeat(data.StructLayout):
    """A beat of read data, whether it is an error."""

    def __init__(self, *, data_bytes):
        super().__init__({"data": unsigned(8 * data_bytes), "error": unsigned(1)})


class WriteBeat(data.StructLayout):
    """A beat of write data. ``last`` ends the burst."""

    def __init__(self, *, data_bytes):
        super().__init__({"data": unsigned(8 * data_bytes), "strobe": unsigned(data_bytes),
                          "last": unsigned(1)})


class Span(data.StructLayout):
    """Consecutive beats: the number of the first (its byte address over ``data_bytes``) and how
    many, 1 to 256."""

    def __init__(self, *, address_bits, data_bytes):
        super().__init__({"first": unsigned(address_bits - exact_log2(data_bytes)),
                          "beats": unsigned(9)})


class BurstSplitter(wiring.Component):
    """Turns a span into one burst, or two where it crosses a 4 KiB boundary. A span is at most 4
    KiB long and its sum stays inside the address space.

    Latency: 1 cycle.  Throughput: one burst per cycle.

    Members
    -------
    i : In(stream of Span)
    o : Out(stream of Burst)
    """

    def __init__(self, *, address_bits, data_bytes):
        self.address_bits = address_bits
        self.data_bytes = data_bytes
        super().__init__({
            "i": In(stream.Signature(Span(address_bits=address_bits, data_bytes=data_bytes))),
            "o": Out(stream.Signature(Burst(address_bits=address_bits))),
        })

    def elaborate(self, platform):
        m = Module()
        lane_bits = exact_log2(self.data_bytes)
        page_beats = PAGE_BYTES // self.data_bytes
        page_bits = exact_log2(page_beats)

        span = self.i.payload
        to_boundary = Signal(range(page_beats + 1))
        crosses = Signal()
        rest_valid = Signal()
        rest_page = Signal(self.address_bits - lane_bits - page_bits, reset_less=True)
        rest_length = Signal(8, reset_less=True)
        free = ~self.o.valid | self.o.ready
        m.d.comb += [
            to_boundary.eq(page_beats - span.first[:page_bits]),
            crosses.eq(span.beats > to_boundary),
            self.i.ready.eq(free & ~rest_valid),
        ]

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(free & rest_valid):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.address.eq(rest_page << (page_bits + lane_bits)),
                self.o.payload.length.eq(rest_length),
                rest_valid.eq(0),
            ]
        with m.Elif(free & self.i.valid):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.address.eq(span.first << lane_bits),
                self.o.payload.length.eq((Mux(crosses, to_boundary, span.beats) - 1)[:8]),
                rest_valid.eq(crosses),
                rest_page.eq(span.first[page_bits:] + 1),
                rest_length.eq((span.beats - to_boundary - 1)[:8]),
            ]
        return m
