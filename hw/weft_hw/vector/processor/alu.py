"""Arithmetic of one lane.

::

    a, b, op -> | s1: simple result -> s2 -> s3 (and units of 2 stages) | -+
                | Fp32Add, Fp32ToInt              2 stages ------^      |  +-> o
                | Fp32Multiply, Int32ToFp32       3 stages              | -+

Latency: ``LATENCY`` = 3 cycles; the condition of a comparison comes at once. Throughput: one
operation a cycle. A stage moves only where ``enable`` of its unit is high: the user keeps it high
for the ``LATENCY`` cycles from the operands on.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...formats.encode_bf16 import EncodeBf16
from ...formats.encode_fp8 import EncodeFp8
from ...formats.fp32_add import Fp32Add
from ...formats.fp32_multiply import Fp32Multiply
from ...formats.fp32_to_int import Fp32ToInt
from ...formats.int32_to_fp32 import Int32ToFp32
from ...formats.table import Format
from .control import LaneOp, Narrow, Result, operand_formats

__all__ = ["Alu", "UnitEnables"]

_NAN = 0x7FC00000


class UnitEnables(data.Struct):
    """Which units of the lanes move."""

    simple: unsigned(1)
    add: unsigned(1)
    to_int: unsigned(1)
    multiply: unsigned(1)
    to_float: unsigned(1)


class Alu(wiring.Component):
    """``op`` of ``a`` and ``b``, as ``vector.microcode`` says.

    Members
    -------
    op : In(LaneOp), a, b : In(32), saturate : In(1)
    index : In(log2 C)
        The lane's number.
    mask : In(1)
        Of SELECT.
    condition : Out(1)
        Of comparisons, combinational.
    enable : In(UnitEnables)
    early : In(Result), narrow : In(Narrow)
        Two cycles after the operands.
    late : In(Result)
        Three cycles after them.
    o : Out(32)
        Then.
    """

    LATENCY = 3

    def __init__(self, config):
        self.formats = operand_formats(config.tile)
        super().__init__({
            "op": In(LaneOp), "a": In(32), "b": In(32), "saturate": In(1), "index": In(8),
            "mask": In(1), "condition": Out(1),
            "enable": In(UnitEnables),
            "early": In(Result), "narrow": In(Narrow), "late": In(Result),
            "o": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.add = add = Fp32Add()
        m.submodules.to_int = to_int = Fp32ToInt(32)
        m.submodules.multiply = multiply = Fp32Multiply()
        m.submodules.to_float = to_float = Int32ToFp32()
        op, a, b = self.op, self.a, self.b
        m.d.comb += [
            add.a.eq(a), add.b.eq(Cat(b[:31], b[31] ^ (op == LaneOp.SUBTRACT))),
            to_int.i.eq(b), multiply.a.eq(a), multiply.b.eq(b), to_float.i.eq(b.as_signed()),
            add.enable.eq(self.enable.add), to_int.enable.eq(self.enable.to_int),
            multiply.enable.eq(self.enable.multiply), to_float.enable.eq(self.enable.to_float),
        ]

        # --- comparison: floats in the order of integers, -0 below +0
        integer, less, equal, unordered, zeros = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += integer.eq((op == LaneOp.INT_MINIMUM) | (op == LaneOp.INT_MAXIMUM)
                               | (op == LaneOp.INT_LESS))
        flushed, keys, nans = [], [], []
        for name, value in (("a", a), ("b", b)):
            flat, key = Signal(32, name=f"{name}_flushed"), Signal(32, name=f"{name}_key")
            m.d.comb += [
                flat.eq(Mux(value[23:31] == 0, value & 0x80000000, value)),
                key.eq(Mux(integer, value, Cat(flat[:31] ^ flat[31].replicate(31), flat[31]))),
            ]
            flushed.append(flat)
            keys.append(key)
            nans.append(value[23:31].all() & value[:23].any())
        m.d.comb += [
            less.eq(keys[0].as_signed() < keys[1].as_signed()),
            equal.eq(keys[0] == keys[1]),
            unordered.eq(nans[0] | nans[1]),
            zeros.eq((flushed[0][:31] == 0) & (flushed[1][:31] == 0)),
        ]
        with m.Switch(op):
            with m.Case(LaneOp.INT_LESS):
                m.d.comb += self.condition.eq(less)
            with m.Case(LaneOp.LESS):
                m.d.comb += self.condition.eq(less & ~zeros & ~unordered)
            with m.Case(LaneOp.LESS_EQUAL):
                m.d.comb += self.condition.eq((less | equal | zeros) & ~unordered)
            with m.Default():
                m.d.comb += self.condition.eq((equal | zeros) & ~unordered)

        # --- operations of one stage
        simple = Signal(32)
        amount = b[:5]
        total = (a + (b ^ (op == LaneOp.INT_SUBTRACT).replicate(32))
                 + (op == LaneOp.INT_SUBTRACT))[:32]
        with m.Switch(op):
            with m.Case(LaneOp.MINIMUM, LaneOp.MAXIMUM):
                chosen = Mux(less ^ (op == LaneOp.MAXIMUM), flushed[0], flushed[1])
                m.d.comb += simple.eq(Mux(unordered, _NAN, chosen))
            with m.Case(LaneOp.INT_MINIMUM, LaneOp.INT_MAXIMUM):
                m.d.comb += simple.eq(Mux(less ^ (op == LaneOp.INT_MAXIMUM), a, b))
            with m.Case(LaneOp.SELECT):
                m.d.comb += simple.eq(Mux(self.mask, a, b))
            with m.Case(LaneOp.INT_ADD, LaneOp.INT_SUBTRACT):
                m.d.comb += simple.eq(total)
            with m.Case(LaneOp.AND):
                m.d.comb += simple.eq(a & b)
            with m.Case(LaneOp.OR):
                m.d.comb += simple.eq(a | b)
            with m.Case(LaneOp.XOR):
                m.d.comb += simple.eq(a ^ b)
            with m.Case(LaneOp.SHIFT_LEFT):
                m.d.comb += simple.eq((a << amount)[:32])
            with m.Case(LaneOp.SHIFT_RIGHT):
                m.d.comb += simple.eq(a >> amount)
            with m.Case(LaneOp.SHIFT_ARITHMETIC):
                m.d.comb += simple.eq((a.as_signed() >> amount).as_unsigned())
            with m.Case(LaneOp.COLUMN):
                m.d.comb += simple.eq(b | self.index)
            for lane_op, encode in self._encoders(m):
                with m.Case(lane_op):
                    m.d.comb += simple.eq(encode.o)
            with m.Default():
                m.d.comb += simple.eq(b)

        # --- results; reset-less: a data path, whose user knows when it holds something
        s1, s2, s3 = (Signal(32, reset_less=True, name=f"s{stage}_simple") for stage in (1, 2, 3))
        units = {Result.ADD: add, Result.TO_INT: to_int, Result.MULTIPLY: multiply,
                 Result.TO_FLOAT: to_float}
        short = {code: unit for code, unit in units.items() if unit.LATENCY == self.LATENCY - 1}
        narrow = Signal(32)
        whole = Signal(32)
        m.d.comb += whole.eq(s2)
        with m.If(self.early == Result.TO_INT):
            m.d.comb += whole.eq(to_int.o)
        m.d.comb += narrow.eq(whole)
        for code, bits in ((Narrow.INT8, 8), (Narrow.INT4, 4)):
            # what is left of the sign must be all alike
            fits = (whole[bits - 1:] == 0) | whole[bits - 1:].all()
            with m.If((self.narrow == code) & ~fits):
                m.d.comb += narrow.eq(Cat((~whole[31]).replicate(bits - 1), whole[31]))
        with m.If(self.enable.simple):
            m.d.sync += [s1.eq(simple), s2.eq(s1)]
        value = narrow
        if Result.ADD in short:
            value = Mux(self.early == Result.ADD, add.o, narrow)
        moves = [self.enable.simple, self.enable.to_int]
        if Result.ADD in short:
            moves.append(self.enable.add)
        with m.If(Cat(moves).any()):
            m.d.sync += s3.eq(value)
        m.d.comb += self.o.eq(s3)
        with m.Switch(self.late):
            for code, unit in units.items():
                if code not in short:
                    with m.Case(code):
                        m.d.comb += self.o.eq(unit.o)
        return m

    def _encoders(self, m):
        found = []
        for code, lane_op in ((Format.BF16, LaneOp.ENCODE_BF16),
                              (Format.FP8E4M3, LaneOp.ENCODE_FP8E4M3),
                              (Format.FP8E5M2, LaneOp.ENCODE_FP8E5M2)):
            if code in self.formats:
                encode = EncodeBf16() if code is Format.BF16 else EncodeFp8(code)
                m.submodules[lane_op.name.lower()] = encode
                m.d.comb += [encode.i.eq(self.b), encode.saturate.eq(self.saturate)]
                found.append((lane_op, encode))
        return found
