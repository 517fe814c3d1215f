"""The address generator of both DMA engines: from a walk (a whole transfer) to its accesses (one
request or one fill each).

```
 walk --> s0 (nest of counters) --> s1 (access, range-checked) --> access
```

A walk is a nest of counters. The innermost runs over the packets of a memory row, of
``max_packet_bytes`` each but for the last; the next over rows, and in a tensor walk three more over
repetitions of them. Each level has a start and a stride on either side (memory bytes, scratchpad
rows). Whether a padded row is outside its image is decided between s0 and s1: then its accesses
fill in place of requests.

An access that touches anything beyond the address space or the scratchpad is not made: it becomes
the last access of its walk, with a status in place of a request. So a step always starts inside,
and addresses with a bit to spare never wrap by accident; memory addresses wrap where an outer loop
steps, and with each row if the walk is padded. The rows of a gather begin where ``gather.py`` says.

Latency: walk taken in cycle t, first access offered in t + 2. Throughput: an access a cycle, across
the ends of loops and walks too, whether it fills or not. A gather's first access comes in t + 12 if
its first read of indices is granted at once; each of its rows takes a cycle before its accesses,
and rows begin at least 4 cycles apart.
"""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..memory.port import ReadPort
from .faults import Faults
from .gather import RowStart
from .nest import Counter, Side
from .tensor import add_gather, add_padding, add_strips
from .walk import COUNT_BITS, LOCAL_BITS, Access, Walk

__all__ = ["Pattern"]


