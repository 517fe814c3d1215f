"""The address generator of both DMA engines: from a walk (a whole transfer) to its accesses (one
request each).

```
 walk --> s0 (counters: packets in a row, rows) --> s1 (access, range-checked) --> access
```

A walk is a nest of counters. The innermost runs over the packets of a memory row, of
``max_packet_bytes`` each but for the last; the next over rows. Each level has a start and a stride
on either side (memory bytes, scratchpad rows), so a further dimension is one more level of
``_Side`` starts and one more counter, and a padding or gather rule is a decision in s1, where every
access is still a proposal.

An access that touches anything beyond the address space or the scratchpad is not made: it becomes
the last access of its walk, with a status in place of a request. So a step always starts inside,
and addresses with a bit to spare never wrap.

Latency: walk taken in cycle t, first access offered in t + 2. Throughput: an access a cycle, across
walks too.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa import Status

__all__ = ["Access", "Pattern", "Walk"]

#: Widths of the fields of a command (``isa.LoadCommand``).
STRIDE_BITS, LOCAL_BITS, LOCAL_STRIDE_BITS, COUNT_BITS = 32, 32, 16, 16


class Walk(data.StructLayout):
    """A transfer, ready to run. Sizes are given less one, so that a size of zero cannot be said.

    ``address`` has a bit more than an address of memory and than a stride; higher bits of a
    command's address count as that bit. ``illegal`` makes the walk one access that ends in
    ILLEGAL_FIELD.
    """

    def __init__(self, *, address_bits):
        super().__init__({
            "address": unsigned(max(address_bits, STRIDE_BITS) + 1),
            "stride": unsigned(STRIDE_BITS),
            "row_bytes_less_one": unsigned(2 * COUNT_BITS),
            "rows_less_one": unsigned(COUNT_BITS),
            "local_row": unsigned(LOCAL_BITS),
            "local_stride": unsigned(LOCAL_STRIDE_BITS),
            "endpoint": unsigned(4),
            "illegal": unsigned(1),
        })


class Access(data.StructLayout):
    """One request, or the reason why there is none.

    If ``status`` is OK: ``length`` bytes at memory byte ``address``, ``flits_less_one + 1``
    scratchpad rows from ``row`` on. Otherwise no request is made, ``address`` is the first
    scratchpad row beyond the end (LOCAL_RANGE), the last byte of the address space (WINDOW: beyond
    it) or 0, and ``last`` is set. ``last`` ends the command.
    """

    def __init__(self, config):
        super().__init__({
            "status": Status,
            "last": unsigned(1),
            "endpoint": unsigned(4),
            "length": unsigned(13),
            "flits_less_one": range(config.mesh.max_packet_bytes // config.flit_bytes),
            "row": range(config.tile.scratchpad_rows),
            "address": unsigned(max(32, config.host.address_bits)),
        })


class _Side:
    """One side of a walk, memory bytes or scratchpad rows: where the access in hand begins
    (``here``) and where its row began (``start``). Addresses of ``limit_bits`` lie inside.
    """

    def __init__(self, name, *, bits, limit_bits, stride_bits):
        self.limit_bits = limit_bits
        self.here = Signal(bits, name=f"s0_{name}")
        self.start = Signal(bits, name=f"s0_{name}_start")
        self.stride = Signal(stride_bits, name=f"s0_{name}_stride")

    def next(self, row_ends, packet):
        """Where the next access begins: a stride after this row's start, or a packet further on."""
        total = Mux(row_ends, self.start, self.here) + Mux(row_ends, self.stride, packet)
        return total[:len(self.here)]

    def outside(self, offset):
        """Whether the access begins outside, and whether it or its end (at ``offset``) does."""
        begins = self.here[self.limit_bits:].any()
        end = self.here[:self.limit_bits] + offset
        return begins, begins | end[self.limit_bits:].any()


