"""Moves the bytes of a run of words by a number of lanes, one word per cycle.

Reads need it to bring the first byte to lane 0, writes to bring lane 0 to the first byte's address.
Both are the same: rotate every word left by ``shift`` lanes, then take the lanes below ``shift``
from the word before.

::

    read of 6 bytes at offset 1, 4 lanes: shift 3, skip, flush

    in       .ABC   DEF.
    rotated  ABC.   EF.D
    out             ABCD   EF       (the first word gives no output, the flush the rest)
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..noc.packet import DataFlit

__all__ = ["Realigned", "Realigner", "Realignment"]


class Realignment(data.StructLayout):
    """How one run of words is moved.

    ``skip``: the first word gives no output of its own. ``flush``: after the last word one more
    output holds what is left. ``head`` and ``tail``: first lane of the first output and last lane
    of the last output that count. ``drop``: the run is swallowed, and one empty ``dropped`` output
    marks its end.
    """

    def __init__(self, *, data_bytes):
        lane = unsigned(exact_log2(data_bytes))
        super().__init__({"shift": lane, "head": lane, "tail": lane, "skip": unsigned(1),
                          "flush": unsigned(1), "drop": unsigned(1)})


class Realigned(data.StructLayout):
    """An output word: ``lanes`` says which bytes count, ``last`` ends the run."""

    def __init__(self, *, data_bytes):
        super().__init__({"data": unsigned(8 * data_bytes), "lanes": unsigned(data_bytes),
                          "last": unsigned(1), "dropped": unsigned(1)})


class Realigner(wiring.Component):
    """Realigns runs of words, each by its own ``Realignment``.

    Latency: 1 cycle.  Throughput: one word per cycle; a run takes one cycle more than it has inputs
    where it flushes.

    Members
    -------
    how : In(stream of Realignment)
        one for each run, taken when the run ends
    i : In(stream of DataFlit)
    o : Out(stream of Realigned)
    """

    def __init__(self, *, data_bytes):
        self.data_bytes = data_bytes
        super().__init__({
            "how": In(stream.Signature(Realignment(data_bytes=data_bytes))),
            "i": In(stream.Signature(DataFlit(flit_bytes=data_bytes))),
            "o": Out(stream.Signature(Realigned(data_bytes=data_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        count = self.data_bytes
        how = self.how.payload
        word = self.i.payload

        current = word.data
        for level in range(exact_log2(count)):
            rotated = Signal(8 * count, name=f"rotated{level}")
            m.d.comb += rotated.eq(Mux(how.shift[level], current.rotate_left(8 << level), current))
            current = rotated
        previous = Signal(8 * count, reset_less=True)
        from_previous = Signal(count)
        m.d.comb += from_previous.eq(((1 << how.shift) - 1)[:count])
        merged = Cat(
            Mux(from_previous[lane], previous.word_select(lane, 8), current.word_select(lane, 8))
            for lane in range(count))

        first = Signal(init=1)
        flushing = Signal()
        space = Signal()
        silent = Signal()
        take = Signal()
        final = Signal()
        m.d.comb += [
            space.eq(~self.o.valid | self.o.ready),
            # this word gives no output
            silent.eq(Mux(how.drop, ~word.last, first & how.skip)),
            self.i.ready.eq(self.how.valid & ~flushing & (silent | space)),
            take.eq(self.i.valid & self.i.ready),
            # this output is the run's last, where there is space for one
            final.eq(flushing | self.how.valid & self.i.valid & word.last
                     & (~how.flush | how.drop)),
            self.how.ready.eq(final & (~flushing & silent | space)),
        ]
        with m.If(take):
            m.d.sync += [
                previous.eq(current),
                first.eq(0),
                flushing.eq(word.last & how.flush & ~how.drop),
            ]
        with m.If(self.how.ready):
            m.d.sync += [first.eq(1), flushing.eq(0)]

        # ``space`` comes late; an output that is not valid does not matter
        with m.If(space):
            m.d.sync += [
                self.o.valid.eq(flushing | self.how.valid & self.i.valid & ~silent),
                self.o.payload.data.eq(merged),
                self.o.payload.lanes.eq(
                    Mux(first, ((1 << count) - 1) << how.head, (1 << count) - 1)[:count]
                    & Mux(final, (2 << how.tail) - 1, (1 << count) - 1)[:count]),
                self.o.payload.last.eq(final),
                self.o.payload.dropped.eq(how.drop),
            ]
        return m
