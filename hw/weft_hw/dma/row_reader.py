"""Reads the data of WRITE packets from the scratchpad, ahead of sending it.

```
 job --> s0 (row, flits left) --> read.request .. READ_LATENCY .. read.response --> mask --> FIFO
```

A read is asked for only if the FIFO has room for its answer, which cannot be stalled. Bytes after
the last one of the access are zero.

Latency: access taken in cycle t, first read offered in t + 1; read granted in t, its flit offered
in t + READ_LATENCY + 1. Throughput: a flit a cycle, across accesses too.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from ..memory.port import READ_LATENCY, ReadPort
from ..noc.packet import DataFlit

__all__ = ["FIFO_FLITS", "ReadJob", "RowReader"]

#: Flits the reader may be ahead: covers READ_LATENCY and the headers between short packets.
FIFO_FLITS = 16


class ReadJob(data.StructLayout):
    """Rows ``row`` to ``row + flits_less_one``; of the last, the first ``tail_less_one + 1`` bytes.
    """

    def __init__(self, config):
        super().__init__({
            "row": range(config.tile.scratchpad_rows),
            "flits_less_one": range(config.mesh.max_packet_bytes // config.flit_bytes),
            "tail_less_one": range(config.flit_bytes),
        })


class RowReader(wiring.Component):
    """Scratchpad rows to data flits.

    Members
    -------
    job : In(stream.Signature(ReadJob))
    read : Out(ReadPort)
    data : Out(stream.Signature(DataFlit))
    enough, enough_after, after : In
        flits that are to be there in the next cycle for ``flows``: the first, or with ``after`` the
        second of the numbers
    flows : Out(1)
        ``data`` can deliver as many from the next cycle on without a pause; or one, and no read was
        refused in the last ``FIFO_FLITS - 1`` cycles
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "job": In(stream.Signature(ReadJob(config))),
            "read": Out(ReadPort(rows=config.tile.scratchpad_rows, row_bits=8 * config.flit_bytes)),
            "data": Out(stream.Signature(DataFlit(flit_bytes=config.flit_bytes))),
            "enough": In(range(FIFO_FLITS + 1)),
            "enough_after": In(range(FIFO_FLITS + 1)),
            "after": In(1),
            "flows": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        job = self.job.payload
        flit_shape = self.data.payload.shape()
        m.submodules.flits = flits = fifo.SyncFIFO(width=flit_shape.size, depth=FIFO_FLITS)

        # s0: one read a cycle; whether the next job comes in is known before the grant
        s0_valid, s0_last, s0_ends = Signal(), Signal(), Signal()
        s0_row, s0_left = Signal.like(job.row), Signal.like(job.flits_less_one)
        s0_tail_less_one = Signal.like(job.tail_less_one)
        granted, pops = Signal(), Signal()
        room, has_room = Signal(range(FIFO_FLITS + 1), init=FIFO_FLITS), Signal(init=1)
        m.d.comb += [
            self.read.request.valid.eq(s0_valid & has_room),
            self.read.request.payload.eq(s0_row),
            granted.eq(self.read.request.valid & self.read.request.ready),
            s0_ends.eq(~s0_valid | s0_last),
            self.job.ready.eq(~s0_valid | (granted & s0_last)),
            pops.eq(self.data.valid & self.data.ready),
        ]
        m.d.sync += [
            room.eq(room - granted + pops),
            has_room.eq(pops | Mux(granted, room != 1, room != 0)),
        ]
        with m.If(~s0_valid | granted):
            with m.If(s0_ends):
                m.d.sync += [
                    s0_valid.eq(self.job.valid),
                    s0_row.eq(job.row),
                    s0_left.eq(job.flits_less_one),
                    s0_last.eq(job.flits_less_one == 0),
                    s0_tail_less_one.eq(job.tail_less_one),
                ]
            with m.Else():
                m.d.sync += [
                    s0_row.eq(s0_row + 1), s0_left.eq(s0_left - 1), s0_last.eq(s0_left == 1)]

        # beside the memory's own latency: what to make of the answer
        last, tail_less_one = granted & s0_last, s0_tail_less_one
        for stage in range(1, READ_LATENCY + 1):
            next_last = Signal(name=f"s{stage}_last")
            next_tail_less_one = Signal.like(job.tail_less_one, name=f"s{stage}_tail_less_one")
            m.d.sync += [next_last.eq(last), next_tail_less_one.eq(tail_less_one)]
            last, tail_less_one = next_last, next_tail_less_one

        answer = self.read.response
        flit = Signal(flit_shape)
        m.d.comb += [flit.last.eq(last), flits.w_data.eq(flit), flits.w_en.eq(answer.valid)]
        m.d.comb += flit.data[:8].eq(answer.payload[:8])
        for byte in range(1, self.config.flit_bytes):
            kept = ~last | (byte <= tail_less_one)
            value = answer.payload.word_select(byte, 8)
            m.d.comb += flit.data.word_select(byte, 8).eq(Mux(kept, value, 0))

        m.d.comb += [
            self.data.valid.eq(flits.r_rdy),
            self.data.payload.eq(flits.r_data),
            flits.r_en.eq(self.data.ready),
        ]
        # level of the FIFO and the answer that comes, which has room: counted a cycle ahead
        comes = granted
        for stage in range(1, READ_LATENCY):
            later = Signal(name=f"s{stage}_comes")
            m.d.sync += later.eq(comes)
            comes = later
        waiting = Signal(range(FIFO_FLITS + 1))
        m.d.sync += waiting.eq(waiting + comes - pops)

        # as many cycles without a refusal as the FIFO could hide
        calm = Signal(range(FIFO_FLITS), init=FIFO_FLITS - 1)
        refused = self.read.request.valid & ~self.read.request.ready
        with m.If(refused):
            m.d.sync += calm.eq(0)
        with m.Elif(calm != FIFO_FLITS - 1):
            m.d.sync += calm.eq(calm + 1)
        smooth = (calm >= FIFO_FLITS - 2) & ~refused

        def flows(there):
            all_there = Mux(self.after, there >= self.enough_after, there >= self.enough)
            return all_there | ((there != 0) & smooth)

        m.d.sync += self.flows.eq(
            Mux(pops, flows(waiting + comes - 1), flows(waiting + comes)))
        return m
