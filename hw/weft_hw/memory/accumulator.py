"""Accumulator memory: one row of C lanes of 32 bits a cycle is read, added to, written.

Banks go by the high address bits: the vector engine drains one while the array fills another. In
one bank the update wins.

::

    cycle    0 (update_valid)   1            2 (sums)     3 (A = 1)
             read old row       register     add          write

Latency: update to write 2 + A cycles (``update_latency``), where A is 1 with int32 only and
``Fp32Add.LATENCY`` if the tile has floating point; reads by the vector engine ``READ_LATENCY``.
Throughput: one update and, in other banks, one read a cycle. The same row may be updated again
``update_distance`` = 3 + A cycles later: ``max(M, R)`` sees to it inside a column of blocks, the
streamer between columns and between commands.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2

from ..formats.fp32_add import Fp32Add
from ..shared import share
from .bank import MemoryBank
from .port import ReadPort

__all__ = ["Accumulator"]


class Accumulator(wiring.Component):
    """``accumulator_rows`` rows of C lanes of 32 bits.

    An int32 lane wraps; a single command cannot reach that (``TileConfig.max_exact_k``), and the
    driver bounds chains of them.

    Members
    -------
    update_valid, update_row, update_accumulate : In
        A row will be written; ``update_accumulate`` adds to what it holds. Always taken.
    update_floating : In(1)
        In fp32 (``Fp32Add``'s rules), not int32; only if the tile has floating point.
    sums : In(C * sum_bits)
        Its sums, ``LOOKAHEAD`` cycles later.
    read : In(ReadPort)
        For the vector engine.
    """

    #: Cycles from ``update_valid`` to ``sums``.
    LOOKAHEAD = 2

    @classmethod
    def update_latency(cls, tile) -> int:
        """Cycles from ``update_valid`` to the write."""
        return cls.LOOKAHEAD + (Fp32Add.LATENCY if tile.has_float else 1)

    @classmethod
    def update_distance(cls, tile) -> int:
        """Cycles between two updates of one row, at least."""
        return cls.update_latency(tile) + 1

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        rows = tile.accumulator_rows
        super().__init__({
            "update_valid": In(1), "update_row": In(ceil_log2(rows)), "update_accumulate": In(1),
            **({"update_floating": In(1)} if tile.has_float else {}),
            "sums": In(tile.array_cols * tile.column_sum_bits),
            "read": In(ReadPort(rows=rows, row_bits=8 * tile.accumulator_row_bytes)),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        count = tile.accumulator_banks
        bank_rows = tile.accumulator_rows // count
        row_bits = ceil_log2(bank_rows)
        width = 8 * tile.accumulator_row_bytes
        banks = [MemoryBank(rows=bank_rows, row_bits=width) for _ in range(count)]
        for index, bank in enumerate(banks):
            m.submodules[f"bank_{index}"] = share(bank)
        data = Array(bank.read_data for bank in banks)

        # --- reads: update first
        request = self.read.request
        update_reads = Signal()
        m.d.comb += [
            update_reads.eq(self.update_valid & self.update_accumulate),
            request.ready.eq(
                ~(update_reads & (request.payload[row_bits:] == self.update_row[row_bits:]))),
        ]
        for index, bank in enumerate(banks):
            with m.If(update_reads & (self.update_row[row_bits:] == index)):
                m.d.comb += [bank.read_enable.eq(1), bank.read_row.eq(self.update_row[:row_bits])]
            with m.Elif(request.valid & (request.payload[row_bits:] == index)):
                m.d.comb += [bank.read_enable.eq(1), bank.read_row.eq(request.payload[:row_bits])]

        granted, valid = Signal(), Signal()
        read_bank = Signal(range(count))
        response = Signal(width, reset_less=True)
        m.d.sync += [granted.eq(request.valid & request.ready), valid.eq(granted),
                     read_bank.eq(request.payload[row_bits:])]
        with m.If(granted):
            m.d.sync += response.eq(data[read_bank])
        m.d.comb += [self.read.response.valid.eq(valid), self.read.response.payload.eq(response)]

        # --- update pipeline, stages named by the cycle in the figure
        steps = self.update_latency(tile)
        valid_at, row_at = [self.update_valid], [self.update_row]
        for step in range(1, steps + 1):
            valid_at.append(Signal(name=f"s{step}_valid"))
            row_at.append(Signal.like(self.update_row, name=f"s{step}_row"))
            m.d.sync += [valid_at[-1].eq(valid_at[-2]), row_at[-1].eq(row_at[-2])]
        s1_adds, s2_adds = Signal(), Signal()
        s2_old = Signal(width, reset_less=True)
        m.d.sync += [s1_adds.eq(self.update_accumulate), s2_adds.eq(s1_adds)]
        with m.If(valid_at[1] & s1_adds):
            m.d.sync += s2_old.eq(data[row_at[1][row_bits:]])
        new = (self._add_any if tile.has_float else self._add_integers)(
            m, valid_at[2], s2_adds, s2_old)
        for index, bank in enumerate(banks):
            m.d.comb += [
                bank.write_enable.eq(valid_at[-1] & (row_at[-1][row_bits:] == index)),
                bank.write_row.eq(row_at[-1][:row_bits]),
                bank.write_data.eq(new),
            ]
        return m

    def _add_integers(self, m, s2_valid, s2_adds, s2_old):
        tile = self.tile
        lanes = []
        for lane in range(tile.array_cols):
            total = self.sums.word_select(lane, tile.column_sum_bits).as_signed()
            old = Signal(signed(32), name=f"old_{lane}")
            m.d.comb += old.eq(Mux(s2_adds, s2_old.word_select(lane, 32), 0))
            lanes.append((old + total)[:32])
        s3_new = Signal(len(s2_old), reset_less=True)
        with m.If(s2_valid):
            m.d.sync += s3_new.eq(Cat(lanes))
        return s3_new

    def _add_any(self, m, s2_valid, s2_adds, s2_old):
        s1_floating, s2_floating = Signal(), Signal()
        m.d.sync += [s1_floating.eq(self.update_floating), s2_floating.eq(s1_floating)]
        # -0 changes no number that is added to it, nor does 0 an integer
        neutral = Cat(Const(0, 31), s2_floating)
        lanes = []
        for lane in range(self.tile.array_cols):
            m.submodules[f"adder_{lane}"] = adder = Fp32Add(integer=True, gated=False)
            m.d.comb += [
                adder.a.eq(Mux(s2_adds, s2_old.word_select(lane, 32), neutral)),
                adder.b.eq(self.sums.word_select(lane, 32)),
                adder.integer.eq(~s2_floating),
            ]
            lanes.append(adder.o)
        return Cat(lanes)
