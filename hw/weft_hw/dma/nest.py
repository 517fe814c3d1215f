"""Parts of the address generator: counters of nested loops, and what steps with them.

Level 0 of a nest runs over the packets of a row, level 1 over rows, levels 2 to 4 over the outer
loops. ``ends[k]`` says that levels 0 to k are all at their last repetition, so that a step makes
level k + 1 move on (unless it ends too) and those below it start over.
"""

from amaranth.hdl import Mux, Signal

__all__ = ["Axis", "Counter", "Side"]


class Counter:
    """Repetitions of a loop, less one, counted down. ``last``: the one in hand is the last; then a
    step starts over, with ``again`` repetitions less one.
    """

    def __init__(self, name, *, bits, again_bits=None):
        self.left = Signal(bits, name=f"s0_{name}")
        self.again = Signal(bits if again_bits is None else again_bits, name=f"s0_{name}_again")
        self.last = Signal(name=f"s0_{name}_last")

    def load(self, less_one):
        return [self.left.eq(less_one), self.last.eq(less_one == 0)]

    def load_again(self, less_one):
        return self.again.eq(less_one)

    def step(self):
        return [
            self.left.eq(Mux(self.last, self.again, self.left - 1)),
            self.last.eq(Mux(self.last, self.again == 0, self.left == 1)),
        ]


class Side:
    """One side of a walk, memory bytes or scratchpad rows: where the access in hand begins
    (``here``), and where the repetition in hand of each loop began (``starts``, rows first).
    Addresses of ``limit_bits`` lie inside.
    """

    def __init__(self, name, *, bits, limit_bits, strides):
        self.limit_bits = limit_bits
        self.here = Signal(bits, name=f"s0_{name}")
        self.starts = [Signal(bits, name=f"s0_{name}_start_{i}") for i in range(len(strides))]
        self.strides = [Signal(shape, name=f"s0_{name}_stride_{i}")
                        for i, shape in enumerate(strides)]
        self.after = Signal(bits, name=f"s0_{name}_next")

    def load(self, here):
        return [self.here.eq(here), *(start.eq(here) for start in self.starts)]

    def load_strides(self, strides):
        return [mine.eq(stride) for mine, stride in zip(self.strides, strides, strict=True)]

    def look_ahead(self, m, last, packet, wraps=None):
        """``after``, where the next access begins: a packet further on, or a stride after the start
        of the innermost loop that goes on; cut to ``limit_bits`` where it ``wraps``. ``last[k]``:
        level k is at its last repetition.
        """
        base, step = self.starts[-1], self.strides[-1]
        for level in reversed(range(len(self.strides) - 1)):
            base = Mux(last[level + 1], base, self.starts[level])
            step = Mux(last[level + 1], step, self.strides[level])
        total = Mux(last[0], base, self.here) + Mux(last[0], step, packet)
        m.d.comb += self.after.eq(total)
        if wraps is not None:
            with m.If(wraps):
                m.d.comb += self.after[self.limit_bits:].eq(0)

    def step(self, m, ends):
        m.d.sync += self.here.eq(self.after)
        for end, start in zip(ends, self.starts, strict=False):
            with m.If(end):
                m.d.sync += start.eq(self.after)

    def outside(self, offset):
        """Whether the access begins outside, and whether it or its end (at ``offset``) does."""
        begins = self.here[self.limit_bits:].any()
        end = self.here[:self.limit_bits] + offset
        return begins, begins | end[self.limit_bits:].any()


class Axis:
    """A coordinate of padded rows: from ``pad``, ``step`` further in loop ``inner`` (a level of the
    nest) and, starting over, ``dilation`` further in loop ``outer``.
    """

    def __init__(self, name, *, inner, outer, bits):
        self.inner, self.outer = inner, outer
        self.here = Signal(bits, name=f"s0_{name}")
        self.start = Signal(bits, name=f"s0_{name}_start")
        self.pad = Signal(bits, name=f"s0_{name}_pad")
        self.inner_step = Signal(4, name=f"s0_{name}_step")
        self.outer_step = Signal(4, name=f"s0_{name}_dilation")
        self.size = Signal(12, name=f"s0_{name}_size")

    def load(self, pad, inner_step, outer_step, size):
        return [
            self.here.eq(pad), self.start.eq(pad), self.pad.eq(pad),
            self.inner_step.eq(inner_step), self.outer_step.eq(outer_step), self.size.eq(size),
        ]

    def step(self, m, ends):
        after = self.start + self.outer_step
        with m.If(ends[self.outer]):
            m.d.sync += [self.here.eq(self.pad), self.start.eq(self.pad)]
        with m.Elif(ends[self.outer - 1]):
            m.d.sync += [self.here.eq(after), self.start.eq(after)]
        with m.Elif(ends[self.inner]):
            m.d.sync += self.here.eq(self.start)
        with m.Elif(ends[self.inner - 1]):
            m.d.sync += self.here.eq(self.here + self.inner_step)

    def inside(self):
        """Whether ``0 <= here < size``."""
        sign, extent = self.here[-1], len(self.size)
        return ~sign & ~self.here[extent:-1].any() & (self.here[:extent] < self.size)
