"""Activation streamer: walks a command's activation blocks, one row vector a cycle for the array.

Each block starts when its weights are in the shadows: the swap goes out one cycle ahead of the
block's first row, so that consecutive blocks, of one command or of two, leave no bubble.

Latency: read request to array 2 cycles (``READ_LATENCY``), 3 if operands must be decoded (see
``operand.decodes``). Throughput: one row a cycle.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..formats.table import Format
from ..memory.accumulator import Accumulator
from ..memory.port import READ_LATENCY, ReadPort, as_asked
from .decode import OperandDecoder, is_float, part_bits, unit_shift
from .operand import decodes, operand_bits
from .scale_reader import SCALE_GROUP, scale_groups, scale_ports

__all__ = ["ActivationStreamer", "StreamParams"]


class StreamParams(data.StructLayout):
    """What the streamer needs of a command. ``format`` is there unless the tile has int8 only,
    ``scaled`` with mxfp8. ``gap``, ``column_gap``: keep ``Accumulator.update_distance`` cycles from
    the rows of the command before, or of the column of blocks before."""

    def __init__(self, tile):
        super().__init__({
            "row": unsigned(32), "stride": unsigned(16),
            "m": unsigned(16), "k": unsigned(16), "n": unsigned(16),
            "gap": unsigned(1), "column_gap": unsigned(1),
            **({"format": Format} if decodes(tile) else {}),
            **({"scaled": unsigned(1)} if "mxfp8" in tile.formats else {}),
        })


class ActivationStreamer(wiring.Component):
    """Feeds activations.

    Members
    -------
    command : In(stream of StreamParams)
    read : Out(ReadPort)
    activations, swap, floating : Out
        To the array; ``floating`` only if the tile has floating point.
    token : Out(1)
        ``activations`` holds a row in this cycle.
    scales_<group> : In(stream), scale_fault : In(1), scale_fault_row : In
        Rows of ``ScaleReader``; only with mxfp8.
    weights_ready : In(1)
        ``WeightLoader.ready_soon``.
    waiting : Out(1)
        The next block waits for its weights.
    swapping : Out(1)
        A swap is given in this cycle or on its way.
    fault : Out(1), fault_row : Out
        A row beyond the scratchpad is due; stuck until ``quit``.
    quit : In(1)
        Drop everything.
    """

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        self.part_bits = part_bits(tile)
        self.row_bits = max(ceil_log2(tile.scratchpad_rows) + self.part_bits, 16) + 2
        super().__init__({
            "command": In(stream.Signature(StreamParams(tile))),
            "read": Out(ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)),
            "activations": Out(operand_bits(tile) * tile.array_rows), "swap": Out(1),
            "token": Out(1),
            **({"floating": Out(1)} if tile.has_float else {}),
            **scale_ports(tile, 8 * tile.row_bytes),
            "weights_ready": In(1), "waiting": Out(1), "swapping": Out(1),
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
        row = Signal(self.row_bits)         # all three in units of the format
        format = Signal(Format)
        shift = unit_shift(tile, format) if decodes(tile) else Const(0, 1)
        index = Signal(self.row_bits)       # scratchpad row
        m_total, m_left = Signal(16), Signal(16)
        k_total, k_left, n_left = Signal(16), Signal(16), Signal(16)
        # kept beside the counters, off the way of a request's grant: whether they are the last
        # row's or block's, whether the row is beyond the scratchpad, and whether only weights or
        # scales can still keep it back
        last_m, last_k, last_n = Signal(), Signal(), Signal()
        out_of_range, beyond_command = Signal(), Signal()
        due = Signal()
        block_start = Signal()
        gap, column_gap = Signal(), Signal()
        recent = Signal(Accumulator.update_distance(tile) - 1)
        go = Signal()
        block_done = Signal()
        latency = READ_LATENCY + decodes(tile)
        swap = Signal(latency - 1)
        # the loader has not yet seen a swap that is on its way
        weights_ready = self.weights_ready & ~swap[:-1].any()
        # --- with mxfp8: the scale of this row, one for each group of lanes
        scales = [getattr(self, f"scales_{group}") for group in range(scale_groups(tile))] \
            if "mxfp8" in tile.formats else []
        scaled = Signal()
        scale_missing, scale_fault = Signal(), Signal()
        at = Signal(range(tile.row_bytes))  # matrix row, in the row of scales
        if scales:
            needed = Cat(scaled & (k_left > SCALE_GROUP * group) for group in range(len(scales)))
            missing = Cat(~port.valid for port in scales)
            m.d.comb += [
                scale_missing.eq((needed & missing).any()),
                scale_fault.eq(scale_missing & self.scale_fault),
                *(port.ready.eq(go & needed[group] & (block_done | (at == tile.row_bytes - 1)))
                  for group, port in enumerate(scales)),
            ]

        m.d.comb += [
            index.eq(row >> shift),
            self.fault.eq(active & (out_of_range | scale_fault)),
            # what is left of a first row beyond the memory may lie inside
            self.fault_row.eq(Mux(beyond_command, tile.scratchpad_rows, index)),
            self.waiting.eq(active & block_start & ~weights_ready),
            self.read.request.payload.eq(index),
            self.read.request.valid.eq(due & ~scale_missing & (~block_start | weights_ready)),
            go.eq(self.read.request.valid & self.read.request.ready),
            block_done.eq(go & last_m),
        ]
        if scales:
            with m.If(~out_of_range):
                m.d.comb += self.fault_row.eq(self.scale_fault_row)
        # --- a step: to the next row, or from the last one (or from none) to the next command. What
        # comes after it does not wait for the grant, only whether it comes.
        step, take = Signal(), Signal()
        before = recent[:-1].any()          # a row not long ago, besides this cycle's
        m.d.comb += [
            step.eq(go | ~active),
            take.eq(~active | (last_m & last_k & last_n)),
            self.command.ready.eq(step & take),
        ]
        m.d.sync += [
            recent.eq(Cat(go, recent)),
            due.eq(active & ~out_of_range & ~(gap & before)),
        ]
        params = self.command.payload
        with m.If(take):
            # what the last row itself does not need
            m.d.sync += [
                stride.eq(params.stride), column_gap.eq(params.column_gap),
                command_row.eq(params.row), m_total.eq(params.m), k_total.eq(params.k),
            ]
        with m.If(step):
            m.d.sync += block_start.eq(last_m | take)
            with m.If(take):
                beyond, first_shift = Signal(), Const(0, 1)
                if decodes(tile):
                    first_shift = unit_shift(tile, params.format)
                    m.d.sync += format.eq(params.format)
                if scales:
                    m.d.sync += scaled.eq(params.scaled)
                m.d.comb += beyond.eq((params.row >> first_shift) >= tile.scratchpad_rows)
                m.d.sync += [
                    active.eq(self.command.valid), gap.eq(params.gap),
                    out_of_range.eq(beyond), beyond_command.eq(beyond),
                    due.eq(self.command.valid & ~beyond & ~(params.gap & (active | before))),
                    block_row.eq(params.row), row.eq(params.row),
                    m_left.eq(params.m), k_left.eq(params.k), n_left.eq(params.n),
                    last_m.eq(params.m == 1), last_k.eq(params.k <= rows),
                    last_n.eq(params.n <= cols),
                ]
            with m.Else():
                next_block, next_row = Signal(self.row_bits), Signal(self.row_bits)
                beyond, next_gap = Signal(), Signal()
                m.d.comb += [
                    next_block.eq(Mux(last_k, command_row, block_row + 1)),
                    next_row.eq(Mux(last_m, next_block, row + stride)),
                    beyond.eq((next_row >> shift) >= tile.scratchpad_rows),
                    next_gap.eq(last_m & last_k & column_gap),
                ]
                m.d.sync += [
                    row.eq(next_row), out_of_range.eq(beyond), gap.eq(next_gap),
                    due.eq(~beyond & ~next_gap),
                    m_left.eq(Mux(last_m, m_total, m_left - 1)),
                    last_m.eq(Mux(last_m, m_total == 1, m_left == 2)),
                ]
                with m.If(last_m):
                    m.d.sync += [
                        block_row.eq(next_block),
                        k_left.eq(Mux(last_k, k_total, k_left - rows)),
                        last_k.eq(Mux(last_k, k_total <= rows, k_left <= 2 * rows)),
                    ]
                    with m.If(last_k):
                        m.d.sync += [n_left.eq(n_left - cols), last_n.eq(n_left <= 2 * cols)]

        # --- arriving rows: zero lanes beyond K
        lanes = Signal(rows)
        m.d.comb += lanes.eq(Mux(k_left >= rows, (1 << rows) - 1, (1 << k_left[:log2_rows]) - 1))
        m.submodules.decoder = decoder = OperandDecoder(tile)
        arriving = Signal(latency)
        m.d.sync += [arriving.eq(Cat(go, arriving)), swap.eq(Cat(go & block_start, swap))]
        m.d.comb += [
            decoder.row.eq(self.read.response.payload),
            decoder.lanes.eq(as_asked(m, "lanes", lanes)),
            self.token.eq(arriving[-1]),
            # one cycle before the block's first row reaches the array
            self.swap.eq(swap[-1]), self.swapping.eq(swap.any()),
        ]
        if decodes(tile):
            arriving_format = as_asked(m, "format", format)
            operands = Signal.like(self.activations, reset_less=True)
            m.d.sync += operands.eq(decoder.operands)
            m.d.comb += [
                decoder.format.eq(arriving_format),
                decoder.part.eq(as_asked(m, "part", row[:max(1, self.part_bits)])),
                self.activations.eq(operands),
            ]
            if scales:
                chosen = Cat(port.payload.word_select(at, 8) for port in scales)
                arriving_scales = as_asked(m, "scales", chosen)
                m.d.sync += at.eq(Mux(go, Mux(block_done, 0, at + 1), at))
                m.d.comb += [
                    decoder.scaled.eq(as_asked(m, "scaled", scaled)),
                    decoder.scales.eq(Cat(
                        arriving_scales.word_select(lane // SCALE_GROUP, 8)
                        for lane in range(rows))),
                ]
            if tile.has_float:
                floating = Signal(reset_less=True)
                m.d.sync += floating.eq(is_float(tile, arriving_format))
                m.d.comb += self.floating.eq(floating)
        else:
            m.d.comb += self.activations.eq(decoder.operands)

        with m.If(self.quit):
            m.d.comb += self.command.ready.eq(0)
            # what is being decoded still comes
            decoding = Cat(Const(0, READ_LATENCY), arriving[READ_LATENCY - 1:-1])
            m.d.sync += [active.eq(0), due.eq(0), arriving.eq(decoding), swap.eq(0)]
            if scales:
                m.d.sync += at.eq(0)
        return m
