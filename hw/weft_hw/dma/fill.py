"""Fills: scratchpad rows that the load engine writes itself, for padding and for FILL.

```
 job --> FIFO --> offset in the job at hand --> beat
```

Latency: job taken in cycle t, its first beat offered in t + 1. Throughput: a beat (a scratchpad
row) a cycle, across jobs too. ``FILL_JOBS`` jobs wait, so that requests go on meanwhile.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from ..memory.port import WriteBeat

__all__ = ["FILL_JOBS", "FillJob", "Filler", "LocalBeat"]

#: Jobs that may wait or run.
FILL_JOBS = 8


class FillJob(data.StructLayout):
    """Rows ``row`` to ``row + flits_less_one`` become ``value`` repeated; of the last, the first
    ``tail_less_one + 1`` bytes, and the others zero.
    """

    def __init__(self, config):
        super().__init__({
            "tag": unsigned(8),
            "row": range(config.tile.scratchpad_rows),
            "flits_less_one": range(config.mesh.max_packet_bytes // config.flit_bytes),
            "tail_less_one": range(config.flit_bytes),
            "value": unsigned(32),
        })


class LocalBeat(data.StructLayout):
    """A row that is written though it is not a response; with ``last``, request ``tag`` is complete
    when it is.
    """

    def __init__(self, config):
        tile = config.tile
        super().__init__({
            "tag": unsigned(8),
            "last": unsigned(1),
            "beat": WriteBeat(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes),
        })


class Filler(wiring.Component):
    """Jobs to rows.

    Members
    -------
    job : In(stream.Signature(FillJob))
    beat : Out(stream.Signature(LocalBeat))
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "job": In(stream.Signature(FillJob(config))),
            "beat": Out(stream.Signature(LocalBeat(config))),
        })

    def elaborate(self, platform):
        m = Module()
        layout = self.job.payload.shape()
        m.submodules.jobs = jobs = fifo.SyncFIFO(width=layout.size, depth=FILL_JOBS)
        job, offset, beat = Signal(layout), Signal(layout["flits_less_one"].shape), self.beat
        last = Signal()
        m.d.comb += [
            self.job.ready.eq(jobs.w_rdy),
            jobs.w_en.eq(self.job.valid),
            jobs.w_data.eq(self.job.payload),
            job.eq(jobs.r_data),
            last.eq(offset == job.flits_less_one),
            beat.valid.eq(jobs.r_rdy),
            beat.payload.tag.eq(job.tag),
            beat.payload.last.eq(last),
            beat.payload.beat.row.eq(job.row + offset),
            jobs.r_en.eq(beat.ready & last),
        ]
        for byte in range(self.config.flit_bytes):
            kept = ~last | (byte <= job.tail_less_one)
            value = job.value.word_select(byte % 4, 8)
            m.d.comb += beat.payload.beat.data.word_select(byte, 8).eq(Mux(kept, value, 0))
        with m.If(beat.valid & beat.ready):
            m.d.sync += offset.eq(Mux(last, 0, offset + 1))
        return m
