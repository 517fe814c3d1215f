"""Issues the rows of an instruction: walks addresses, asks the memories, keeps the distances.

::

    dispatch -> | walk: a row (of a load, a part of one) a cycle | x0: request, granted | -> lanes

A row waits in the walk while x0 is taken, and, of a store, while ``DEPTH`` vectors are on their way
to the scratchpad. A load waits in x0 until it is granted and, if stores are on their way, until
these have passed unless its scratchpad row lies outside all that they touch (from the lowest to the
highest row that a store issued since there last was none).

The next instruction is taken when the walk's last row leaves it or, of a strip shorter than
``ProcessorLane.DISTANCE``, as many cycles later as are missing, counted from x0's being granted.

Latency: dispatch to x0 2 cycles. Throughput: one row a cycle.
"""

from amaranth.hdl import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...formats.table import BITS, Format, units_per_row, units_per_vector
from ..microcode import STRIP
from .control import INDEX_BITS, Operand, RowControl
from .dispatch import UNIT_BITS, Decode, Dispatch
from .lane import ProcessorLane
from .writer import StoreTag

__all__ = ["Issuer"]


class Issuer(wiring.Component):
    """One instruction in the walk, one row in x0.

    Members
    -------
    dispatch : In(stream.Signature(Dispatch))
    stop : In(1)
        Nothing new is begun; a request that shows is still waited for.
    idle : Out(1)
        Nothing waits, no store is on its way.
    fault : Out(1), fault_row : Out(32)
        A vector outside its memory, once everything before it is done.
    request : Out(stream.Signature(row)), accumulator : Out(stream.Signature(row))
    valid : Out(1), control : Out(RowControl), constant : Out(32), loads : Out(1)
        To the lanes (x0).
    tag_valid : Out(1), tag : Out(StoreTag)
        To the writer, with x0.
    written : In(1)
        A vector has been written.
    looking : Out(1), table_ready : In(1), table_taken : Out(1)
        A lookup is in the walk: it issues each row twice, to fetch the indices and, when the table
        is ready, to take what it holds.
    """

    #: Vectors on their way to the scratchpad.
    DEPTH = 16

    def __init__(self, config):
        self.tile = config.tile
        tile = config.tile
        super().__init__({
            "dispatch": In(stream.Signature(Dispatch())),
            "stop": In(1), "idle": Out(1), "fault": Out(1), "fault_row": Out(32),
            "request": Out(stream.Signature(unsigned(ceil_log2(tile.scratchpad_rows)))),
            "accumulator": Out(stream.Signature(unsigned(ceil_log2(tile.accumulator_rows)))),
            "valid": Out(1), "control": Out(RowControl()), "constant": Out(32), "loads": Out(1),
            "tag_valid": Out(1), "tag": Out(StoreTag(tile)), "written": In(1),
            "looking": Out(1), "table_ready": In(1), "table_taken": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        pad_bits, acc_bits = ceil_log2(tile.scratchpad_rows), ceil_log2(tile.accumulator_rows)
        m.submodules.decode = decode = Decode()
        offered = self.dispatch.payload
        taken = self.dispatch.valid & self.dispatch.ready
        m.d.comb += decode.i.eq(offered)

        # --- the instruction in the walk
        active, control = Signal(), Signal(RowControl())
        constant, numbers_rows = Signal(32), Signal()
        unit, row_stride = Signal(signed(UNIT_BITS)), Signal(signed(16))
        shift, parts_less_one = Signal(2), Signal(2)
        rows_less_one, row, part = Signal(INDEX_BITS), Signal(INDEX_BITS), Signal(2)
        fetched = Signal()                      # of a lookup: the row's indices are on their way
        missing = Signal(range(ProcessorLane.DISTANCE))
        loads, looks_up = Signal(), Signal()

        # --- x0
        s0_valid, s0_control = Signal(), Signal(RowControl())
        s0_constant = Signal(32)
        s0_pad, s0_accumulator, s0_beyond, s0_clash = Signal(), Signal(), Signal(), Signal()
        s0_row = Signal(32)
        under_way = Signal(range(self.DEPTH + 1))
        low, high = Signal(pad_bits), Signal(pad_bits)

        # --- the walk's row
        first_row, last_row = Signal(signed(UNIT_BITS)), Signal(signed(UNIT_BITS + 1))
        touches, beyond, passes, ends, free = Signal(), Signal(), Signal(), Signal(), Signal()
        splits, part_ends, row_ends = Signal(), Signal(), Signal()
        m.d.comb += [
            first_row.eq(unit >> shift),
            last_row.eq(first_row + parts_less_one),
            touches.eq(loads | control.stores),
            beyond.eq(touches & Mux(control.accumulator, first_row[acc_bits:] != 0,
                                    (first_row[pad_bits:] != 0) | (last_row[pad_bits:] != 0))),
            splits.eq(loads),
            part_ends.eq(~splits | (part == parts_less_one) | beyond),
            row_ends.eq(part_ends & (fetched | ~looks_up)),
            passes.eq(active & free & ~self.stop
                      & (~control.stores | (under_way != self.DEPTH))
                      & (~fetched | self.table_ready)),
            ends.eq(passes & row_ends & (row == rows_less_one)),
            self.looking.eq(active & looks_up),
            self.table_taken.eq(passes & fetched),
        ]
        distance = ProcessorLane.DISTANCE
        with m.If(passes):
            m.d.sync += part.eq(part + 1)
            with m.If(looks_up):
                m.d.sync += fetched.eq(~fetched)
            with m.If(row_ends):
                m.d.sync += [part.eq(0), row.eq(row + 1), unit.eq(unit + row_stride)]
        with m.If(ends):
            m.d.sync += [active.eq(0),
                         missing.eq(Array(max(0, distance - rows) for rows in range(1, STRIP + 1))
                                    [rows_less_one])]
        with m.Elif((missing != 0) & free):
            m.d.sync += missing.eq(missing - 1)
        with m.If(self.stop | self.fault):
            m.d.sync += active.eq(0)
        m.d.comb += self.dispatch.ready.eq(
            ~self.fault & ~self.stop
            & Mux(active, ends & (rows_less_one >= distance - 1),
                  (missing == 0) | ((missing == 1) & free)))
        with m.If(taken):
            m.d.sync += [
                active.eq(1), control.eq(decode.control), constant.eq(decode.constant),
                numbers_rows.eq(decode.numbers_rows), loads.eq(decode.loads),
                looks_up.eq(decode.control.looks_up),
                unit.eq(offered.unit), row_stride.eq(offered.row_stride),
                rows_less_one.eq(offered.rows_less_one), row.eq(0), part.eq(0), fetched.eq(0),
                shift.eq(self._by_format(offered, lambda code: ceil_log2(units_per_row(tile, code)),
                                         0)),
                parts_less_one.eq(self._by_format(
                    offered, lambda code: units_per_vector(tile, code) - 1, 0)),
            ]

        # --- into x0
        pad_row = (first_row + part)[:pad_bits]
        with m.If(free):
            m.d.sync += s0_valid.eq(passes)
        with m.If(self.fault):
            m.d.sync += s0_valid.eq(0)
        with m.If(passes):
            m.d.sync += [
                s0_control.eq(control),
                s0_control.row.eq(row), s0_control.part.eq(part), s0_control.whole.eq(part_ends),
                s0_control.unit.eq(unit[:2] & ((1 << shift) - 1)[:2]),
                s0_control.writes.eq(control.writes & (~looks_up | fetched)),
                s0_constant.eq(constant | Mux(numbers_rows, row, 0)),
                s0_pad.eq(loads & ~control.accumulator),
                s0_accumulator.eq(loads & control.accumulator),
                s0_beyond.eq(beyond),
                s0_row.eq(Mux(beyond, first_row, first_row + part)[:32]),
                s0_clash.eq((under_way != 0) & (pad_row >= low) & (pad_row <= high)),
            ]
            # what the table holds comes in as 32-bit elements do
            with m.If(fetched):
                m.d.sync += [s0_control.operand.eq(Operand.MEMORY),
                             s0_control.format.eq(Format.FP32)]
        stored = passes & control.stores & ~beyond
        m.d.sync += under_way.eq(under_way + stored - self.written)
        with m.If(stored):
            with m.If((under_way == 0) | (first_row[:pad_bits] < low)):
                m.d.sync += low.eq(first_row)
            with m.If((under_way == 0) | (last_row[:pad_bits] > high)):
                m.d.sync += high.eq(last_row)

        # --- out of x0
        granted = Signal()
        m.d.comb += [
            self.request.valid.eq(s0_valid & s0_pad & ~s0_beyond
                                  & ~(s0_clash & (under_way != 0))),
            self.request.payload.eq(s0_row),
            self.accumulator.valid.eq(s0_valid & s0_accumulator & ~s0_beyond),
            self.accumulator.payload.eq(s0_row),
            granted.eq(~s0_beyond
                       & ((self.request.valid & self.request.ready)
                          | (self.accumulator.valid & self.accumulator.ready)
                          | ~(s0_pad | s0_accumulator))),
            free.eq(~s0_valid | granted),
            self.fault.eq(s0_valid & s0_beyond), self.fault_row.eq(s0_row),
            self.valid.eq(s0_valid & granted), self.control.eq(s0_control),
            self.constant.eq(s0_constant), self.loads.eq(s0_pad | s0_accumulator),
            self.tag_valid.eq(self.valid & s0_control.stores),
            self.tag.row.eq(s0_row), self.tag.unit.eq(s0_control.unit),
            self.tag.format.eq(s0_control.format),
            self.idle.eq(~active & ~s0_valid & (under_way == 0)),
        ]
        return m

    def _by_format(self, offered, value, otherwise):
        """``value(format)`` of the stream's format, ``otherwise`` in the accumulators."""
        values = {code.value: value(code) for code in BITS}
        table = Array(values.get(index, 0) for index in range(1 << Format.as_shape().width))
        return Mux(offered.accumulator, otherwise, table[offered.format.as_value()])
