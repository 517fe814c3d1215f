"""One lane of the processor: its slice of the vector registers and masks, and its arithmetic.

::

    x1 register file | x2 operands | x3 s1 | x4 s2 | x5 s3 | x6 result, written at its end

``x0``, outside, is the cycle in which a row is issued. What is written in x6 is read by whoever
is in x1 one cycle later: a row may be issued ``DISTANCE`` cycles after the one it needs.

Throughput: one row a cycle.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from ...formats.decode_fp8 import DecodeFp8
from ...formats.table import Format
from ...verilog import UNINITIALISED
from ..microcode import REGISTERS, STRIP
from .alu import Alu, UnitEnables
from .control import (
    INDEX_BITS,
    REGISTER_BITS,
    LaneOp,
    Narrow,
    Operand,
    Result,
    operand_formats,
)

__all__ = ["ProcessorLane"]


class ProcessorLane(wiring.Component):
    """Registers, masks and arithmetic of one column. Members are grouped by the cycle they belong
    to; all but ``index``, ``x2_permuted``, ``x2_element`` and ``x6_keep`` are equal in all lanes.

    Members
    -------
    index : In
        The lane's number.
    x1_enable : In(1), x1_a, x1_b : In
        Registers (and row of the strip) to read.
    x2_enable : In(1), x2_operand : In(Operand), x2_constant : In(32)
    x2_register : Out(32), x2_permuted : In(32)
        Operand b of this lane's register, and of another's.
    x2_format : In(Format), x2_element : In(32)
        An element from memory in its format, in the low bits; integers are sign-extended, floats
        become fp32.
    x3_op : In(LaneOp), x3_saturate : In(1), x3_row : In, x3_compares : In(1)
    x3_operand : Out(32)
        b
    enable : In(UnitEnables)
    x5_result : In(Result), x5_narrow : In(Narrow)
    x6_result : In(Result), x6_keep : In(1), x6_fill : In(32)
        Without ``x6_keep`` the result is ``x6_fill``.
    x6_writes : In(1), x6_d : In
    x6_o : Out(32)
    """

    #: Cycles from the issue of a row to ``x6_o``.
    LATENCY = 3 + Alu.LATENCY
    #: Cycles between the issue of a row and that of another which reads its result.
    DISTANCE = LATENCY

    def __init__(self, config):
        self.config = config
        self.formats = operand_formats(config.tile)
        names = "_".join(sorted(code.name.lower() for code in self.formats))
        self.shared_name = f"weft_processor_lane_{names}"
        address = unsigned(REGISTER_BITS + INDEX_BITS)
        super().__init__({
            "index": In(8),
            "x1_enable": In(1), "x1_a": In(address), "x1_b": In(address),
            "x2_enable": In(1), "x2_operand": In(Operand), "x2_constant": In(32),
            "x2_register": Out(32), "x2_permuted": In(32),
            "x2_format": In(Format), "x2_element": In(32),
            "x3_op": In(LaneOp), "x3_saturate": In(1), "x3_row": In(INDEX_BITS),
            "x3_compares": In(1), "x3_operand": Out(32),
            "enable": In(UnitEnables),
            "x5_result": In(Result), "x5_narrow": In(Narrow),
            "x6_result": In(Result), "x6_keep": In(1), "x6_fill": In(32),
            "x6_writes": In(1), "x6_d": In(address),
            "x6_o": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = registers = memory.Memory(
            shape=unsigned(32), depth=REGISTERS * STRIP, init=[], attrs=UNINITIALISED)
        m.submodules.alu = alu = Alu(self.config)
        write = registers.write_port()
        read_a, read_b = registers.read_port(), registers.read_port()
        m.d.comb += [
            read_a.en.eq(self.x1_enable), read_a.addr.eq(self.x1_a),
            read_b.en.eq(self.x1_enable), read_b.addr.eq(self.x1_b),
            self.x2_register.eq(read_b.data),
        ]

        # --- x2: an element from memory is widened on its way in
        element = Signal(32)
        raw = self.x2_element
        with m.Switch(self.x2_format):
            with m.Case(Format.INT8):
                m.d.comb += element.eq(raw[:8].as_signed())
            if Format.INT4 in self.formats:
                with m.Case(Format.INT4):
                    m.d.comb += element.eq(raw[:4].as_signed())
            if Format.BF16 in self.formats:
                with m.Case(Format.BF16):
                    m.d.comb += element.eq(Cat(Const(0, 16), raw[:16]))
            for code in (Format.FP8E4M3, Format.FP8E5M2):
                if code in self.formats:
                    m.submodules[f"decode_{code.name.lower()}"] = decode = DecodeFp8(code)
                    with m.Case(code):
                        m.d.comb += [decode.i.eq(raw[:8]),
                                     element.eq(Cat(Const(0, 16), decode.o))]
            with m.Default():
                m.d.comb += element.eq(raw)

        # reset-less: a data path, whose user knows when it holds something
        x3_a, x3_b = Signal(32, reset_less=True), Signal(32, reset_less=True)
        with m.If(self.x2_enable):
            m.d.sync += x3_a.eq(read_a.data)
            with m.Switch(self.x2_operand):
                with m.Case(Operand.REGISTER):
                    m.d.sync += x3_b.eq(read_b.data)
                with m.Case(Operand.PERMUTED):
                    m.d.sync += x3_b.eq(self.x2_permuted)
                with m.Case(Operand.CONSTANT):
                    m.d.sync += x3_b.eq(self.x2_constant)
                with m.Case(Operand.MEMORY):
                    m.d.sync += x3_b.eq(element)

        # --- x3 to x6
        mask = Signal(STRIP)
        with m.If(self.x3_compares):
            m.d.sync += mask.bit_select(self.x3_row, 1).eq(alu.condition)
        m.d.comb += [
            alu.op.eq(self.x3_op), alu.a.eq(x3_a), alu.b.eq(x3_b), alu.index.eq(self.index),
            alu.saturate.eq(self.x3_saturate), alu.mask.eq(mask.bit_select(self.x3_row, 1)),
            self.x3_operand.eq(x3_b),
            alu.enable.eq(self.enable),
            alu.early.eq(self.x5_result), alu.narrow.eq(self.x5_narrow),
            alu.late.eq(self.x6_result),
            self.x6_o.eq(Mux(self.x6_keep, alu.o, self.x6_fill)),
            write.en.eq(self.x6_writes), write.addr.eq(self.x6_d), write.data.eq(self.x6_o),
        ]
        return m
