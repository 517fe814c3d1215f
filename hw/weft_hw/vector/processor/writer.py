"""Writes what the lanes store: queues vectors, packs them, splits them into rows.

Latency: a vector in cycle t, its (first) write shows from t + 2. Throughput: one scratchpad row a
cycle.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...formats.table import Format, units_per_row, units_per_vector
from ...memory.port import WritePort
from .control import element_widths

__all__ = ["StoreTag", "StoreWriter"]


class StoreTag(data.StructLayout):
    """Where a vector goes: its first row, and which unit of that where units are less than rows."""

    def __init__(self, tile):
        super().__init__({"row": unsigned(ceil_log2(tile.scratchpad_rows)), "unit": unsigned(2),
                          "format": Format})


class StoreWriter(wiring.Component):
    """Pairs tags, which come when a vector is issued, with the vectors.

    Parameters
    ----------
    depth : int
        vectors that may be on their way

    Members
    -------
    tag_valid : In(1), tag : In(StoreTag)
    i_valid : In(1), i : In(32 * C)
        In the order of the tags; the low bits of each lane count.
    written : Out(1)
        A vector has been written.
    write : Out(WritePort)
    """

    def __init__(self, config, *, depth):
        self.tile = config.tile
        self.depth = depth
        tile = config.tile
        super().__init__({
            "tag_valid": In(1), "tag": In(StoreTag(tile)),
            "i_valid": In(1), "i": In(32 * tile.array_cols),
            "written": Out(1),
            "write": Out(WritePort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes,
                                   parts=tile.write_parts)),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        lanes, width = tile.array_cols, 8 * tile.row_bytes
        beats = units_per_vector(tile, Format.INT32)
        # one more than can be inside: its output register is not always filled
        m.submodules.tags = tags = SyncFIFOBuffered(width=StoreTag(tile).size, depth=self.depth + 1)
        m.submodules.rows = rows = SyncFIFOBuffered(width=32 * lanes, depth=self.depth + 1)
        m.d.comb += [
            tags.w_en.eq(self.tag_valid), tags.w_data.eq(self.tag),
            rows.w_en.eq(self.i_valid), rows.w_data.eq(self.i),
        ]

        tag, vector = StoreTag(tile)(tags.r_data), rows.r_data
        beat, whole, taken = Signal(range(beats)), Signal(), Signal()
        payload = self.write.request.payload
        m.d.comb += [
            self.write.request.valid.eq(tags.r_rdy & rows.r_rdy),
            taken.eq(self.write.request.valid & self.write.request.ready),
            payload.row.eq(tag.row + beat),
            self.written.eq(taken & whole), tags.r_en.eq(self.written), rows.r_en.eq(self.written),
        ]
        with m.If(taken):
            m.d.sync += beat.eq(Mux(whole, 0, beat + 1))

        parts = tile.write_parts
        with m.Switch(tag.format):
            for bits, codes in element_widths(tile).items():
                units = units_per_row(tile, codes[0])
                packed = Cat(vector.word_select(lane, 32)[:bits] for lane in range(lanes))
                with m.Case(*codes):
                    m.d.comb += [payload.data.eq(packed.replicate(units)), whole.eq(1)]
                    if parts > 1:
                        each = parts // units
                        unit = tag.unit[:ceil_log2(units)] if units > 1 else 0
                        m.d.comb += payload.mask.eq(((1 << each) - 1) << (unit * each))
            with m.Default():
                m.d.comb += [payload.data.eq(vector.word_select(beat, width)),
                             whole.eq(beat == beats - 1)]
                if parts > 1:
                    m.d.comb += payload.mask.eq((1 << parts) - 1)
        return m
