"""The array alone between registers, to measure what clock it reaches on an FPGA by itself."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.systolic import SystolicArray

__all__ = ["BareArray"]


class BareArray(wiring.Component):
    """``SystolicArray`` with every input from a shift register and every sum into a tree of
    parities of four bits, a register at each node: paths between two registers are the array's own,
    and nothing of it can be left out.

    Members
    -------
    rx : In(1)
        into the shift register
    tx : Out(1)
        parity of all sums of a cycle, ``log4`` of their bits cycles later
    """

    def __init__(self, config):
        self.tile = config.tile
        super().__init__({"rx": In(1), "tx": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = SystolicArray(self.tile)
        floating = (array.floating,) if self.tile.has_float else ()
        inputs = Cat(array.activations, array.swap, array.weights, array.weight_rows, *floating)
        line = Signal(len(inputs))
        m.d.sync += line.eq(Cat(self.rx, line))
        m.d.comb += inputs.eq(line)

        bits = array.sums
        while len(bits) > 1:
            parities = Signal(-(-len(bits) // 4), name=f"parities_{len(bits)}")
            m.d.sync += parities.eq(Cat(
                bits[n:n + 4].xor() for n in range(0, len(bits), 4)))
            bits = parities
        m.d.comb += self.tx.eq(bits)
        return m
