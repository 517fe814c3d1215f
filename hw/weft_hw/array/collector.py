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
        Held (not taken) until its last token: ``finish`` takes it.
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
            "token": In(1),
            "valid": Out(1), "row": Out(ceil_log2(tile.accumulator_rows)), "accumulate": Out(1),
            "finish": Out(1),
            "fault": Out(1), "fault_row": Out(32),
            "quit": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        params = self.command.payload
        started = Signal()                  # the registers below hold this command's state
        row, nb_row = Signal(self.row_bits), Signal(self.row_bits)
        m_left, k_left, n_left = Signal(16), Signal(16), Signal(16)
        first_k = Signal()
        faulty = Signal()

        # before the first token the state is the command's own start
        beyond = tile.accumulator_rows
        start = Mux(params.row >= beyond, beyond, params.row)[:self.row_bits]
        state = {"row": row, "nb_row": nb_row, "m": m_left, "k": k_left, "n": n_left,
                 "first": first_k}
        now = {name: Signal.like(signal, name=f"now_{name}") for name, signal in state.items()}
        m.d.comb += [
            now["row"].eq(Mux(started, row, start)),
            now["nb_row"].eq(Mux(started, nb_row, start)),
            now["m"].eq(Mux(started, m_left, params.m)),
            now["k"].eq(Mux(started, k_left, params.k)),
            now["n"].eq(Mux(started, n_left, params.n)),
            now["first"].eq(Mux(started, first_k, 1)),
        ]
        block_done, nb_done = Signal(), Signal()
        out_of_range = Signal()
        m.d.comb += [
            out_of_range.eq(now["row"] >= tile.accumulator_rows),
            block_done.eq(self.token & (now["m"] == 1)),
            nb_done.eq(block_done & (now["k"] <= tile.array_rows)),
            self.finish.eq(nb_done & (now["n"] <= tile.array_cols) & ~faulty & ~out_of_range),
            self.command.ready.eq(self.finish),
            self.valid.eq(self.token & ~out_of_range & ~faulty),
            self.row.eq(now["row"]),
            self.accumulate.eq(~now["first"] | params.accumulate),
            self.fault.eq(faulty),
            self.fault_row.eq(row),
        ]
        with m.If(self.token & ~faulty):
            next_nb = (now["nb_row"] + params.stride)[:self.row_bits]
            m.d.sync += [
                started.eq(~self.finish),
                row.eq(Mux(nb_done, next_nb, Mux(block_done, now["nb_row"], now["row"] + 1))),
                nb_row.eq(Mux(nb_done, next_nb, now["nb_row"])),
                m_left.eq(Mux(block_done, params.m, now["m"] - 1)),
                k_left.eq(Mux(nb_done, params.k,
                              Mux(block_done, now["k"] - tile.array_rows, now["k"]))),
                n_left.eq(Mux(nb_done, now["n"] - tile.array_cols, now["n"])),
                first_k.eq(Mux(nb_done, 1, Mux(block_done, 0, now["first"]))),
            ]
            with m.If(out_of_range):
                m.d.sync += [faulty.eq(1), row.eq(now["row"])]
        with m.If(self.quit):
            m.d.sync += [started.eq(0), faulty.eq(0)]
        return m
