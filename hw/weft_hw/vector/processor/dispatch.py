"""An instruction on its way from the sequencer to the issuer, and what the lanes make of it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...formats.table import Format
from ..microcode import Instruction, Op, Source
from .control import INDEX_BITS, LaneOp, Narrow, Operand, Result, RowControl

__all__ = ["UNIT_BITS", "Decode", "Dispatch"]

#: Of a unit's address, signed: 2**24 plus 65,535 rows and as many blocks at strides of 16 bits.
UNIT_BITS = 34

_MASKING = (Op.LESS, Op.LESS_EQUAL, Op.EQUAL, Op.INT_LESS)
_RESULTS = {Op.ADD: Result.ADD, Op.SUBTRACT: Result.ADD, Op.MULTIPLY: Result.MULTIPLY,
            Op.TO_INT: Result.TO_INT, Op.TO_FLOAT: Result.TO_FLOAT}
#: Formats of fp32 results, and what stores them.
_ENCODERS = {Format.BF16: LaneOp.ENCODE_BF16, Format.FP8E4M3: LaneOp.ENCODE_FP8E4M3,
             Format.FP8E5M2: LaneOp.ENCODE_FP8E5M2}


class Dispatch(data.StructLayout):
    """A legal instruction that works on rows. ``unit``: of the first row's vector in the stream;
    ``i``, ``column``: of the strip's first row, of the block's lane 0; ``tail``: the block is the
    last one."""

    def __init__(self):
        super().__init__({
            "instruction": Instruction,
            "scalar": unsigned(32),
            "format": Format, "accumulator": unsigned(1),
            "unit": signed(UNIT_BITS), "row_stride": signed(16),
            "rows_less_one": unsigned(INDEX_BITS),
            "i": unsigned(16), "column": unsigned(16), "tail": unsigned(1),
        })


class Decode(wiring.Component):
    """Fills in a row's control. Combinational.

    Members
    -------
    i : In(Dispatch)
    control : Out(RowControl)
        Without what changes from row to row, which is zero.
    constant : Out(32), numbers_rows : Out(1)
        A value for all lanes; the row's place is added to it.
    loads : Out(1)
    """

    i: In(Dispatch())
    control: Out(RowControl())
    constant: Out(32)
    numbers_rows: Out(1)
    loads: Out(1)

    def elaborate(self, platform):
        m = Module()
        instruction = self.i.instruction
        op = instruction.op
        stores = op == Op.STORE
        # floats stay floats whatever the instruction says
        integer = instruction.integer
        compares = Cat(op == code for code in _MASKING).any()
        lane_op, result, narrow = Signal(LaneOp), Signal(Result), Signal(Narrow)
        operand = Signal(Operand)
        fields = {
            "op": lane_op, "result": result, "narrow": narrow, "operand": operand,
            "d": instruction.d, "a": instruction.a,
            "b": Mux(stores, instruction.a, instruction.b),
            "permute_bit": instruction.permute_bit,
            "writes": ~stores & ~compares, "compares": compares, "stores": stores,
            "looks_up": op == Op.LOOKUP, "saturate": instruction.saturate,
            "tail": self.i.tail & (self.loads | stores), "fill": instruction.fill,
            "format": self.i.format, "accumulator": self.i.accumulator,
        }
        # in one piece: fields that are always zero are no logic of their own
        m.d.comb += [
            self.control.as_value().eq(Cat(
                Value.cast(fields.get(name, Const(0, field.width)))[:field.width]
                for name, field in RowControl())),
            self.loads.eq(op == Op.LOAD), self.numbers_rows.eq(op == Op.ROW),
        ]

        # --- arithmetic
        with m.Switch(op):
            for code in Op:
                if code.name in LaneOp.__members__:
                    with m.Case(code):
                        m.d.comb += [lane_op.eq(LaneOp[code.name]),
                                     result.eq(_RESULTS.get(code, Result.SIMPLE))]
            with m.Case(Op.LOAD):
                with m.Switch(self.i.format):
                    with m.Case(Format.INT8, Format.INT4, Format.INT32):
                        with m.If(~integer):
                            m.d.comb += [lane_op.eq(LaneOp.TO_FLOAT),
                                         result.eq(Result.TO_FLOAT)]
            with m.Case(Op.STORE):
                with m.Switch(self.i.format):
                    with m.Case(Format.INT8, Format.INT4, Format.INT32):
                        with m.If(~integer):
                            m.d.comb += [lane_op.eq(LaneOp.TO_INT),
                                         result.eq(Result.TO_INT)]
                    for code, encode in _ENCODERS.items():
                        with m.Case(code):
                            m.d.comb += lane_op.eq(encode)
                with m.Switch(self.i.format):
                    with m.Case(Format.INT8):
                        m.d.comb += narrow.eq(Narrow.INT8)
                    with m.Case(Format.INT4):
                        m.d.comb += narrow.eq(Narrow.INT4)

        # --- operand b
        with m.Switch(op):
            with m.Case(Op.LOAD):
                m.d.comb += operand.eq(Operand.MEMORY)
            with m.Case(Op.STORE):
                m.d.comb += operand.eq(Operand.REGISTER)
            with m.Case(Op.ROW):
                m.d.comb += [operand.eq(Operand.CONSTANT), self.constant.eq(self.i.i)]
            with m.Case(Op.COLUMN):
                m.d.comb += [operand.eq(Operand.CONSTANT), self.constant.eq(self.i.column)]
            with m.Default():
                with m.Switch(instruction.source):
                    with m.Case(Source.REGISTER):
                        m.d.comb += operand.eq(Operand.REGISTER)
                    with m.Case(Source.PERMUTED):
                        m.d.comb += operand.eq(Operand.PERMUTED)
                    with m.Case(Source.IMMEDIATE):
                        m.d.comb += [operand.eq(Operand.CONSTANT),
                                     self.constant.eq(instruction.immediate)]
                    with m.Case(Source.SCALAR):
                        m.d.comb += [operand.eq(Operand.CONSTANT),
                                     self.constant.eq(self.i.scalar)]
        return m
