"""Fetches instructions, runs loops and strips, hands over the rest.

::

    pc -> store -> | fetched | -> control flow, or dispatch to the issuer

An instruction leaves ``fetched`` in the cycle in which it is there if it is LOOP, NEXT or END,
else when the issuer takes it; the next one is there a cycle later. A lookup keeps the store to
itself: what follows it is fetched again when its last row is issued.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...isa import Status, StreamOperand
from ..microcode import INSTRUCTION_BITS, STRIP, Instruction, Op, Source
from .dispatch import Dispatch
from .streams import StreamWalk

__all__ = ["Sequencer"]

#: Operations without operand b.
_WITHOUT_B = (Op.LOAD, Op.STORE, Op.ROW, Op.COLUMN)


class Sequencer(wiring.Component):
    """Runs a program over a matrix.

    Members
    -------
    start : In(1)
        With ``operands``, ``scalars``, ``m``, ``n`` (not zero) and ``entry``.
    legal : Out(1)
        The formats of ``operands`` are.
    stop : In(1)
        Forget the program.
    read : Out(1), read_entry : Out, instruction : In
        Of the store; the instruction comes a cycle later and stays.
    looking : In(1)
        The issuer has a lookup.
    dispatch : Out(stream.Signature(Dispatch))
    active : Out(1)
        Neither ended nor failed.
    failed : Out(1), status : Out(Status), entry_failed : Out(16)
        The instruction there cannot be run, in the cycle in which ``active`` is high for the last
        time.
    tail_mask : Out(C)
        Lanes below N in the last block.
    """

    def __init__(self, config):
        self.tile = config.tile
        self.config = config
        super().__init__({
            "start": In(1), "operands": In(data.ArrayLayout(StreamOperand, 4)),
            "scalars": In(data.ArrayLayout(unsigned(32), 4)),
            "m": In(16), "n": In(16), "entry": In(16),
            "legal": Out(1), "stop": In(1),
            "read": Out(1), "read_entry": Out(ceil_log2(self.tile.microprogram_entries)),
            "instruction": In(INSTRUCTION_BITS), "looking": In(1),
            "dispatch": Out(stream.Signature(Dispatch())),
            "active": Out(1),
            "failed": Out(1), "status": Out(Status), "entry_failed": Out(16),
            "tail_mask": Out(self.tile.array_cols),
        })

    def elaborate(self, platform):
        m = Module()
        lanes, entries = self.tile.array_cols, self.tile.microprogram_entries
        column_bits = ceil_log2(lanes)
        m.submodules.streams = streams = StreamWalk(self.config)

        active, fetched, looping = Signal(), Signal(), Signal()
        pc, loop_pc, start_pc = Signal(16), Signal(16), Signal(16)
        scalars = Signal(data.ArrayLayout(unsigned(32), 4))
        i, rows_left = Signal(16), Signal(16)
        block, blocks_less_one = Signal(16 - column_bits), Signal(16 - column_bits)
        n_less_one = (self.n - 1)[:16]

        # --- what is there
        instruction = data.View(Instruction, self.instruction)
        op = instruction.op
        is_loop, is_next, is_end = op == Op.LOOP, op == Op.NEXT, op == Op.END
        flows, has_b, beyond, malformed, refused = (Signal() for _ in range(5))
        bad_permute = ((instruction.source == Source.PERMUTED)
                       & (instruction.permute_bit >= column_bits))
        m.d.comb += [
            flows.eq(is_loop | is_next | is_end),
            has_b.eq(~Cat(op == code for code in _WITHOUT_B).any()),
            beyond.eq(pc >= entries),
            malformed.eq(beyond | (op.as_value() > Op.LOOKUP.value)
                         | Mux(flows, (is_next & ~looping) | (~is_next & looping),
                               has_b & bad_permute)),
            refused.eq(malformed | ((op == Op.STORE) & streams.accumulator)),
        ]

        # --- where it leads
        there, leaves, ends_strip, ends_loop, last_strip = (Signal() for _ in range(5))
        next_pc = Signal(16)
        m.d.comb += [
            there.eq(active & fetched & ~self.stop),
            ends_loop.eq(block == blocks_less_one),
            last_strip.eq(rows_left <= STRIP),
            leaves.eq(there & ~refused & (flows | self.dispatch.ready)),
            ends_strip.eq(leaves & is_end),
            self.failed.eq(there & refused & self.dispatch.ready),
            self.status.eq(Mux(malformed, Status.ILLEGAL_INSTRUCTION, Status.ILLEGAL_FIELD)),
            self.entry_failed.eq(pc),
            next_pc.eq(pc + 1),
        ]
        with m.If(is_next & ~ends_loop):
            m.d.comb += next_pc.eq(loop_pc)
        with m.If(is_end):
            m.d.comb += next_pc.eq(start_pc)
        with m.If(leaves):
            m.d.sync += pc.eq(next_pc)
            with m.If(is_loop):
                m.d.sync += [looping.eq(1), loop_pc.eq(pc + 1)]
            with m.If(is_next):
                m.d.sync += block.eq(block + 1)
                with m.If(ends_loop):
                    m.d.sync += [looping.eq(0), block.eq(0)]
        with m.If(ends_strip):
            m.d.sync += [i.eq(i + STRIP), rows_left.eq(rows_left - STRIP)]
        with m.If(self.failed | (ends_strip & last_strip) | self.stop):
            m.d.sync += active.eq(0)

        # --- the store is read when an instruction leaves, and again after a lookup
        looks_up = leaves & (op == Op.LOOKUP)
        refetches = active & ~fetched & ~self.looking
        m.d.comb += [
            self.read.eq(self.start | leaves | refetches),
            self.read_entry.eq(Mux(self.start, self.entry, Mux(leaves, next_pc, pc))),
            self.active.eq(active),
        ]
        with m.If(leaves):
            m.d.sync += fetched.eq(~looks_up)
        with m.Elif(refetches):
            m.d.sync += fetched.eq(1)

        # --- streams and dispatch
        offered = self.dispatch.payload
        tail_mask = Signal(lanes)
        m.d.comb += [
            streams.start.eq(self.start), streams.operands.eq(self.operands),
            streams.stream.eq(instruction.stream),
            streams.next_block.eq(leaves & is_next & ~ends_loop),
            streams.first_block.eq(leaves & is_next & ends_loop),
            streams.next_strip.eq(ends_strip),
            self.legal.eq(streams.legal),
            self.dispatch.valid.eq(there & ~refused & ~flows),
            offered.instruction.eq(instruction),
            offered.scalar.eq(Array(scalars[k] for k in range(4))[instruction.b[:2]]),
            offered.format.eq(streams.format), offered.accumulator.eq(streams.accumulator),
            offered.unit.eq(streams.unit), offered.row_stride.eq(streams.row_stride),
            offered.rows_less_one.eq(Mux(last_strip, (rows_left - 1)[:len(offered.rows_less_one)],
                                         STRIP - 1)),
            offered.i.eq(i), offered.column.eq(block << column_bits),
            offered.tail.eq(ends_loop),
            self.tail_mask.eq(tail_mask),
        ]
        with m.If(self.start):
            m.d.sync += [
                active.eq(1), fetched.eq(1), looping.eq(0),
                pc.eq(self.entry), start_pc.eq(self.entry),
                scalars.eq(self.scalars), i.eq(0), rows_left.eq(self.m),
                block.eq(0), blocks_less_one.eq(n_less_one[column_bits:]),
                # the lanes up to that of the last column
                tail_mask.eq(((2 << n_less_one[:column_bits]) - 1)[:lanes]),
            ]
        return m
