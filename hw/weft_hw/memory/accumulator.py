"""Accumulator memory: one row of C int32 lanes a cycle is read, added to and written back.

Banks go by the high address bits: the vector engine drains one while the array fills another. In
one bank the update wins.

::

    cycle    0 (update.valid)   1            2 (sums)     3
             read old row       register     add          write

Latency: update to write 3 cycles (``UPDATE_LATENCY``); reads by the vector engine ``READ_LATENCY``.
Throughput: one update and, in other banks, one read a cycle. The same row may be updated again 4
cycles later (``max(M, R) >= 4`` sees to it inside a command, the streamer between commands).
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2

from ..shared import share
from .bank import MemoryBank
from .port import ReadPort

__all__ = ["Accumulator"]


class Accumulator(wiring.Component):
    """``accumulator_rows`` rows of C lanes of 32 bits.

    A lane wraps; a single command cannot reach that (``TileConfig.max_exact_k``), and the driver
    bounds chains of them.

    Members
    -------
    update_valid, update_row, update_accumulate : In
        A row will be written; ``update_accumulate`` adds to what it holds. Always taken.
    sums : In(C * sum_bits)
        Its sums, ``LOOKAHEAD`` cycles later.
    read : In(ReadPort)
        For the vector engine.
    """

    #: Cycles from ``update_valid`` to ``sums``.
    LOOKAHEAD = 2
    #: Cycles from ``update_valid`` to the write.
    UPDATE_LATENCY = 3
    #: Cycles between two updates of one row, at least.
    UPDATE_DISTANCE = 4

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        rows = tile.accumulator_rows
        super().__init__({
            "update_valid": In(1), "update_row": In(ceil_log2(rows)), "update_accumulate": In(1),
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
        s1_valid, s2_valid, s3_valid = Signal(), Signal(), Signal()
        s1_adds, s2_adds = Signal(), Signal()
        s1_row, s2_row, s3_row = (Signal(ceil_log2(tile.accumulator_rows)) for _ in range(3))
        s2_old = Signal(width, reset_less=True)
        s3_new = Signal(width, reset_less=True)
        m.d.sync += [
            s1_valid.eq(self.update_valid), s1_row.eq(self.update_row),
            s1_adds.eq(self.update_accumulate),
            s2_valid.eq(s1_valid), s2_row.eq(s1_row), s2_adds.eq(s1_adds),
            s3_valid.eq(s2_valid), s3_row.eq(s2_row),
        ]
        with m.If(s1_valid & s1_adds):
            m.d.sync += s2_old.eq(data[s1_row[row_bits:]])
        lanes = []
        for lane in range(tile.array_cols):
            total = self.sums.word_select(lane, tile.column_sum_bits).as_signed()
            old = Signal(signed(32), name=f"old_{lane}")
            m.d.comb += old.eq(Mux(s2_adds, s2_old.word_select(lane, 32), 0))
            lanes.append((old + total)[:32])
        with m.If(s2_valid):
            m.d.sync += s3_new.eq(Cat(lanes))
        for index, bank in enumerate(banks):
            m.d.comb += [
                bank.write_enable.eq(s3_valid & (s3_row[row_bits:] == index)),
                bank.write_row.eq(s3_row[:row_bits]),
                bank.write_data.eq(s3_new),
            ]
        return m
