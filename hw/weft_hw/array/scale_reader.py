"""Scale reader: walks a command's blocks and has the block scales ready that each needs (MX).

A block of the array covers ``groups`` = max(1, R / 32) groups of 32 operands along K; there is a
reader for each of them, for activations and for weights, in each only the scales of its group. Two
scale rows are read ahead, so that a stream that takes a row every R cycles or less often does not
wait.

* Activations: for each block (nb, kb), one scratchpad row for every ``row_bytes`` matrix rows.
* Weights: for each block one int8 unit, a scale for each of its columns.

Latency: command taken to first scale 4 cycles; request to scale ``READ_LATENCY`` + 1. Throughput: a
scale row every 2 cycles.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..formats.table import Format, units_per_row
from ..memory.port import READ_LATENCY, ReadPort, as_asked

__all__ = ["SCALE_GROUP", "ScaleParams", "ScaleReader", "scale_groups", "scale_ports"]

#: Operands along K that share a scale.
SCALE_GROUP = 32
#: Scale rows in the memory or waiting.
_AHEAD = 2


def scale_groups(tile) -> int:
    """Groups of operands that share a scale in a block of the array."""
    return max(1, tile.array_rows // SCALE_GROUP)


def scale_ports(tile, scale_bits):
    """Ports of whoever uses the scales: a stream for each group, and what its readers miss."""
    if "mxfp8" not in tile.formats:
        return {}
    return {
        **{f"scales_{group}": In(stream.Signature(unsigned(scale_bits)))
           for group in range(scale_groups(tile))},
        "scale_fault": In(1), "scale_fault_row": In(32),
    }


class ScaleParams(data.Struct):
    """What a reader needs of a command with scales."""

    row: unsigned(32)
    stride: unsigned(16)
    m: unsigned(16)
    k: unsigned(16)
    n: unsigned(16)


class ScaleReader(wiring.Component):
    """Reads the scales of one group of each block.

    Parameters
    ----------
    group : int
        below ``scale_groups(tile)``
    weights : bool
        Scales of weights, not of activations.

    Members
    -------
    command : In(stream of ScaleParams)
    read : Out(ReadPort)
    scales : Out(stream)
        A scratchpad row of them, of weights one unit; in the order in which they are needed. Blocks
        that K leaves without this group have none.
    fault : Out(1), fault_row : Out
        A row beyond the scratchpad is due and nothing else waits; stuck until ``quit``.
    quit : In(1)
        Drop everything.
    """

    def __init__(self, tile, *, group, weights):
        self.tile = tile
        self.group = group
        self.weights = weights
        self.unit_shift = ceil_log2(units_per_row(tile, Format.INT8)) if weights else 0
        self.scale_bits = 8 * (tile.array_cols if weights else tile.row_bytes)
        # a step may overstep the memory by a few strides before the range check stops it
        self.row_bits = max(ceil_log2(tile.scratchpad_rows) + self.unit_shift, 16) + 4
        super().__init__({
            "command": In(stream.Signature(ScaleParams)),
            "read": Out(ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)),
            "scales": Out(stream.Signature(unsigned(self.scale_bits))),
            "fault": Out(1), "fault_row": Out(32),
            "quit": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        size, groups = tile.array_rows, scale_groups(tile)
        blocks_per_group = max(1, SCALE_GROUP // size)

        # --- the walk: nb, then kb, then (activations) the rows of scales of a block
        active = Signal()
        stride = Signal(16)
        first, block, row = Signal(self.row_bits), Signal(self.row_bits), Signal(self.row_bits)
        index = Signal(self.row_bits)       # scratchpad row
        m_total, m_left = Signal(16), Signal(16)
        k_total, k_left, n_left = Signal(16), Signal(16), Signal(16)
        phase = Signal(range(blocks_per_group)) if blocks_per_group > 1 else Const(0, 1)
        room = Signal(range(_AHEAD + 1), init=_AHEAD)
        present, out_of_range, issue = Signal(), Signal(), Signal()
        m.d.comb += [
            present.eq(k_left > SCALE_GROUP * self.group),
            index.eq(row >> self.unit_shift),
            out_of_range.eq(present & (index >= tile.scratchpad_rows)),
            self.read.request.payload.eq(index),
            self.read.request.valid.eq(active & present & (room != 0) & ~out_of_range),
            issue.eq(active & ~out_of_range
                     & (~present | (self.read.request.valid & self.read.request.ready))),
            self.fault.eq(active & out_of_range & (room == _AHEAD)),
            self.fault_row.eq(index),
        ]
        block_done, nb_done, command_done = Signal(), Signal(), Signal()
        last_row = Const(1, 1) if self.weights else ~present | (m_left <= tile.row_bytes)
        m.d.comb += [
            block_done.eq(issue & last_row),
            nb_done.eq(block_done & (k_left <= size)),
            command_done.eq(nb_done & (n_left <= tile.array_cols)),
        ]
        with m.If(issue):
            m.d.sync += [row.eq(row + 1), m_left.eq(m_left - tile.row_bytes)]
        with m.If(block_done):
            first_after = (first + self.weights)[:self.row_bits]
            same = phase != blocks_per_group - 1
            step = (block + groups * stride)[:self.row_bits]
            after = Mux(nb_done, first_after, Mux(same, block, step))
            m.d.sync += [
                row.eq(after), block.eq(after), m_left.eq(m_total),
                k_left.eq(Mux(nb_done, k_total, k_left - size)),
            ]
            if blocks_per_group > 1:
                m.d.sync += phase.eq(Mux(nb_done, 0, phase + 1))
        with m.If(nb_done):
            m.d.sync += [first.eq(first_after), n_left.eq(n_left - tile.array_cols)]
        with m.If(command_done):
            m.d.sync += active.eq(0)

        # --- next command
        m.d.comb += self.command.ready.eq(~active | command_done)
        with m.If(self.command.valid & self.command.ready):
            params = self.command.payload
            # a first row beyond the memory stays beyond it when cut to row_bits
            beyond = tile.scratchpad_rows << self.unit_shift
            start = Signal(self.row_bits)
            m.d.comb += start.eq(Mux(params.row >= beyond, beyond, params.row)
                                 + self.group * params.stride)
            m.d.sync += [
                active.eq(1), stride.eq(params.stride),
                first.eq(start), block.eq(start), row.eq(start),
                m_total.eq(params.m), m_left.eq(params.m),
                k_total.eq(params.k), k_left.eq(params.k), n_left.eq(params.n),
            ]
            if blocks_per_group > 1:
                m.d.sync += phase.eq(0)

        # --- arriving rows
        m.submodules.buffer = buffer = SyncFIFO(width=self.scale_bits, depth=_AHEAD)
        arriving = Signal(READ_LATENCY)
        asked = issue & present
        m.d.sync += arriving.eq(Cat(asked, arriving))
        scales = self.read.response.payload
        if self.unit_shift:
            part = as_asked(m, "part", row[:self.unit_shift])
            scales = scales.word_select(part, self.scale_bits)
        taken = self.scales.valid & self.scales.ready
        m.d.comb += [
            buffer.w_en.eq(arriving[-1]), buffer.w_data.eq(scales),
            self.scales.valid.eq(buffer.r_rdy), self.scales.payload.eq(buffer.r_data),
            buffer.r_en.eq(taken),
        ]
        m.d.sync += room.eq(room - asked + taken)

        with m.If(self.quit):
            m.d.comb += [self.command.ready.eq(0), buffer.r_en.eq(1)]
            m.d.sync += [active.eq(0), arriving.eq(0), room.eq(_AHEAD)]
        return m
