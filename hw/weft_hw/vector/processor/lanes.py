"""All lanes, and the control that runs beside the rows in them.

::

    x0 issued | x1 register file | x2 operands, answers of the memories | x3 .. x5 arithmetic |
    x6 result: written to the register, or out as ``o``

``c<i>`` is the control of the row in cycle xi. Nothing here stalls: a row that waits for a memory
waits in x0.

Latency: x0 to ``o`` ``ProcessorLane.LATENCY`` = 6 cycles. Throughput: one row a cycle.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...shared import share
from ..microcode import Fill
from .control import Result, RowControl
from .lane import ProcessorLane
from .unpack import Unpack

__all__ = ["Lanes"]

_FILLS = {Fill.ZERO: 0, Fill.MINUS_INFINITY: 0xFF800000, Fill.PLUS_INFINITY: 0x7F800000,
          Fill.ONE: 0x3F800000}


class Lanes(wiring.Component):
    """``array_cols`` lanes.

    Members
    -------
    valid : In(1), control : In(RowControl), constant : In(32)
        A row is issued (x0). ``valid`` of a load: its request is granted.
    loads : In(1)
        It is one of a load.
    scratchpad, accumulator : In
        Answers of the memories, two cycles later.
    table : In(32 * C), from_table : In(1)
        Elements in place of what the memories answer, in x2.
    tail_mask : In(C)
        Lanes below N in the last column block.
    indices_valid : Out(1), indices : Out(32 * C)
        Operand b of a row that looks up, in x3.
    o_valid : Out(1), o : Out(32 * C)
        Rows for the write queue (x6).
    loading : Out(1)
        An answer, or a row of indices, is to come.
    """

    def __init__(self, config):
        self.config = config
        tile = config.tile
        wide = 32 * tile.array_cols
        super().__init__({
            "valid": In(1), "control": In(RowControl()), "constant": In(32), "loads": In(1),
            "scratchpad": In(8 * tile.row_bytes), "accumulator": In(wide),
            "table": In(wide), "from_table": In(1),
            "tail_mask": In(tile.array_cols),
            "indices_valid": Out(1), "indices": Out(wide),
            "o_valid": Out(1), "o": Out(wide),
            "loading": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        lanes = self.config.tile.array_cols
        m.submodules.unpack = unpack = Unpack(self.config)

        # --- control: c[i] belongs to cycle xi. A part of a vector that is not the last ends in x2.
        last = ProcessorLane.LATENCY
        valid, loads, c = [self.valid], [self.valid & self.loads], [self.control]
        for stage in range(1, last + 1):
            valid.append(Signal(name=f"c{stage}_valid"))
            c.append(Signal(RowControl(), name=f"c{stage}"))
            m.d.sync += valid[stage].eq(valid[stage - 1] & (c[2].whole if stage == 3 else 1))
            with m.If(valid[stage - 1]):
                m.d.sync += c[stage].eq(c[stage - 1])
        for stage in (1, 2):
            loads.append(Signal(name=f"c{stage}_loads"))
            m.d.sync += loads[stage].eq(loads[stage - 1])
        constants = [self.constant]
        for stage in (1, 2):
            constants.append(Signal(32, name=f"c{stage}_constant", reset_less=True))
            with m.If(valid[stage - 1]):
                m.d.sync += constants[stage].eq(constants[stage - 1])
        indexing = [flag & row.looks_up & ~row.writes
                    for flag, row in zip(valid[1:4], c[1:4], strict=True)]
        m.d.comb += self.loading.eq(loads[1] | loads[2] | Cat(indexing).any())

        # --- a unit moves while it holds a row
        moving = {}
        for name, codes in (("simple", (Result.SIMPLE,)), ("add", (Result.ADD,)),
                            ("to_int", (Result.TO_INT,)), ("multiply", (Result.MULTIPLY,)),
                            ("to_float", (Result.TO_FLOAT,))):
            age = Signal(3, name=f"{name}_moves")
            enters = valid[2] & c[2].whole & Cat(c[2].result == code for code in codes).any()
            m.d.sync += age.eq(Cat(enters, age[:-1]))
            moving[name] = age.any()

        # --- registers of x6
        fill, keep = Signal(32), Signal(lanes)
        m.d.sync += [
            fill.eq(Mux(c[5].stores, 0, Array(_FILLS[code] for code in Fill)[c[5].fill])),
            keep.eq(Mux(c[5].tail, self.tail_mask, Const(-1, lanes))),
        ]

        # --- lanes
        m.d.comb += [
            unpack.valid.eq(loads[2]), unpack.control.eq(c[2]),
            unpack.scratchpad.eq(self.scratchpad), unpack.accumulator.eq(self.accumulator),
        ]
        elements = Signal(32 * lanes)
        m.d.comb += elements.eq(Mux(self.from_table, self.table, unpack.elements))
        registers = [Signal(32, name=f"x2_register_{lane}") for lane in range(lanes)]
        outputs, operands = [], []
        steps = range(ceil_log2(lanes))
        for index in range(lanes):
            lane = ProcessorLane(self.config)
            m.submodules[f"lane_{index}"] = share(lane)
            word = slice(32 * index, 32 * index + 32)
            m.d.comb += [
                registers[index].eq(lane.x2_register),
                lane.index.eq(index),
                lane.x1_enable.eq(valid[1]),
                lane.x1_a.eq(Cat(c[1].row, c[1].a)), lane.x1_b.eq(Cat(c[1].row, c[1].b)),
                lane.x2_enable.eq(valid[2] & c[2].whole), lane.x2_operand.eq(c[2].operand),
                lane.x2_constant.eq(constants[2]),
                lane.x2_permuted.eq(Array(registers[index ^ (1 << bit)] for bit in steps)
                                    [c[2].permute_bit[:len(steps).bit_length()]]),
                lane.x2_format.eq(c[2].format), lane.x2_element.eq(elements[word]),
                lane.x3_op.eq(c[3].op), lane.x3_saturate.eq(c[3].saturate),
                lane.x3_row.eq(c[3].row), lane.x3_compares.eq(valid[3] & c[3].compares),
                *(getattr(lane.enable, name).eq(flag) for name, flag in moving.items()),
                lane.x5_result.eq(c[5].result), lane.x5_narrow.eq(c[5].narrow),
                lane.x6_result.eq(c[6].result), lane.x6_keep.eq(keep[index]),
                lane.x6_fill.eq(fill), lane.x6_writes.eq(valid[6] & c[6].writes),
                lane.x6_d.eq(Cat(c[6].row, c[6].d)),
            ]
            outputs.append(lane.x6_o)
            operands.append(lane.x3_operand)
        m.d.comb += [
            self.o_valid.eq(valid[6] & c[6].stores), self.o.eq(Cat(outputs)),
            self.indices_valid.eq(indexing[2]), self.indices.eq(Cat(operands)),
        ]
        return m