class Pattern(wiring.Component):
    """Walks to accesses.

    Members
    -------
    walk : In(stream.Signature(Walk))
    access : Out(stream.Signature(Access))
    faulty : Out(1)
        its status is not OK
    stop : In(1)
        ends the walk in progress: its next access has status ABORTED and is its last. Walks taken
        meanwhile end so too.
    ended : Out(1)
        pulse: the last access of a walk has left s0. Walks that ``stop`` concerns are those that
        have not.
    killed : Out(1)
        pulse: the strips that follow the last walk taken are not to come
    indices : Out(ReadPort)
        of a gather; if ``tensor``
    """

    def __init__(self, config, *, tensor=False):
        self.config = config
        self.tensor = tensor
        self.strips = tensor and config.tile.transpose
        tile = config.tile
        indices = ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)
        walk = Walk(config, tensor=tensor, strips=self.strips)
        super().__init__({
            "walk": In(stream.Signature(walk)),
            "access": Out(stream.Signature(Access(config, tensor=tensor))),
            "faulty": Out(1),
            "stop": In(1),
            "ended": Out(1),
            "killed": Out(1),
            **({"indices": Out(indices)} if tensor else {}),
        })

    def elaborate(self, platform):
        m = Module()
        packet_bytes = self.config.mesh.max_packet_bytes
        flit_bits, packet_bits = ceil_log2(self.config.flit_bytes), ceil_log2(packet_bytes)
        address_bits = self.config.host.address_bits
        scratchpad_rows = self.config.tile.scratchpad_rows
        walk, access = self.walk.payload, self.access.payload
        loops = (1, 2, 3) if self.tensor else ()
        memory_strides = [walk.stride, *(walk[f"memory_stride_{i}"] for i in loops)]
        local_strides = [walk.local_stride, *(walk[f"local_stride_{i}"] for i in loops)]

        s0_valid, s0_illegal, s0_endpoint = Signal(), Signal(), Signal(4)
        memory = Side("memory", bits=len(walk.address), limit_bits=address_bits,
                      strides=[stride.shape() for stride in memory_strides])
        local = Side("local", bits=LOCAL_BITS, limit_bits=ceil_log2(scratchpad_rows),
                     strides=[stride.shape() for stride in local_strides])
        # a run of rows that became one is repeated only by outer loops
        packets = Counter("packets", bits=2 * COUNT_BITS - packet_bits,
                          again_bits=(2 if self.tensor else 1) * COUNT_BITS - packet_bits)
        rows = Counter("rows", bits=COUNT_BITS)
        more = [Counter(f"more_{i}", bits=len(walk[f"more_{i}"])) for i in loops]
        nest = [packets, rows, *more]
        s0_tail_less_one = Signal(packet_bits)
        # a strip; one with more to come; one that has begun and goes through
        s0_strip, s0_more, s0_begun = Signal(), Signal(), Signal()

        s1_valid, s1_last, s1_faulty, s1_faults = Signal(), Signal(), Signal(), Signal(Faults)
        s1_row, s1_address = Signal(LOCAL_BITS), Signal(address_bits)
        s1_length_less_one, s1_endpoint = Signal(packet_bits), Signal(4)

        # s1 to the output
        m.d.comb += [
            self.access.valid.eq(s1_valid),
            self.faulty.eq(s1_faulty),
            access.last.eq(s1_last),
            access.endpoint.eq(s1_endpoint),
            access.length.eq(s1_length_less_one + 1),
            access.flits_less_one.eq(s1_length_less_one[flit_bits:]),
            access.row.eq(s1_row[:ceil_log2(scratchpad_rows)]),
        ]
        s1_faults.describe(m, access, row=s1_row, address=s1_address,
                           scratchpad_rows=scratchpad_rows)

        # s0 moves: empty, or its access goes to s1; then, if it was the last, a walk comes in. The
        # rest of a walk is dropped in the cycle after its access has entered s1 and is faulty
        kill, moves, free, emit, final = Signal(), Signal(), Signal(), Signal(), Signal()
        enters, waits, s1_moves, both = Signal(), Signal(), Signal(), Signal()
        ends, so_far = [], Const(1)
        for counter in nest:
            so_far = so_far & counter.last
            ends.append(so_far)
        m.d.comb += [
            s1_moves.eq(~s1_valid | self.access.ready),
            moves.eq(~kill & (~s0_valid | (~waits & (~both | self.access.ready)))),
            emit.eq(moves & s0_valid),
            final.eq(ends[-1]),
            free.eq(~s0_valid | final),
            self.ended.eq((emit & final & ~s0_more) | kill),
            self.killed.eq(kill & s0_more),
            self.walk.ready.eq(moves & free),
            enters.eq(self.walk.valid & self.walk.ready),
        ]

        # s0 to s1
        if self.tensor:
            fills, wraps = add_padding(m, walk, access, ends, moves, free, s1_moves)
            start = add_gather(m, self, ends, moves, free, enters, waits, memory.here)
        else:
            fills, wraps, start = Const(0), None, RowStart(address_bits=1).const(None)
        length_less_one = Mux(packets.last, s0_tail_less_one, packet_bytes - 1)
        local_begins, local_ends = local.outside(length_less_one[flit_bits:])
        _, memory_ends = memory.outside(length_less_one)
        faults, faulty, last = Signal(Faults), Signal(), Signal()
        m.d.comb += [
            faults.stopped.eq(self.stop & ~s0_begun),
            faults.illegal.eq(s0_illegal),
            faults.bad_index.eq(start.bad),
            faults.local_begins.eq(local_begins | start.outside),
            faults.local_ends.eq(Mux(s0_strip, local_begins, local_ends) | start.outside),
            faults.memory_ends.eq(memory_ends & ~fills),
            faulty.eq(faults.any()),
            last.eq(final & ~s0_more),
        ]
        # ``both`` are valid: in a register, so that each stage moves straight from ``ready``
        s0_next, s1_next = Signal(), Signal()
        m.d.comb += [
            s0_next.eq(~kill & Mux(moves, ~free | self.walk.valid, s0_valid)),
            s1_next.eq(Mux(s1_moves, emit, 1)),
        ]
        m.d.sync += [
            s0_valid.eq(s0_next), s1_valid.eq(s1_next), both.eq(s0_next & s1_next),
            kill.eq(emit & faulty & ~last),
        ]
        with m.If(s1_moves):
            m.d.sync += [
                s1_last.eq(last | faulty),
                s1_faulty.eq(faulty),
                s1_faults.eq(faults),
                s1_row.eq(Mux(start.bad | start.outside, start.row, local.here)),
                s1_address.eq(memory.here[:address_bits]),
                s1_length_less_one.eq(length_less_one),
                s1_endpoint.eq(s0_endpoint),
            ]

        if self.strips:
            add_strips(m, walk, access, rows, moves, free, s1_moves, s0_strip, s0_begun)
            # of the walk taken last, be it gone already
            with m.If(enters):
                m.d.sync += s0_more.eq(walk.more)

        # s0: whether a walk comes in or the one there goes on is known before ``moves``; and what
        # the last access does not look at follows the next walk, as nothing needs it any more
        lasts = [counter.last for counter in nest]
        memory.look_ahead(m, lasts, packet_bytes, wraps)
        local.look_ahead(m, lasts, packet_bytes >> flit_bits)
        with m.If(free):
            m.d.sync += [
                memory.load_strides(memory_strides),
                local.load_strides(local_strides),
                packets.load_again(walk.row_bytes_less_one[packet_bits:]),
                rows.load_again(walk.rows_less_one),
                *(counter.load_again(walk[f"more_{i}"])
                  for i, counter in zip(loops, more, strict=True)),
            ]
        with m.If(moves):
            with m.If(free):
                m.d.sync += [
                    s0_illegal.eq(walk.illegal),
                    s0_endpoint.eq(walk.endpoint),
                    memory.load(walk.address),
                    local.load(walk.local_row),
                    packets.load(walk.row_bytes_less_one[packet_bits:]),
                    rows.load(walk.rows_less_one),
                    s0_tail_less_one.eq(walk.row_bytes_less_one[:packet_bits]),
                    *(counter.load(walk[f"more_{i}"])
                      for i, counter in zip(loops, more, strict=True)),
                ]
            with m.Else():
                m.d.sync += packets.step()
                for end, counter in zip(ends, nest[1:], strict=False):
                    with m.If(end):
                        m.d.sync += counter.step()
                memory.step(m, ends)
                local.step(m, ends)
        return m
