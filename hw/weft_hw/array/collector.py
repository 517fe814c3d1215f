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
        The command that tokens belong to, from registers: until ``finish`` or ``quit``.
    token : In(1)
        A row of sums reaches the accumulator ``Accumulator.LOOKAHEAD`` cycles from now.
    valid, row, accumulate : Out
        To the accumulator.
    finish : Out(1)
        The token is the command's last.
    fault : Out(1), fault_row : Out
        A row beyond the accumulator was due (nothing is written); stays until ``quit``.
    quit : In(1)
        The current command ends here, in each cycle one.
    """

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        self.row_bits = max(ceil_log2(tile.accumulator_rows), 16) + 2
        super().__init__({
            "command": In(stream.Signature(CollectParams(tile))),
            "active": Out(1), "current": Out(CollectParams(tile)),
            "token": In(1),
            "valid": Out(1), "row": Out(ceil_log2(tile.accumulator_rows)), "accumulate": Out(1),
            "finish": Out(1),
            "fault": Out(1), "fault_row": Out(32),
            "quit": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        params, coming = self.current, self.command.payload
        row, nb_row = Signal(self.row_bits), Signal(self.row_bits)
        m_left, k_left, n_left = Signal(16), Signal(16), Signal(16)
        # kept beside the counters: whether they are the last row's or block's, whether the row is
        # beyond the accumulator
        last_m, last_k, last_n = Signal(), Signal(), Signal()
        out_of_range, beyond_command = Signal(), Signal()
        first_k = Signal()
        faulty = Signal()

        last, step, take = Signal(), Signal(), Signal()
        m.d.comb += [
            last.eq(last_m & last_k & last_n),
            # from a row to the next, or from the last one (or from none) to the next command, so
            # that its tokens may follow at once
            step.eq(self.valid | ~self.active | self.quit),
            take.eq(last | ~self.active | self.quit),
            self.command.ready.eq(step & take),
            self.valid.eq(self.token & ~out_of_range),
            self.finish.eq(self.valid & last),
            self.row.eq(row),
            self.accumulate.eq(~first_k | params.accumulate),
            self.fault.eq(faulty),
            # what is left of a first row beyond the memory may lie inside
            self.fault_row.eq(Mux(beyond_command, tile.accumulator_rows, row)),
        ]
        with m.If(self.token & out_of_range):
            m.d.sync += faulty.eq(1)
        with m.If(self.quit):
            m.d.sync += faulty.eq(0)
        with m.If(step):
            with m.If(take):
                beyond = coming.row >= tile.accumulator_rows
                m.d.sync += [
                    self.active.eq(self.command.valid), params.eq(coming),
                    row.eq(coming.row), nb_row.eq(coming.row),
                    out_of_range.eq(beyond), beyond_command.eq(beyond), first_k.eq(1),
                    m_left.eq(coming.m), k_left.eq(coming.k), n_left.eq(coming.n),
                    last_m.eq(coming.m == 1), last_k.eq(coming.k <= tile.array_rows),
                    last_n.eq(coming.n <= tile.array_cols),
                ]
            with m.Else():
                next_row, next_nb = Signal(self.row_bits), Signal(self.row_bits)
                m.d.comb += [
                    next_nb.eq(nb_row + params.stride),
                    next_row.eq(Mux(last_m, Mux(last_k, next_nb, nb_row), row + 1)),
                ]
                m.d.sync += [
                    row.eq(next_row), out_of_range.eq(next_row >= tile.accumulator_rows),
                    m_left.eq(Mux(last_m, params.m, m_left - 1)),
                    last_m.eq(Mux(last_m, params.m == 1, m_left == 2)),
                ]
                with m.If(last_m):
                    m.d.sync += [
                        first_k.eq(last_k),
                        k_left.eq(Mux(last_k, params.k, k_left - tile.array_rows)),
                        last_k.eq(Mux(last_k, params.k <= tile.array_rows,
                                      k_left <= 2 * tile.array_rows)),
                    ]
                    with m.If(last_k):
                        m.d.sync += [
                            nb_row.eq(next_nb), n_left.eq(n_left - tile.array_cols),
                            last_n.eq(n_left <= 2 * tile.array_cols),
                        ]
        return m
