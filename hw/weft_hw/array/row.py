"""A row of the systolic array: C processing elements.

Activations move right, sums and weights down. All rows of an array are identical and shared
(``weft_hw.shared``): this is the level that simulators compile once.
"""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .operand import operand_shape
from .pe import ProcessingElement
from .pe_float import FloatProcessingElement

__all__ = ["ArrayRow"]


class ArrayRow(wiring.Component):
    """C processing elements side by side.

    Latency: column c sees activation, swap, load and float c cycles after column 0; a sum leaves
    ``SUM_LATENCY`` cycles (of the element) after it came in, which is one cycle after its
    activation.

    Parameters
    ----------
    cols, sum_bits : int
    has_float : bool
        Of elements for integers and floating point (``sum_bits`` is 32).

    Members
    -------
    activation_i, swap_i, load_i : In
        Enter at column 0.
    float_i : In(1)
        The activation is a floating-point number; only with ``has_float``.
    weights_i, weights_o : C operands
        Shadow weights of the row above, and of this row; column 0 in the low bits.
    sums_i, sums_o : C x sum_bits
        Partial sums from above and to below.
    """

    def __init__(self, *, cols, sum_bits, has_float=False):
        self.cols = cols
        self.sum_bits = sum_bits
        self.has_float = has_float
        self.shared_name = f"weft_array_row_{'float' if has_float else 'int8'}_{cols}x{sum_bits}"
        operand = operand_shape(has_float)
        self.operand_bits = operand.width
        super().__init__({
            "activation_i": In(operand), "swap_i": In(1), "load_i": In(1),
            **({"float_i": In(1)} if has_float else {}),
            "weights_i": In(self.operand_bits * cols), "weights_o": Out(self.operand_bits * cols),
            "sums_i": In(sum_bits * cols), "sums_o": Out(sum_bits * cols),
        })

    def elaborate(self, platform):
        m = Module()
        if self.has_float:
            elements = [FloatProcessingElement() for _ in range(self.cols)]
            passed_on = ("activation", "swap", "load", "float")
        else:
            elements = [ProcessingElement(sum_bits=self.sum_bits) for _ in range(self.cols)]
            passed_on = ("activation", "swap", "load")
        left = {name: getattr(self, f"{name}_i") for name in passed_on}
        for c, pe in enumerate(elements):
            m.submodules[f"pe_{c}"] = pe
            for name in passed_on:
                m.d.comb += getattr(pe, f"{name}_i").eq(left[name])
                left[name] = getattr(pe, f"{name}_o")
            m.d.comb += [
                pe.weight_i.eq(self.weights_i.word_select(c, self.operand_bits)),
                pe.sum_i.eq(self.sums_i.word_select(c, self.sum_bits)),
            ]
        m.d.comb += [
            self.weights_o.eq(Cat(pe.weight_o for pe in elements)),
            self.sums_o.eq(Cat(pe.sum_o for pe in elements)),
        ]
        return m
