"""Where the vectors of a command's four streams lie, as the program walks strips and blocks."""

from amaranth.hdl import Array, Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...formats.table import Format
from ...isa import StreamOperand
from ..microcode import STRIP
from .control import operand_formats
from .dispatch import UNIT_BITS

__all__ = ["StreamWalk"]

_STREAMS = 4


class StreamWalk(wiring.Component):
    """Unit of the vector (i, j) of each stream: i the first row of the strip, j the block.

    Members
    -------
    start : In(1), operands : In(4 streams)
        Of a command that begins.
    next_block, first_block, next_strip : In(1)
        The program goes on to the next block, back to block 0, or to the next strip's block 0.
    stream : In(2)
    unit, row_stride, format, accumulator : Out
        Of that stream.
    legal : Out(1)
        The formats of ``operands`` are built in, and those of accumulators are of 32 bits.
    """

    def __init__(self, config):
        self.formats = [Format.INT32, Format.FP32, *operand_formats(config.tile)]
        super().__init__({
            "start": In(1), "operands": In(data.ArrayLayout(StreamOperand, _STREAMS)),
            "next_block": In(1), "first_block": In(1), "next_strip": In(1),
            "stream": In(2),
            "unit": Out(signed(UNIT_BITS)), "row_stride": Out(signed(16)), "format": Out(Format),
            "accumulator": Out(1),
            "legal": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        units, strides, formats, accumulators, legal = [], [], [], [], []
        for index in range(_STREAMS):
            offered = self.operands[index]
            operand = Signal(StreamOperand, name=f"operand_{index}")
            strip = Signal(signed(UNIT_BITS), name=f"strip_{index}")
            block = Signal(signed(UNIT_BITS), name=f"block_{index}")
            with m.If(self.start):
                m.d.sync += [operand.eq(offered), strip.eq(offered.row), block.eq(offered.row)]
            with m.Elif(self.next_strip):
                m.d.sync += [strip.eq(strip + STRIP * operand.row_stride),
                             block.eq(strip + STRIP * operand.row_stride)]
            with m.Elif(self.first_block):
                m.d.sync += block.eq(strip)
            with m.Elif(self.next_block):
                m.d.sync += block.eq(block + operand.block_stride)
            units.append(block)
            strides.append(operand.row_stride)
            formats.append(operand.format.as_value())
            accumulators.append(operand.accumulator)
            wide = (offered.format == Format.INT32) | (offered.format == Format.FP32)
            known = Cat(offered.format == code for code in self.formats).any()
            legal.append(known & (wide | ~offered.accumulator))
        m.d.comb += [
            self.unit.eq(Array(units)[self.stream]),
            self.row_stride.eq(Array(strides)[self.stream]),
            self.format.eq(Array(formats)[self.stream]),
            self.accumulator.eq(Array(accumulators)[self.stream]),
            self.legal.eq(Cat(legal).all()),
        ]
        return m
