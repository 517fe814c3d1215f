"""Activation streamer: walks a command's activation blocks, one row vector a cycle for the array.

Each block starts when its weights are in the shadows: the swap goes out one cycle ahead of the
block's first row, so that consecutive blocks, of one command or of two, leave no bubble.

Latency: read request to array 2 cycles (``READ_LATENCY``). Throughput: one row a cycle.
"""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..memory.accumulator import Accumulator
from ..memory.port import READ_LATENCY, ReadPort

__all__ = ["ActivationStreamer", "StreamParams"]


class StreamParams(data.Struct):
    """What the streamer needs of a command."""

    row: unsigned(32)
    stride: unsigned(16)
    m: unsigned(16)
    k: unsigned(16)
    n: unsigned(16)
    gap: unsigned(1)
    """Keep ``Accumulator.UPDATE_DISTANCE`` cycles from the rows of the command before."""


class ActivationStreamer(wiring.Component):
    """Feeds activations.

    Members
    -------
    command : In(stream of StreamParams)
    read : Out(ReadPort)
    activations, swap : Out
        To the array.
    token : Out(1)
        ``activations`` holds a row in this cycle.
    weights_ready : In(1)
        ``WeightLoader.ready_next``.
    waiting : Out(1)
        The next block waits for its weights.
    fault : Out(1), fault_row : Out
        A row beyond the scratchpad is due; stuck until ``quit``.
    quit : In(1)
        Drop everything.
    """

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        self.row_bits = max(ceil_log2(tile.scratchpad_rows), 16) + 2
        super().__init__({
            "command": In(stream.Signature(StreamParams)),
            "read": Out(ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)),
            "activations": Out(8 * tile.array_rows), "swap": Out(1), "token": Out(1),
            "weights_ready": In(1), "waiting": Out(1),
            "fault": Out(1), "fault_row": Out(32),
            "quit": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        rows, cols = tile.array_rows, tile.array_cols
        log2_rows = ceil_log2(rows)

        # --- the walk: nb, then kb, then m
        active = Signal()
        stride = Signal(16)
        command_row = Signal(self.row_bits)
        block_row = Signal(self.row_bits)
        row = Signal(self.row_bits)
        m_total, m_left = Signal(16), Signal(16)
        k_total, k_left, n_left = Signal(16), Signal(16), Signal(16)
        block_start = Signal()
        gap = Signal()
        recent = Signal(Accumulator.UPDATE_DISTANCE - 1)
        held = Signal()
        out_of_range = Signal()
        go = Signal()
        m.d.comb += [
            out_of_range.eq(row >= tile.scratchpad_rows),
            self.fault.eq(active & out_of_range),
            self.fault_row.eq(row),
            self.waiting.eq(active & block_start & ~self.weights_ready),
            held.eq(gap & recent.any()),
            self.read.request.payload.eq(row),
            self.read.request.valid.eq(
                active & ~out_of_range & ~held & (~block_start | self.weights_ready)),
            go.eq(self.read.request.valid & self.read.request.ready),
        ]
        block_done, nb_done, command_done = Signal(), Signal(), Signal()
        m.d.comb += [
            block_done.eq(go & (m_left == 1)),
            nb_done.eq(block_done & (k_left <= rows)),
            command_done.eq(nb_done & (n_left <= cols)),
        ]
        m.d.sync += recent.eq(Cat(go, recent))
        with m.If(go):
            m.d.sync += [row.eq(row + stride), m_left.eq(m_left - 1), block_start.eq(0), gap.eq(0)]
        with m.If(block_done):
            next_block = Mux(nb_done, command_row, block_row + 1)
            m.d.sync += [
                row.eq(next_block), block_row.eq(next_block), m_left.eq(m_total), block_start.eq(1),
                k_left.eq(Mux(nb_done, k_total, k_left - rows)),
            ]
        with m.If(nb_done):
            m.d.sync += n_left.eq(n_left - cols)
        with m.If(command_done):
            m.d.sync += active.eq(0)

        # --- next command
        m.d.comb += self.command.ready.eq(~active | command_done)
        with m.If(self.command.valid & self.command.ready):
            params = self.command.payload
            start = Signal(self.row_bits)
            # a first row beyond the memory stays beyond it when cut to row_bits
            beyond = tile.scratchpad_rows
            m.d.comb += start.eq(Mux(params.row >= beyond, beyond, params.row))
            m.d.sync += [
                active.eq(1), stride.eq(params.stride), block_start.eq(1), gap.eq(params.gap),
                command_row.eq(start), block_row.eq(start), row.eq(start),
                m_total.eq(params.m), m_left.eq(params.m),
                k_total.eq(params.k), k_left.eq(params.k), n_left.eq(params.n),
            ]

        # --- arriving rows: zero lanes beyond K
        lanes = Signal(rows)
        m.d.comb += lanes.eq(Mux(k_left >= rows, (1 << rows) - 1, (1 << k_left[:log2_rows]) - 1))
        arriving = Signal(READ_LATENCY)
        arriving_lanes = [Signal(rows, name=f"arriving_lanes_{i}") for i in range(READ_LATENCY)]
        m.d.sync += [arriving.eq(Cat(go, arriving)), arriving_lanes[0].eq(lanes)]
        m.d.sync += [later.eq(earlier) for earlier, later in pairwise(arriving_lanes)]
        m.d.comb += [
            self.activations.eq(self.read.response.payload[:8 * rows]
                                & Cat(bit.replicate(8) for bit in arriving_lanes[-1])),
            self.token.eq(arriving[-1]),
        ]
        # one cycle before the block's first row reaches the array
        swap = Signal(READ_LATENCY - 1)
        m.d.sync += swap.eq(Cat(go & block_start, swap))
        m.d.comb += self.swap.eq(swap[-1])

        with m.If(self.quit):
            m.d.comb += self.command.ready.eq(0)
            m.d.sync += [active.eq(0), arriving.eq(0), swap.eq(0)]
        return m
