"""Collector: replays a matmul command's loops at the array's outlet.

It tells the accumulator which row each sum is for. Only one bit a row (the token) travels beside
the array; addresses are made here.

Latency: token to accumulator address 0 cycles.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["CollectParams", "Collector"]


class CollectParams(data.StructLayout):
    """What the collector needs of a command, and what its end needs. ``floating`` (its sums are
    fp32) is there only if the tile has floating point."""

    def __init__(self, tile):
        super().__init__({
            "index": unsigned(32), "signal": unsigned(16),
            "row": unsigned(32), "stride": unsigned(16),
            "m": unsigned(16), "k": unsigned(16), "n": unsigned(16), "accumulate": unsigned(1),
            **({"floating": unsigned(1)} if tile.has_float else {}),
        })


class Collector(wiring.Component):
    """Addresses accumulator rows.

    Members
    -------
    command : In(stream of CollectParams)
        At least two cycles before its first token.
    active : Out(1), current : Out(CollectParams)
        The command that tokens belong to, from registers: until ``finish`` or ``drop``.
    drop : In(1)
        The current command ends here.
    token : In(1)
        A row of sums reaches the accumulator ``Accumulator.LOOKAHEAD`` cycles from now.
    valid, row, accumulate : Out
        To the accumulator.
    finish : Out(1)
        The token is the command's last.
    fault : Out(1), fault_row : Out
        A row beyond the accumulator was due (nothing is written); stays until ``quit``.
    quit : In(1)
    """

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        self.row_bits = max(ceil_log2(tile.accumulator_rows), 16) + 2
        super().__init__({
            "command": In(stream.Signature(CollectParams(tile))),
            "active": Out(1), "current": Out(CollectParams(tile)), "drop": In(1),
            "token": In(1),
            "valid": Out(1), "row": Out(ceil_log2(tile.accumulator_rows)), "accumulate": Out(1),
            "finish": Out(1),
            "fault": Out(1), "fault_row": Out(32),
            "quit": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        params = self.current
        row, nb_row = Signal(self.row_bits), Signal(self.row_bits)
        m_left, k_left, n_left = Signal(16), Signal(16), Signal(16)
        first_k = Signal()
        faulty = Signal()

        block_done, nb_done = Signal(), Signal()
        out_of_range = Signal()
        m.d.comb += [
            out_of_range.eq(row >= tile.accumulator_rows),
            block_done.eq(self.token & (m_left == 1)),
            nb_done.eq(block_done & (k_left <= tile.array_rows)),
            self.finish.eq(nb_done & (n_left <= tile.array_cols) & ~faulty & ~out_of_range),
            self.command.ready.eq(~self.active | self.finish | self.drop),
            self.valid.eq(self.token & ~out_of_range & ~faulty),
            self.row.eq(row),
            self.accumulate.eq(~first_k | params.accumulate),
            self.fault.eq(faulty),
            self.fault_row.eq(row),
        ]
        with m.If(self.token & ~faulty):
            next_nb = (nb_row + params.stride)[:self.row_bits]
            with m.If(out_of_range):
                m.d.sync += faulty.eq(1)
            with m.Else():
                m.d.sync += [
                    row.eq(Mux(nb_done, next_nb, Mux(block_done, nb_row, row + 1))),
                    m_left.eq(Mux(block_done, params.m, m_left - 1)),
                ]
            with m.If(block_done):
                m.d.sync += [
                    k_left.eq(Mux(nb_done, params.k, k_left - tile.array_rows)),
                    first_k.eq(nb_done),
                ]
            with m.If(nb_done):
                m.d.sync += [nb_row.eq(next_nb), n_left.eq(n_left - tile.array_cols)]
        with m.If(self.quit):
            m.d.sync += faulty.eq(0)

        # the next command comes in as the one before goes, so that its tokens may follow at once
        with m.If(self.command.ready):
            coming, beyond = self.command.payload, tile.accumulator_rows
            # a first row beyond the memory stays beyond it when cut to row_bits
            start = Mux(coming.row >= beyond, beyond, coming.row)[:self.row_bits]
            m.d.sync += [
                self.active.eq(self.command.valid), params.eq(coming),
                row.eq(start), nb_row.eq(start), first_k.eq(1),
                m_left.eq(coming.m), k_left.eq(coming.k), n_left.eq(coming.n),
            ]
        return m
