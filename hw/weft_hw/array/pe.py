"""Processing element: one weight, one multiply-accumulate a cycle.

::

             weight_i  sum_i
                |        |
    activation_i, swap_i, load_i -> [ shadow | weight | product ] -> activation_o, swap_o, load_o
                |        |
             weight_o  sum_o

Weight-stationary with two weights: ``weight`` multiplies while ``shadow`` is loaded. Shadows of a
column form a shift chain: where ``load`` is high the shadow takes ``weight_i`` (the shadow above).
``swap`` copies the shadow into the weight for the activations *after* the one it travels with.

Latency: activation to ``activation_o`` 1 cycle; activation to ``sum_o`` 2 cycles (product, sum);
``sum_i`` to ``sum_o`` 1 cycle. Throughput: 1 MAC per cycle.
"""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ProcessingElement"]

_OPERAND = signed(8)


class ProcessingElement(wiring.Component):
    """Int8 processing element with a partial sum of ``sum_bits``.

    Parameters
    ----------
    sum_bits : int
        ``TileConfig.column_sum_bits``: wide enough for a whole column, so nothing saturates inside
        the array.
    """

    SUM_LATENCY = 1

    def __init__(self, *, sum_bits):
        self.sum_bits = sum_bits
        super().__init__({
            "activation_i": In(_OPERAND), "activation_o": Out(_OPERAND),
            "swap_i": In(1), "swap_o": Out(1),
            "load_i": In(1), "load_o": Out(1),
            "weight_i": In(_OPERAND), "weight_o": Out(_OPERAND),
            "sum_i": In(signed(sum_bits)), "sum_o": Out(signed(sum_bits)),
        })

    def elaborate(self, platform):
        m = Module()
        # reset-less: swap and load say when operands and weights count, the collector says when
        # sums do
        shadow = Signal(_OPERAND, reset_less=True)
        weight = Signal(_OPERAND, reset_less=True)
        product = Signal(signed(16), reset_less=True)
        activation = Signal(_OPERAND, reset_less=True)
        total = Signal(signed(self.sum_bits), reset_less=True)
        swap = Signal(reset_less=True)
        load = Signal(reset_less=True)

        m.d.comb += [
            self.activation_o.eq(activation),
            self.swap_o.eq(swap),
            self.load_o.eq(load),
            self.weight_o.eq(shadow),
            self.sum_o.eq(total),
        ]
        m.d.sync += [
            activation.eq(self.activation_i),
            swap.eq(self.swap_i),
            load.eq(self.load_i),
            product.eq(self.activation_i * weight),
            # the width argument is in TileConfig.column_sum_bits
            total.eq((self.sum_i + product)[:self.sum_bits].as_signed()),
        ]
        with m.If(self.load_i):
            m.d.sync += shadow.eq(self.weight_i)
        with m.If(self.swap_i):
            m.d.sync += weight.eq(shadow)
        return m
