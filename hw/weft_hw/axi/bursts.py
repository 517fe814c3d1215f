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
    """Consecutive beats, 1 to 256: the number of the first (its byte address over ``data_bytes``),
    how many come behind it, the number of the last within its page, and whether that is another
    page than the first's."""

    def __init__(self, *, address_bits, data_bytes):
        lane_bits = exact_log2(data_bytes)
        super().__init__({"first": unsigned(address_bits - lane_bits), "more": unsigned(8),
                          "end": unsigned(exact_log2(PAGE_BYTES) - lane_bits),
                          "crosses": unsigned(1)})


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
        page_bits = exact_log2(PAGE_BYTES // self.data_bytes)

        span = self.i.payload
        rest_page = Signal(self.address_bits - lane_bits - page_bits, reset_less=True)
        rest_length = Signal(8, reset_less=True)
        free = Signal()
        valid, rest = Signal(), Signal()  # a burst is offered, one more follows it: next
        rest_valid = Signal()
        # how ready this is: at once, or with ``o``; beside the registers that say so too, since
        # others wait for it
        is_open, ends = Signal(init=1), Signal()
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            valid.eq(Mux(free, rest_valid | self.i.valid, self.o.valid)),
            rest.eq(Mux(free, ~rest_valid & self.i.valid & span.crosses, rest_valid)),
            self.i.ready.eq(is_open | ends & self.o.ready),
        ]
        m.d.sync += [
            self.o.valid.eq(valid),
            rest_valid.eq(rest),
            is_open.eq(~valid),
            ends.eq(valid & ~rest),
        ]
        with m.If(free):
            m.d.sync += [
                rest_page.eq(span.first[page_bits:] + 1),
                rest_length.eq(span.end[:8]),
            ]
            with m.If(rest_valid):
                m.d.sync += [
                    self.o.payload.address.eq(rest_page << (page_bits + lane_bits)),
                    self.o.payload.length.eq(rest_length),
                ]
            with m.Else():
                m.d.sync += [
                    self.o.payload.address.eq(span.first << lane_bits),
                    # to the page's end
                    self.o.payload.length.eq(
                        Mux(span.crosses, ~span.first[:page_bits], span.more)[:8]),
                ]
        return m
