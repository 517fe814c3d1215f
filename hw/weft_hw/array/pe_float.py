"""Processing element for integers and floating point: one weight, one multiply-add a cycle.

::

                     weight_i   sum_i
                        |         |
    activation_i, ... -> [ shadow | weight | product | adder s1 s2 s3 ] -> activation_o, ...
                        |         |
             [ passing ] x (S-1)  |
                     weight_o   sum_o

One 9 x 9 bit multiplier serves int8 and the significands of bf16; one adder (``Fp32Add``) serves
int32 and fp32. ``float_i`` travels with the activation and says which. The rest is as in
``array.pe``, but that everything moves down a column at ``SUM_LATENCY`` = S cycles a row: shadows
pass S - 1 registers on their way, so that the shadow below is loaded S - 1 cycles later.

Latency: activation to ``activation_o`` 1 cycle; ``sum_i`` to ``sum_o`` S cycles; activation to
``sum_o`` 1 + S cycles. Throughput: 1 MAC per cycle.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats.fp32_add import Fp32Add
from .operand import Operand, operand_shape

__all__ = ["FloatProcessingElement"]

_BIAS = 127


class FloatProcessingElement(wiring.Component):
    """Processing element with sums of 32 bits: fp32 of bf16 products (``Fp32Add``'s rules, products
    below ``2**-126`` flushed to zero of their sign), or int32, which wraps, of int8 products."""

    SUM_LATENCY = Fp32Add.LATENCY

    def __init__(self):
        operand = operand_shape(True)
        super().__init__({
            "activation_i": In(operand), "activation_o": Out(operand),
            "swap_i": In(1), "swap_o": Out(1),
            "load_i": In(1), "load_o": Out(1),
            "float_i": In(1), "float_o": Out(1),
            "weight_i": In(operand), "weight_o": Out(operand),
            "sum_i": In(32), "sum_o": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.adder = adder = Fp32Add(integer=True, flushed=True, gated=False)
        operand = operand_shape(True)
        # reset-less: swap and load say when operands and weights count, the collector says when
        # sums do
        shadow = Signal(operand, reset_less=True)
        weight = Signal(operand, reset_less=True)
        activation = Signal(operand, reset_less=True)
        product = Signal(32, reset_less=True)
        swap, load = Signal(reset_less=True), Signal(reset_less=True)
        float_, float_product = Signal(reset_less=True), Signal(reset_less=True)

        below = shadow
        for step in range(self.SUM_LATENCY - 1):
            passing = Signal(operand, reset_less=True, name=f"passing_{step}")
            m.d.sync += passing.eq(below)
            below = passing
        m.d.comb += [
            self.activation_o.eq(activation), self.swap_o.eq(swap), self.load_o.eq(load),
            self.float_o.eq(float_), self.weight_o.eq(below),
            adder.a.eq(self.sum_i), adder.b.eq(product), adder.integer.eq(~float_product),
            self.sum_o.eq(adder.o),
        ]
        m.d.sync += [
            activation.eq(self.activation_i), swap.eq(self.swap_i), load.eq(self.load_i),
            float_.eq(self.float_i), float_product.eq(self.float_i),
            product.eq(self._product(m, Operand(self.activation_i), Operand(weight))),
        ]
        with m.If(self.load_i):
            m.d.sync += shadow.eq(self.weight_i)
        with m.If(self.swap_i):
            m.d.sync += weight.eq(shadow)
        return m

    def _product(self, m, a, b):
        """The product as int32 or fp32, combinational."""
        integers = [Cat(x.significand, x.sign & ~self.float_i).as_signed() for x in (a, b)]
        raw = Signal(18)
        m.d.comb += raw.eq(integers[0] * integers[1])
        a_top, b_top = a.exponent.all(), b.exponent.all()
        zero, nan = Signal(), Signal()
        m.d.comb += [
            zero.eq(~a.significand[7] | ~b.significand[7]),
            nan.eq((a_top & (a.significand[6] | zero)) | (b_top & (b.significand[6] | zero))),
        ]
        # significands in [1, 2) have a product in [1, 4), of 16 bits: exact. Both cases are made
        # ready beside the multiplier
        fields, keeps = [], []
        for case in range(2):
            exponent = Signal(10, name=f"exponent_{case}")      # in two's complement
            field = Signal(8, name=f"field_{case}")
            huge, tiny = Signal(name=f"huge_{case}"), Signal(name=f"tiny_{case}")
            m.d.comb += [
                exponent.eq((a.exponent + b.exponent - (_BIAS - case))[:10]),
                huge.eq(a_top | b_top | (~exponent[9] & (exponent[:9] >= 255))),
                tiny.eq(exponent[9] | (exponent[:9] == 0)),
                field.eq(Mux(nan, 255, Mux(zero, 0, Mux(huge, 255, Mux(tiny, 0, exponent[:8]))))),
            ]
            fields.append(field)
            keeps.append(self.float_i & ~nan & ~zero & ~huge & ~tiny)
        upper = raw[15]
        low, high = ~upper & keeps[0], upper & keeps[1]
        fraction = ((Cat(Const(0, 1), raw[:14]) & low.replicate(15))
                    | (raw[:15] & high.replicate(15)) | Cat(Const(0, 14), nan))
        word = Cat(Const(0, 8), fraction, Mux(upper, *reversed(fields)),
                   (a.sign ^ b.sign) & ~nan)
        # a mask extends the sign, which a simulator does in one step
        extended = raw | Mux(raw[17], 0xFFFC0000, 0)
        return Mux(self.float_i, word, extended)
