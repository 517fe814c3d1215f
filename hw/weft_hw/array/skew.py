"""Skew: delays lane i of a vector by a number of cycles that depends on i, as a wavefront needs."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skew"]


class Skew(wiring.Component):
    """Delays lane ``i`` (``bits`` wide) by ``delays[i]`` cycles. One shift register a lane;
    reset-less, because validity is tracked beside it."""

    def __init__(self, *, bits, delays):
        self.bits = bits
        self.delays = tuple(delays)
        super().__init__({"i": In(bits * len(self.delays)), "o": Out(bits * len(self.delays))})

    def elaborate(self, platform):
        m = Module()
        lanes = []
        for index, delay in enumerate(self.delays):
            lane = self.i.word_select(index, self.bits)
            if delay:
                line = Signal(self.bits * delay, reset_less=True, name=f"line_{index}")
                m.d.sync += line.eq(Cat(lane, line))
                lane = line[-self.bits:]
            lanes.append(lane)
        m.d.comb += self.o.eq(Cat(lanes))
        return m
