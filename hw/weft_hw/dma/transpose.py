"""Transposition of what a LOAD reads.

With ``transpose`` a LOAD of ``rows`` rows of ``row_bytes`` bytes leaves in the scratchpad what a
plain LOAD of the transposed matrix would: its elements have e = 1, 2 or 4 bytes (``transpose`` = 1,
2, 3), element r of destination row c is element [r, c] of the source, there are ``row_bytes / e``
destination rows of ``rows * e`` bytes, row c begins at scratchpad row ``local_row + c *
local_stride`` and is filled up with zeros to the end of its last scratchpad row. ``row_bytes`` must
be a multiple of e, ``more_*`` and ``padded`` zero (ILLEGAL_FIELD). That the whole destination and
source lie inside is checked first (LOCAL_RANGE at ``local_row`` or the scratchpad's end, then
WINDOW); a failed read leaves its strip unwritten.

::

    source: strips of E rows (E = elements of a scratchpad row) x config.transpose_columns elements

    i (rows of a strip) --> rotate by r elements --> banks, one for each byte of a row, two strips
        banks (each its own address: a column) --> rotate back by c elements --> beat

Row r of a strip is written rotated by r elements, so that the elements of a column lie in different
banks: a column is read at once, and turned back. While one strip is written the other is read.
Requests are strips' rows, along the rows first: ``transpose_columns * e`` bytes, or what is left.

Latency: last flit of a strip taken in cycle t, its first column's beat offered in t + 2.
Throughput: a flit and a beat a cycle; a strip of n columns is read in n cycles, and the next one
after it without a pause if it is complete then.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..memory.bank import MemoryBank
from .fill import LocalBeat
from .walk import LOCAL_STRIDE_BITS

__all__ = ["StripFlit", "Transposer"]


class StripFlit(data.StructLayout):
    """A flit of a row of a strip, or with ``missing`` the end of a row that could not be read. The
    other fields are looked at where the strip ends: request ``tag`` of its last row is complete
    when its columns are written, from scratchpad row ``row`` on.
    """

    def __init__(self, config):
        super().__init__({
            "data": unsigned(8 * config.flit_bytes),
            "transpose": unsigned(2),
            "missing": unsigned(1),
            "row_ends": unsigned(1),
            "strip_ends": unsigned(1),
            **_strip_fields(config),
        })


def _strip_fields(config):
    return {
        "tag": unsigned(8),
        "row": range(config.tile.scratchpad_rows),
        "columns_less_one": range(config.transpose_columns),
        "column_stride": unsigned(LOCAL_STRIDE_BITS),
    }


class _Strip(data.StructLayout):
    """A strip that is complete."""

    def __init__(self, config):
        super().__init__({
            "transpose": unsigned(2),
            "rows_less_one": range(config.flit_bytes),
            **_strip_fields(config),
        })


def _rotate(word, amount, *, left):
    """``word`` rotated by ``amount`` bytes."""
    for i, bit in enumerate(amount):
        turned = word.rotate_left(8 << i) if left else word.rotate_right(8 << i)
        word = Mux(bit, turned, word)
    return word


class Transposer(wiring.Component):
    """Strips to columns.

    Members
    -------
    i : In(stream.Signature(StripFlit))
        rows of strips, one after another
    whole : Out(1)
        no row of the strip at ``i`` was missing yet
    beat : Out(stream.Signature(LocalBeat))
        columns of strips that are whole; others leave nothing
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(StripFlit(config))),
            "whole": Out(1),
            "beat": Out(stream.Signature(LocalBeat(config))),
        })

    def elaborate(self, platform):
        m = Module()
        flit_bytes, columns = self.config.flit_bytes, self.config.transpose_columns
        byte_bits, column_bits = ceil_log2(flit_bytes), ceil_log2(columns)
        flit = self.i.payload
        sizes = range(3)
        banks = [MemoryBank(rows=2 * columns, row_bits=8) for _ in range(flit_bytes)]
        m.submodules += banks

        def by_size(code, values):
            """Of three values, that for the element's bytes (1, 2, 4)."""
            return Array([values[0], *values])[code]

        # the strip that comes in
        filling, full = Signal(), Signal(2)
        strips = Array([Signal(_Strip(self.config), name=f"strip_{i}") for i in range(2)])
        row, flits = Signal(byte_bits), Signal(range(columns))
        broken, takes, complete = Signal(), Signal(), Signal()
        where, turned = Signal(column_bits), Signal(8 * flit_bytes)
        m.d.comb += [
            self.i.ready.eq(~full.bit_select(filling, 1)),
            self.whole.eq(~broken),
            takes.eq(self.i.valid & self.i.ready),
            complete.eq(takes & flit.row_ends & flit.strip_ends & ~flit.missing & ~broken),
            where.eq(by_size(flit.transpose, [Cat(row[:byte_bits - k], flits) for k in sizes])),
            turned.eq(_rotate(
                flit.data, by_size(flit.transpose, [(row << k)[:byte_bits] for k in sizes]),
                left=True)),
        ]
        for byte, bank in enumerate(banks):
            m.d.comb += [
                bank.write_enable.eq(takes),
                bank.write_row.eq(Cat(where, filling)),
                bank.write_data.eq(turned.word_select(byte, 8)),
            ]
        with m.If(takes):
            m.d.sync += flits.eq(flits + 1)
        with m.If(takes & flit.row_ends):
            m.d.sync += [row.eq(row + 1), flits.eq(0), broken.eq(broken | flit.missing)]
            with m.If(flit.strip_ends):
                m.d.sync += [row.eq(0), broken.eq(0)]
        with m.If(complete):
            m.d.sync += [filling.eq(~filling), full.bit_select(filling, 1).eq(1)]
            strip = strips[filling]
            m.d.sync += [strip.transpose.eq(flit.transpose), strip.rows_less_one.eq(row)]
            m.d.sync += [strip[name].eq(flit[name]) for name in _strip_fields(self.config)]

        # d0: the column that is read
        draining, d0_column, d0_offset = Signal(), Signal(column_bits), Signal.like(flit.row)
        strip, d0_last, d1_free = strips[draining], Signal(), Signal()
        reads = Signal()
        m.d.comb += [
            reads.eq(full.bit_select(draining, 1) & d1_free),
            d0_last.eq(d0_column == strip.columns_less_one),
        ]
        for byte, bank in enumerate(banks):
            m.d.comb += [
                bank.read_enable.eq(reads),
                bank.read_row.eq(Cat(by_size(strip.transpose, [
                    Cat(((byte >> k) - d0_column)[:byte_bits - k], d0_column[byte_bits - k:])
                    for k in sizes]), draining)),
            ]
        with m.If(reads):
            m.d.sync += [d0_column.eq(d0_column + 1), d0_offset.eq(d0_offset + strip.column_stride)]
            with m.If(d0_last):
                m.d.sync += [
                    d0_column.eq(0), d0_offset.eq(0),
                    draining.eq(~draining), full.bit_select(draining, 1).eq(0),
                ]

        # d1: its bytes, to be turned and cut
        d1_valid, d1_last, d1_tag = Signal(), Signal(), Signal(8)
        d1_row, d1_amount = Signal.like(flit.row), Signal(byte_bits)
        d1_transpose, d1_rows_less_one = Signal(2), Signal(byte_bits)
        beat, back = self.beat.payload, Signal(8 * flit_bytes)
        m.d.comb += [
            d1_free.eq(~d1_valid | self.beat.ready),
            self.beat.valid.eq(d1_valid),
            beat.tag.eq(d1_tag),
            beat.last.eq(d1_last),
            beat.beat.row.eq(d1_row),
            back.eq(_rotate(Cat(bank.read_data for bank in banks), d1_amount, left=False)),
        ]
        for byte in range(flit_bytes):
            element = by_size(d1_transpose, [byte >> k for k in sizes])
            m.d.comb += beat.beat.data.word_select(byte, 8).eq(
                Mux(element <= d1_rows_less_one, back.word_select(byte, 8), 0))
        with m.If(d1_free):
            m.d.sync += d1_valid.eq(reads)
        with m.If(reads):
            m.d.sync += [
                d1_last.eq(d0_last),
                d1_tag.eq(strip.tag),
                d1_row.eq(strip.row + d0_offset),
                d1_amount.eq(by_size(strip.transpose, [d0_column << k for k in sizes])),
                d1_transpose.eq(strip.transpose),
                d1_rows_less_one.eq(strip.rows_less_one),
            ]
        return m
