"""Weight loader: walks a command's weight blocks and shifts each into the array's shadow weights.

It runs ahead of the activations by one block, across commands too, and buffers a few rows so that
loading starts in the very cycle in which the shadows come free.

Latency: read request to shift 4 cycles, 5 if operands must be decoded. Throughput: one
weight row a cycle, one block in R cycles.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..axi.queue import Queue
from ..formats.table import Format
from ..memory.port import READ_LATENCY, ReadPort, as_asked
from ..streams.level import count
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
        # kept beside the counters, off the way of a request's grant: whether they are the last
        # row's or block's, whether the row is beyond the scratchpad
        last_row, last_k, last_n = Signal(), Signal(), Signal()
        beyond = Signal()
        beyond_command = Signal()           # command.row itself is out of range

        padding = Signal()                  # this row lies beyond K: zeros, nothing read
        out_of_range = Signal()
        m.d.comb += [
            index.eq(row >> shift),
            out_of_range.eq(~padding & beyond),
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
        m.submodules.buffer = buffer = Queue(unsigned(len(self.weights)), depth=buffer_rows)
        room = Signal(range(buffer_rows + 1), init=buffer_rows)
        has_room, unused = Signal(init=1), Signal(init=1)
        issue = Signal()
        m.d.comb += [
            self.read.request.payload.eq(index),
            self.read.request.valid.eq(active & has_room & ~padding & ~beyond & ~scale_missing),
            issue.eq(active & has_room & ~scale_missing
                     & (padding | (~beyond & self.read.request.ready))),
        ]
        # --- a step: to the next row, or from the last one (or from none) to the next command. What
        # comes after it does not wait for the grant, only whether it comes.
        step, take = Signal(), Signal()
        m.d.comb += [
            step.eq(issue | ~active),
            take.eq(~active | (last_row & last_k & last_n)),
            self.command.ready.eq(step & take),
        ]
        params = self.command.payload
        with m.If(take):
            # what the last row itself does not need
            m.d.sync += [stride.eq(params.stride), k_total.eq(params.k)]
        with m.If(step):
            with m.If(take):
                last_of_block, command_beyond = Signal(self.row_bits), Signal()
                first_shift = Const(0, 1)
                if decodes(tile):
                    first_shift = unit_shift(tile, params.format)
                    m.d.sync += format.eq(params.format)
                if "mxfp8" in tile.formats:
                    m.d.sync += scaled.eq(params.scaled)
                m.d.comb += [
                    last_of_block.eq(params.row + (params.stride << log2_rows) - params.stride),
                    command_beyond.eq((params.row >> first_shift) >= tile.scratchpad_rows),
                ]
                m.d.sync += [
                    active.eq(self.command.valid),
                    first_row.eq(last_of_block), block_row.eq(last_of_block), row.eq(last_of_block),
                    in_block.eq(rows - 1), last_row.eq(0),
                    k_left.eq(params.k), n_left.eq(params.n),
                    last_k.eq(params.k <= rows), last_n.eq(params.n <= cols),
                    padding.eq(params.k < rows), beyond_command.eq(command_beyond),
                    beyond.eq(command_beyond
                              | ((last_of_block >> first_shift) >= tile.scratchpad_rows)),
                ]
            with m.Else():
                next_row, next_kb, next_nb, next_block = (
                    Signal(self.row_bits, name=f"next_{name}")
                    for name in ("row", "kb", "nb", "block"))
                m.d.comb += [
                    next_row.eq(row - stride), next_kb.eq(block_row + (stride << log2_rows)),
                    next_nb.eq(first_row + 1), next_block.eq(Mux(last_k, next_nb, next_kb)),
                ]
                # compared before one is chosen, for the sake of time
                row_beyond, kb_beyond, nb_beyond = (
                    (value >> shift) >= tile.scratchpad_rows
                    for value in (next_row, next_kb, next_nb))
                m.d.sync += [
                    row.eq(Mux(last_row, next_block, next_row)),
                    in_block.eq(in_block - 1), last_row.eq(in_block == 1),
                    padding.eq(last_k & (in_block > k_left[:log2_rows + 1])),
                    beyond.eq(beyond_command | Mux(last_row, Mux(last_k, nb_beyond, kb_beyond),
                                                   row_beyond)),
                ]
                with m.If(last_row):
                    m.d.sync += [
                        block_row.eq(next_block),
                        k_left.eq(Mux(last_k, k_total, k_left - rows)),
                        last_k.eq(Mux(last_k, k_total <= rows, k_left <= 2 * rows)),
                        padding.eq(Mux(last_k, k_total < rows, k_left < 2 * rows)),
                    ]
                    with m.If(last_k):
                        m.d.sync += [
                            first_row.eq(next_nb), n_left.eq(n_left - cols),
                            last_n.eq(n_left <= 2 * cols),
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
            buffer.i.valid.eq(arriving[-1]),
        ]
        if decodes(tile):
            operands = Signal.like(self.weights, reset_less=True)
            m.d.sync += operands.eq(decoder.operands)
            m.d.comb += [
                decoder.format.eq(as_asked(m, "format", format)),
                decoder.part.eq(as_asked(m, "part", row[:max(1, self.part_bits)])),
                buffer.i.payload.eq(operands),
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
            m.d.comb += buffer.i.payload.eq(decoder.operands)

        # --- shifting into the shadows
        buffered = Signal(range(buffer_rows + 1))
        several = Signal()                  # more than one row is in the buffer
        loaded = Signal(range(rows + 1))
        full = Signal()                     # it is R
        # R, or R - 1 and the last one is in the buffer
        complete = Signal()
        already = Signal.like(loaded)       # rows of the block in shadows, after this cycle's swap
        after = Signal.like(loaded)
        shift = Signal()
        thermometer = Signal(rows, init=1)
        last_but_one = Signal()
        m.d.comb += [
            already.eq(Mux(self.swap, 0, loaded)),
            after.eq(already + shift),
            shift.eq(buffer.o.valid & (self.swap | ~full)),
            buffer.o.ready.eq(shift),
            self.weights.eq(buffer.o.payload),
            self.weight_rows.eq(Mux(shift, Mux(already == 0, 1, thermometer), 0)),
            # after this cycle's shift all R are there
            self.ready_soon.eq((~self.swap & complete) | last_but_one),
        ]
        if decodes(tile):
            # the last row is shifted in the next cycle
            m.d.comb += last_but_one.eq(
                shift & (already == rows - 2) & (several | buffer.i.valid))
        stays = buffer.i.valid | several | (buffer.o.valid & ~shift)
        m.d.sync += [
            loaded.eq(after), full.eq(after == rows),
            complete.eq((after == rows) | ((after == rows - 1) & stays)),
        ]
        with m.If(shift):
            m.d.sync += thermometer.eq(Mux(already == 0, 3, (thermometer << 1) | 1))
        count(m, room, up=shift, down=issue, flags=[
            (has_room, lambda free: free != 0), (unused, lambda free: free == buffer_rows)])
        count(m, buffered, up=buffer.i.valid, down=buffer.o.valid & buffer.o.ready,
              flags=[(several, lambda waiting: waiting > 1)])
        # told when every row before it is in the shadows, so that a block that still waits is the
        # faulty one
        m.d.comb += self.fault.eq(active & (out_of_range | scale_fault) & unused)

        with m.If(self.quit):
            m.d.comb += [self.command.ready.eq(0), buffer.o.ready.eq(1)]
            m.d.sync += [
                active.eq(0), arriving.eq(0), loaded.eq(0), full.eq(0), complete.eq(0),
                room.eq(buffer_rows), has_room.eq(1), unused.eq(1),
            ]
        return m