class Pattern(wiring.Component):
    """Walks to accesses.

    Members
    -------
    walk : In(stream.Signature(Walk))
    access : Out(stream.Signature(Access))
    stop : In(1)
        ends the walk in progress: its next access has status ABORTED and is its last. Walks taken
        meanwhile end so too.
    ended : Out(1)
        pulse: the last access of a walk has left s0. Walks that ``stop`` concerns are those that
        have not.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "walk": In(stream.Signature(Walk(address_bits=config.host.address_bits))),
            "access": Out(stream.Signature(Access(config))),
            "stop": In(1),
            "ended": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        packet_bytes = self.config.mesh.max_packet_bytes
        flit_bits, packet_bits = ceil_log2(self.config.flit_bytes), ceil_log2(packet_bytes)
        address_bits = self.config.host.address_bits
        scratchpad_rows = self.config.tile.scratchpad_rows
        walk, access = self.walk.payload, self.access.payload

        s0_valid, s0_illegal, s0_endpoint = Signal(), Signal(), Signal(4)
        memory = _Side("memory", bits=len(walk.address), limit_bits=address_bits,
                       stride_bits=STRIDE_BITS)
        local = _Side("local", bits=LOCAL_BITS, limit_bits=ceil_log2(scratchpad_rows),
                      stride_bits=LOCAL_STRIDE_BITS)
        s0_rows = Signal(COUNT_BITS)
        s0_packets = Signal(2 * COUNT_BITS - packet_bits)
        s0_row_packets = Signal(COUNT_BITS - packet_bits)
        s0_tail_less_one = Signal(packet_bits)
        s0_row_ends = Signal()

        s1_valid, s1_last, s1_stopped, s1_illegal = Signal(), Signal(), Signal(), Signal()
        s1_local_begins, s1_local_ends, s1_memory_ends = Signal(), Signal(), Signal()
        s1_row = Signal(LOCAL_BITS)
        s1_address = Signal(address_bits)
        s1_length_less_one = Signal(packet_bits)
        s1_endpoint = Signal(4)

        # s1 to the output
        faulty = Signal()
        m.d.comb += [
            faulty.eq(s1_stopped | s1_illegal | s1_local_ends | s1_memory_ends),
            self.access.valid.eq(s1_valid),
            access.last.eq(s1_last | faulty),
            access.endpoint.eq(s1_endpoint),
            access.length.eq(s1_length_less_one + 1),
            access.flits_less_one.eq(s1_length_less_one[flit_bits:]),
            access.row.eq(s1_row[:ceil_log2(scratchpad_rows)]),
            access.address.eq(0),
        ]
        with m.If(s1_stopped):
            m.d.comb += access.status.eq(Status.ABORTED)
        with m.Elif(s1_illegal):
            m.d.comb += access.status.eq(Status.ILLEGAL_FIELD)
        with m.Elif(s1_local_ends):
            m.d.comb += [
                access.status.eq(Status.LOCAL_RANGE),
                access.address.eq(Mux(s1_local_begins, s1_row, scratchpad_rows)),
            ]
        with m.Elif(s1_memory_ends):
            m.d.comb += [
                access.status.eq(Status.WINDOW),
                access.address.eq((1 << address_bits) - 1),
            ]
        with m.Else():
            m.d.comb += [access.status.eq(Status.OK), access.address.eq(s1_address)]

        # the rest of a walk is dropped when its access in s1 turns out faulty
        kill, emit, final = Signal(), Signal(), Signal()
        m.d.comb += [
            kill.eq(s1_valid & faulty & ~s1_last),
            emit.eq(s0_valid & ~kill & (~s1_valid | self.access.ready)),
            final.eq(s0_row_ends & (s0_rows == 0)),
            self.ended.eq((emit & final) | kill),
            self.walk.ready.eq(~s0_valid | (emit & final)),
        ]

        # s0 to s1
        length_less_one = Mux(s0_row_ends, s0_tail_less_one, packet_bytes - 1)
        local_begins, local_ends = local.outside(length_less_one[flit_bits:])
        _, memory_ends = memory.outside(length_less_one)
        with m.If(self.access.ready):
            m.d.sync += s1_valid.eq(0)
        with m.If(kill):
            m.d.sync += [s1_last.eq(1), s0_valid.eq(0)]
        with m.If(emit):
            m.d.sync += [
                s1_valid.eq(1),
                s1_last.eq(final),
                s1_stopped.eq(self.stop),
                s1_illegal.eq(s0_illegal),
                s1_local_begins.eq(local_begins),
                s1_local_ends.eq(local_ends),
                s1_memory_ends.eq(memory_ends),
                s1_row.eq(local.here),
                s1_address.eq(memory.here[:address_bits]),
                s1_length_less_one.eq(length_less_one),
                s1_endpoint.eq(s0_endpoint),
            ]

        # s0
        with m.If(emit):
            m.d.sync += [
                s0_valid.eq(~final),
                memory.here.eq(memory.next(s0_row_ends, packet_bytes)),
                local.here.eq(local.next(s0_row_ends, packet_bytes >> flit_bits)),
            ]
            with m.If(s0_row_ends):
                m.d.sync += [
                    memory.start.eq(memory.next(s0_row_ends, packet_bytes)),
                    local.start.eq(local.next(s0_row_ends, packet_bytes >> flit_bits)),
                    s0_rows.eq(s0_rows - 1),
                    s0_packets.eq(s0_row_packets),
                    s0_row_ends.eq(s0_row_packets == 0),
                ]
            with m.Else():
                m.d.sync += [s0_packets.eq(s0_packets - 1), s0_row_ends.eq(s0_packets == 1)]
        with m.If(self.walk.valid & self.walk.ready):
            m.d.sync += [
                s0_valid.eq(1),
                s0_illegal.eq(walk.illegal),
                s0_endpoint.eq(walk.endpoint),
                memory.here.eq(walk.address),
                memory.start.eq(walk.address),
                memory.stride.eq(walk.stride),
                local.here.eq(walk.local_row),
                local.start.eq(walk.local_row),
                local.stride.eq(walk.local_stride),
                s0_rows.eq(walk.rows_less_one),
                s0_packets.eq(walk.row_bytes_less_one[packet_bits:]),
                s0_row_packets.eq(walk.row_bytes_less_one[packet_bits:COUNT_BITS]),
                s0_row_ends.eq(walk.row_bytes_less_one[packet_bits:] == 0),
                s0_tail_less_one.eq(walk.row_bytes_less_one[:packet_bits]),
            ]
        return m
