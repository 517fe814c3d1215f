"""A row of the systolic array: C processing elements.

Activations move right, sums and weights down. All rows of an array are identical and shared
(``weft_hw.shared``): this is the level that simulators compile once.
"""

from amaranth.hdl import Cat, Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .pe import ProcessingElement

__all__ = ["ArrayRow"]


class ArrayRow(wiring.Component):
    """C processing elements side by side.

    Latency: column c sees activation, swap and load c cycles after column 0; its sum appears 2
    cycles after its activation.

    Members
    -------
    activation_i, swap_i, load_i : In
        Enter at column 0.
    weights_i, weights_o : C x 8 bits
        Shadow weights of the row above, and of this row; column 0 in the low bits.
    sums_i, sums_o : C x sum_bits
        Partial sums from above and to below.
    """

    def __init__(self, *, cols, sum_bits):
        self.cols = cols
        self.sum_bits = sum_bits
        self.shared_name = f"weft_array_row_int8_{cols}x{sum_bits}"
        super().__init__({
            "activation_i": In(signed(8)), "swap_i": In(1), "load_i": In(1),
            "weights_i": In(8 * cols), "weights_o": Out(8 * cols),
            "sums_i": In(sum_bits * cols), "sums_o": Out(sum_bits * cols),
        })

    def elaborate(self, platform):
        m = Module()
        elements = [ProcessingElement(sum_bits=self.sum_bits) for _ in range(self.cols)]
        activation, swap, load = self.activation_i, self.swap_i, self.load_i
        for c, pe in enumerate(elements):
            m.submodules[f"pe_{c}"] = pe
            m.d.comb += [
                pe.activation_i.eq(activation),
                pe.swap_i.eq(swap),
                pe.load_i.eq(load),
                pe.weight_i.eq(self.weights_i.word_select(c, 8).as_signed()),
                pe.sum_i.eq(self.sums_i.word_select(c, self.sum_bits).as_signed()),
            ]
            activation, swap, load = pe.activation_o, pe.swap_o, pe.load_o
        m.d.comb += [
            self.weights_o.eq(Cat(pe.weight_o for pe in elements)),
            self.sums_o.eq(Cat(pe.sum_o for pe in elements)),
        ]
        return m
