"""float32 addition, and int32 addition in the same adder.

::

    a, b -> | s1: compare, align | s2: add | s3: normalise, round, pack | -> o

Registers in front of the operands are the user's.

Latency: ``LATENCY`` cycles in which ``enable`` is high. Throughput: one a cycle.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .leading_zeros import leading_zeros

__all__ = ["Fp32Add"]

#: Places below the significand that a sum needs before rounding, without the one that stands for
#: all places below them.
_GUARD = 2
_SIGNIFICAND = 24
_KEPT = _SIGNIFICAND + _GUARD
_NAN_MAGNITUDE = 0x7FC00000
_INFINITY_MAGNITUDE = 0x7F800000


class _Aside(data.Struct):
    """What goes beside the operands through the adder."""

    exponent: unsigned(8)
    """Of the larger operand."""
    sign: unsigned(1)
    zero_sign: unsigned(1)
    """Of the sum if it is zero."""
    top: unsigned(1)
    """The larger operand is infinite or NaN."""
    nan: unsigned(1)
    integer: unsigned(1)
    subtract: unsigned(1)
    rest: unsigned(1)
    """Something of the smaller operand lies below the places kept."""


class Fp32Add(wiring.Component):
    """``a + b`` in IEEE 754 binary32, round to nearest, ties to even, with subnormals flushed.

    A subnormal operand counts as zero of its sign, a subnormal sum (which is exact) becomes zero of
    its sign. Every NaN comes out as ``0x7FC00000``; infinities of opposite signs give NaN. An exact
    cancellation gives +0. For ``a - b`` invert bit 31 of ``b``.

    Parameters
    ----------
    integer : bool
        Adds the member ``integer``.
    flushed : bool
        The user knows that no operand is subnormal: less logic.
    gated : bool
        Without it there is no ``enable``: the pipeline always moves.

    Members
    -------
    enable : In(1)
        The pipeline moves.
    integer : In(1)
        ``o`` is the int32 sum ``a + b``, which wraps.
    a, b : In(32)
    o : Out(32)
    """

    LATENCY = 3

    def __init__(self, *, integer=False, flushed=False, gated=True):
        self.has_integer = integer
        self.flushed = flushed
        self.gated = gated
        super().__init__({
            **({"enable": In(1)} if gated else {}),
            **({"integer": In(1)} if integer else {}),
            "a": In(unsigned(32)), "b": In(unsigned(32)), "o": Out(unsigned(32)),
        })

    def elaborate(self, platform):
        m = Module()
        # with integers the adder has 32 bits, without them a carry above what is kept
        width = 32 if self.has_integer else _KEPT + 1

        # reset-less: a data path, whose user knows when it holds something
        def register(name, bits=1):
            return Signal(bits, reset_less=True, name=name)

        s1_left, s1_right = register("s1_left", width), register("s1_right", width)
        s2_total = register("s2_total", width)
        s3_bits = register("s3_bits", 32)
        # one register a stage, which simulators copy in one piece
        s1 = Signal(_Aside, reset_less=True, name="s1")
        s2 = Signal(_Aside, reset_less=True, name="s2")

        # --- s1: the smaller operand's significand moves to the place of the larger one's
        integer = self.integer if self.has_integer else Const(0, 1)
        less, subtract, rest, far = Signal(), Signal(), Signal(), Signal()
        large, small = Signal(31), Signal(31)
        a_exponent, b_exponent = self.a[23:31], self.b[23:31]
        distance = Signal(8)
        # what is shifted out of the places kept goes to places that only count together
        spread = Signal(_KEPT + _SIGNIFICAND)
        aligned, extended = Signal(_KEPT), Signal(_KEPT)
        m.d.comb += [
            less.eq(self.a[:31] < self.b[:31]),
            subtract.eq((self.a[31] ^ self.b[31]) & ~integer),
            large.eq(Mux(less, self.b[:31], self.a[:31])),
            small.eq(Mux(less, self.a[:31], self.b[:31])),
            distance.eq(Mux(a_exponent < b_exponent, (b_exponent - a_exponent)[:8],
                            (a_exponent - b_exponent)[:8])),
            spread.eq(Cat(Const(0, _KEPT), self._significand(small)) >> distance[:5]),
            far.eq(distance[5:].any()),
            rest.eq(Mux(far, small[23:].any(), spread[:_SIGNIFICAND].any())),
            aligned.eq(Mux(far, 0, spread[_SIGNIFICAND:])),
            extended.eq(Cat(Const(0, _GUARD), self._significand(large))),
        ]
        s1_next = Cat(
            large[23:], Mux(less, self.b[31], self.a[31]), self.a[31] & self.b[31],
            large[23:].all(),
            (large[23:].all() & large[:23].any()) | (small[23:].all() & subtract),
            integer, subtract, rest & ~integer)

        # --- s2: a number below the places kept makes a difference one less there
        total = (s1_left + s1_right + (s1.subtract & ~s1.rest))[:width]

        # --- s3: the highest one moves to the top; below 24 bits is rounded
        value, normal = Signal(_KEPT + 2), Signal(_KEPT + 2)
        zeros = Signal(5)
        exponent = Signal(9)                # of the sum before rounding, in two's complement
        empty, tiny, infinite = Signal(), Signal(), Signal()
        rounded, magnitude = Signal(31), Signal(31)
        m.d.comb += [
            value.eq(Cat(s2.rest, s2_total[:_KEPT + 1])),
            zeros.eq(leading_zeros(value)),
            normal.eq(value << zeros),
            exponent.eq((s2.exponent + 1 - zeros)[:9]),
            empty.eq(~normal[-1]),
            tiny.eq(empty | (exponent[:8] == 0) | (exponent[8] & ~s2.exponent[7])),
            infinite.eq(s2.top | (normal[-1] & (exponent == 255))),
            # a carry out of the fraction is one in the exponent, up to infinity
            rounded.eq((Cat(normal[4:-1], exponent[:8])
                        + (normal[3] & (normal[4] | normal[:3].any())))[:31]),
            magnitude.eq(Mux(s2.nan, _NAN_MAGNITUDE,
                             Mux(infinite, _INFINITY_MAGNITUDE, Mux(tiny, 0, rounded)))),
        ]
        sign = Mux(empty, s2.zero_sign, s2.sign) & ~s2.nan
        bits = Cat(magnitude, sign)

        inverted = (aligned ^ subtract.replicate(_KEPT))
        statements = [
            s1_left.eq(Mux(integer, self.a, extended)),
            s1_right.eq(Mux(integer, self.b, Cat(inverted, subtract.replicate(width - _KEPT)))),
            s1.as_value().eq(s1_next),
            s2_total.eq(total), s2.eq(s1),
            s3_bits.eq(Mux(s2.integer, s2_total, bits)),
        ]
        if self.gated:
            with m.If(self.enable):
                m.d.sync += statements
        else:
            m.d.sync += statements
        m.d.comb += self.o.eq(s3_bits)
        return m

    def _significand(self, magnitude):
        normal = magnitude[23:].any()
        fraction = magnitude[:23] if self.flushed else Mux(normal, magnitude[:23], 0)
        return Cat(fraction, normal)
