"""Weight loader: walks a command's weight blocks and shifts each into the array's shadow weights.

It runs ahead of the activations by one block, across commands too, and buffers a few rows so that
loading starts in the very cycle in which the shadows come free.

Latency: read request to shift 4 cycles, 5 if operands must be decoded. Throughput: one
weight row a cycle, one block in R cycles.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..formats.table import Format
from ..memory.port import READ_LATENCY, ReadPort, as_asked
from .decode import OperandDecoder, part_bits, unit_shift
from .operand import decodes, operand_bits
from .scale_reader import SCALE_GROUP, scale_groups, scale_ports

__all__ = ["WeightLoader", "WeightParams"]


class WeightParams(data.StructLayout):
    """What the loader needs of a command. ``format`` is there unless the tile has int8 only,
    ``scaled`` with mxfp8."""

    def __init__(self, tile):
        super().__init__({
            "row": unsigned(32), "stride": unsigned(16), "k": unsigned(16), "n": unsigned(16),
            **({"format": Format} if decodes(tile) else {}),
            **({"scaled": unsigned(1)} if "mxfp8" in tile.formats else {}),
        })


class WeightLoader(wiring.Component):
    """Feeds shadow weights.

    Members
    -------
    command : In(stream of WeightParams)
    read : Out(ReadPort)
    scales_<group> : In(stream), scale_fault : In(1), scale_fault_row : In
        Rows of ``ScaleReader``; only with mxfp8.
    weights, weight_rows : Out
        To the array.
    swap : In(1)
        The array takes the shadows in this cycle.
    ready_soon : Out(1)
        A swap may be given as soon as a row that is asked for now can be there for one: in the next
        cycle, or in the one after it if operands must be decoded.
    fault : Out(1), fault_row : Out
        A row beyond the scratchpad is due; stuck until ``quit``.
    quit : In(1)
        Drop everything.
    """

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        self.part_bits = part_bits(tile)
        # one block may overstep the memory by R strides before the range check stops it
        self.row_bits = (max(ceil_log2(tile.scratchpad_rows) + self.part_bits, 16)
                         + ceil_log2(tile.array_rows) + 2)
        super().__init__({
            "command": In(stream.Signature(WeightParams(tile))),
            "read": Out(ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)),
            "weights": Out(operand_bits(tile) * tile.array_cols),
            "weight_rows": Out(tile.array_rows),
            **scale_ports(tile, 8 * tile.array_cols),
            "swap": In(1), "ready_soon": Out(1),
            "fault": Out(1), "fault_row": Out(32),
            "quit": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        rows, cols = tile.array_rows, tile.array_cols
        log2_rows, log2_cols = ceil_log2(rows), ceil_log2(cols)

        # --- the walk: nb, then kb, then the rows of a block from the last to the first
        active = Signal()
        stride = Signal(16)
        first_row = Signal(self.row_bits)   # last row of block kb = 0, this nb
        block_row = Signal(self.row_bits)   # last row of this block
        row = Signal(self.row_bits)         # all three in units of the format
        format = Signal(Format)
        shift = unit_shift(tile, format) if decodes(tile) else Const(0, 1)
        index = Signal(self.row_bits)       # scratchpad row
        in_block = Signal(log2_rows, init=rows - 1)
        k_total = Signal(16)
        k_left = Signal(16)                 # weight rows of this block and of the later ones of nb
        n_left = Signal(16)
        # whether they are the last block's: kept beside them, off the way of a request's grant
        last_k, last_n = Signal(), Signal()
        beyond_command = Signal()           # command.row itself is out of range

        padding = Signal()                  # this row lies beyond K: zeros, nothing read
        out_of_range = Signal()
        m.d.comb += [
            index.eq(row >> shift),
            out_of_range.eq(~padding & (beyond_command | (index >= tile.scratchpad_rows))),
            self.fault_row.eq(index),
        ]
        # --- with mxfp8: the scales of this row, one for each column
        scale_missing, scale_fault = Signal(), Signal()
        if "mxfp8" in tile.formats:
            scaled = Signal()
            scales = [getattr(self, f"scales_{group}") for group in range(scale_groups(tile))]
            in_group = [in_block // SCALE_GROUP == group for group in range(len(scales))]
            missing = Cat(here & ~port.valid for here, port in zip(in_group, scales, strict=True))
            m.d.comb += [
                scale_missing.eq(scaled & ~padding & missing.any()),
                scale_fault.eq(scale_missing & self.scale_fault),
            ]
            with m.If(scale_fault & ~out_of_range):
                m.d.comb += self.fault_row.eq(self.scale_fault_row)
        # --- requests, limited by the room in the buffer
        # rows in flight in the memory or being decoded, one being written, one being shifted
        buffer_rows = READ_LATENCY + decodes(tile) + 2
        m.submodules.buffer = buffer = SyncFIFO(width=len(self.weights), depth=buffer_rows)
        room = Signal(range(buffer_rows + 1), init=buffer_rows)
        issue = Signal()
        m.d.comb += [
            self.read.request.payload.eq(index),
            self.read.request.valid.eq(
                active & (room != 0) & ~padding & ~out_of_range & ~scale_missing),
            issue.eq(active & (room != 0) & ~out_of_range & ~scale_missing
                     & (padding | self.read.request.ready)),
        ]
        block_done, nb_done, command_done = Signal(), Signal(), Signal()
        m.d.comb += [
            block_done.eq(issue & (in_block == 0)),
            nb_done.eq(block_done & last_k),
            command_done.eq(nb_done & last_n),
        ]
        with m.If(issue):
            m.d.sync += [
                row.eq(row - stride), in_block.eq(in_block - 1),
                padding.eq(last_k & (in_block > k_left[:log2_rows + 1])),
            ]
        with m.If(block_done):
            next_block = Mux(last_k, first_row + 1, block_row + (stride << log2_rows))
            m.d.sync += [
                row.eq(next_block), block_row.eq(next_block),
                k_left.eq(Mux(last_k, k_total, k_left - rows)),
                last_k.eq(Mux(last_k, k_total <= rows, k_left <= 2 * rows)),
                padding.eq(Mux(last_k, k_total < rows, k_left < 2 * rows)),
            ]
        with m.If(nb_done):
            m.d.sync += [
                first_row.eq(first_row + 1), n_left.eq(n_left - cols),
                last_n.eq(n_left <= 2 * cols),
            ]
        with m.If(command_done):
            m.d.sync += active.eq(0)

        # --- next command
        m.d.comb += self.command.ready.eq(~active | command_done)
        with m.If(self.command.valid & self.command.ready):
            params = self.command.payload
            last_of_block = Signal(self.row_bits)
            first_shift = Const(0, 1)
            if decodes(tile):
                first_shift = unit_shift(tile, params.format)
                m.d.sync += format.eq(params.format)
            if "mxfp8" in tile.formats:
                m.d.sync += scaled.eq(params.scaled)
            m.d.comb += last_of_block.eq(params.row + (params.stride << log2_rows) - params.stride)
            m.d.sync += [
                active.eq(1), stride.eq(params.stride),
                first_row.eq(last_of_block), block_row.eq(last_of_block), row.eq(last_of_block),
                in_block.eq(rows - 1),
                k_total.eq(params.k), k_left.eq(params.k), n_left.eq(params.n),
                last_k.eq(params.k <= rows), last_n.eq(params.n <= cols),
                padding.eq(params.k < rows),
                beyond_command.eq((params.row >> first_shift) >= tile.scratchpad_rows),
            ]

        # --- arriving rows: zeros beyond K, zero lanes beyond N
        lanes = Signal(cols)                # of the block being requested
        m.d.comb += lanes.eq(Mux(n_left >= cols, (1 << cols) - 1, (1 << n_left[:log2_cols]) - 1))
        m.submodules.decoder = decoder = OperandDecoder(tile)
        arriving = Signal(READ_LATENCY + decodes(tile))
        m.d.sync += arriving.eq(Cat(issue, arriving))
        m.d.comb += [
            decoder.row.eq(self.read.response.payload),
            decoder.lanes.eq(as_asked(m, "lanes", Mux(padding, 0, lanes))),
            buffer.w_en.eq(arriving[-1]),
        ]
        if decodes(tile):
            operands = Signal.like(self.weights, reset_less=True)
            m.d.sync += operands.eq(decoder.operands)
            m.d.comb += [
                decoder.format.eq(as_asked(m, "format", format)),
                decoder.part.eq(as_asked(m, "part", row[:max(1, self.part_bits)])),
                buffer.w_data.eq(operands),
            ]
            if "mxfp8" in tile.formats:
                chosen = Array(port.payload for port in scales)[in_block // SCALE_GROUP]
                m.d.comb += [
                    decoder.scaled.eq(as_asked(m, "scaled", scaled)),
                    decoder.scales.eq(as_asked(m, "scales", chosen)),
                    # the last of a group that is asked for is its first row
                    *(port.ready.eq(issue & scaled & ~padding & (in_block == SCALE_GROUP * group))
                      for group, port in enumerate(scales)),
                ]
        else:
            m.d.comb += buffer.w_data.eq(decoder.operands)

        # --- shifting into the shadows
        loaded = Signal(range(rows + 1))
        full, one_short = Signal(), Signal()  # whether ``loaded`` is R, or R - 1
        already = Signal.like(loaded)       # rows of the block in shadows, after this cycle's swap
        after = Signal.like(loaded)
        shift = Signal()
        thermometer = Signal(rows, init=1)
        last_but_one = Signal()
        m.d.comb += [
            already.eq(Mux(self.swap, 0, loaded)),
            after.eq(already + shift),
            shift.eq(buffer.r_rdy & (self.swap | ~full)),
            buffer.r_en.eq(shift),
            self.weights.eq(buffer.r_data),
            self.weight_rows.eq(Mux(shift, Mux(already == 0, 1, thermometer), 0)),
            # after this cycle's shift all R are there
            self.ready_soon.eq((~self.swap & (full | (one_short & buffer.r_rdy))) | last_but_one),
        ]
        if decodes(tile):
            # the last row is shifted in the next cycle
            m.d.comb += last_but_one.eq(
                shift & (already == rows - 2) & ((buffer.r_level > 1) | buffer.w_en))
        m.d.sync += [loaded.eq(after), full.eq(after == rows), one_short.eq(after == rows - 1)]
        with m.If(shift):
            m.d.sync += thermometer.eq(Mux(already == 0, 3, (thermometer << 1) | 1))
        m.d.sync += room.eq(room - issue + shift)
        # told when every row before it is in the shadows, so that a block that still waits is the
        # faulty one
        m.d.comb += self.fault.eq(active & (out_of_range | scale_fault) & (room == buffer_rows))

        with m.If(self.quit):
            m.d.comb += [self.command.ready.eq(0), buffer.r_en.eq(1)]
            m.d.sync += [active.eq(0), arriving.eq(0), loaded.eq(0), full.eq(0),
                         one_short.eq(0), in_block.eq(rows - 1), room.eq(buffer_rows)]
        return m
