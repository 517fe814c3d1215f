"""float32 adder and multiplier, compiled, against numpy: 10^6 vectors each, random and directed."""

import itertools

import numpy as np
import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from streamed import Streamed, seeded
from weft_hw.formats.fp32_add import Fp32Add
from weft_hw.formats.fp32_multiply import Fp32Multiply

pytestmark = pytest.mark.rtl

VECTORS = 1_000_000
SIGN, NAN = np.uint32(0x80000000), np.uint32(0x7FC00000)
SMALLEST = np.float32(2.0**-126)
#: Zeros, subnormals, the edges of normal numbers, ones and their neighbours, integers around where
#: the lowest place is 1, the largest numbers, infinities, NaNs quiet and signalling.
CORNERS = np.array(
    [
        *(0x00000000, 0x00000001, 0x00400000, 0x007FFFFF, 0x00800000, 0x00800001, 0x00FFFFFF),
        *(0x01000000, 0x0C000000, 0x33800000, 0x33FFFFFF, 0x34000000, 0x3F7FFFFF, 0x3F800000),
        *(0x3F800001, 0x3FFFFFFF, 0x40000000, 0x4B000000, 0x4B7FFFFF, 0x4B800000, 0x4B800001),
        *(0x4C000001, 0x5F800000, 0x7E800000, 0x7EFFFFFF, 0x7F000000, 0x7F7FFFFE, 0x7F7FFFFF),
        *(0x7F800000, 0x7F800001, 0x7FC00000, 0x7FFFFFFF),
    ],
    np.uint32,
)


def operands(rng):
    """(VECTORS,) uint32 pairs: all pairs of corners, then pairs that are near each other in
    exponent, that cancel, that are tiny, and any at all."""
    corners = np.concatenate([CORNERS, CORNERS | SIGN])
    pairs = np.array(list(itertools.product(corners, corners)), np.uint32)
    count = VECTORS - len(pairs)
    a, b = rng.integers(0, 2**32, (2, count), dtype=np.uint32)
    kind = rng.integers(0, 6, count)
    exponent = np.uint32(0x7F800000)
    # exponents up to 30 apart
    near = a & exponent ^ (rng.integers(0, 31, count).astype(np.uint32) << np.uint32(23))
    b = np.where(kind == 1, (b & ~exponent) | (near & exponent), b)
    # nearly opposite numbers
    opposite = (a ^ SIGN) + rng.integers(-3, 4, count).astype(np.uint32)
    b = np.where(kind == 2, opposite, b)
    # both tiny
    a = np.where(kind == 3, a & np.uint32(0x83FFFFFF), a)
    b = np.where(kind == 3, b & np.uint32(0x83FFFFFF), b)
    # few significant bits: ties
    short = np.uint32(0xFFFFF000)
    a, b = np.where(kind == 4, a & short, a), np.where(kind == 4, (near & exponent) | b & short, b)
    # products around 2**-126 and around infinity
    low = rng.integers(0, 2, count).astype(bool)
    target = np.where(low, 127 - 126, 127 + 127) + rng.integers(-2, 2, count)
    other = np.clip(target - (a >> 23 & 255).astype(np.int64) + 127, 0, 255).astype(np.uint32)
    b = np.where(kind == 5, (b & ~exponent) | (other << np.uint32(23)), b)
    return np.concatenate([pairs[:, 0], a]), np.concatenate([pairs[:, 1], b])


def flushed(bits):
    """Subnormal numbers are zeros of their sign; there is one NaN."""
    bits = np.where(bits & np.uint32(0x7F800000), bits, bits & SIGN)
    return np.where(np.isnan(bits.view(np.float32)), NAN, bits)


def sums(a, b):
    with np.errstate(all="ignore"):
        return flushed((flushed(a).view(np.float32) + flushed(b).view(np.float32)).view(np.uint32))


def products(a, b):
    """Tiny is what is below 2**-126 when rounded to 24 bits, whatever the exponent."""
    with np.errstate(all="ignore"):
        a, b = flushed(a).view(np.float32), flushed(b).view(np.float32)
        exact = a.astype(np.float64) * b
        tiny = np.abs((exact * 2.0**64).astype(np.float32)) < np.float32(2.0**-62)
        rounded = np.where(tiny, np.copysign(0, exact), exact).astype(np.float32)
    return flushed(rounded.view(np.uint32))


class Block(wiring.Component):
    """Copies of a block; operands and results side by side."""

    COPIES = 8

    def __init__(self, make, *, integer=False):
        self.make, self.has_integer = make, integer
        wide = unsigned(32 * self.COPIES)
        super().__init__(
            {
                "a": In(wide),
                "b": In(wide),
                "enable": In(1),
                "integer": In(self.COPIES),
                "o": Out(wide),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for copy in range(self.COPIES):
            m.submodules[f"block_{copy}"] = block = self.make()
            m.d.comb += [
                block.enable.eq(self.enable),
                block.a.eq(self.a.word_select(copy, 32)),
                block.b.eq(self.b.word_select(copy, 32)),
                self.o.word_select(copy, 32).eq(block.o),
            ]
            if self.has_integer:
                m.d.comb += block.integer.eq(self.integer[copy])
        return m


def results(block, latency, rng, a, b, integer=None):
    """Runs the vectors through a pipeline that stands still now and then."""
    copies = Block.COPIES
    rows = -(-len(a) // copies)
    enable = rng.random(rows * 5 // 4) < 0.9
    moved = np.cumsum(enable) - enable  # operands taken before this cycle
    enable = enable[: int(np.searchsorted(moved, rows + latency)) + 2]
    assert enable.sum() >= rows + latency
    at = np.minimum((np.cumsum(enable) - enable), rows - 1)
    fields = {}
    for name, value in (("a", a), ("b", b)):
        fields[name] = np.resize(value, rows * copies).reshape(rows, copies)[at]
    if integer is not None:
        bits = np.resize(integer, rows * copies).reshape(rows, copies)
        fields["integer"] = np.packbits(bits, axis=1, bitorder="little")[at].astype(np.uint32)
    out = block.run(enable=enable.astype(np.uint32), **fields)["o"]
    # result i shows in the cycle after the pipeline moved i + latency times
    shown = np.searchsorted(np.cumsum(enable), np.arange(rows) + latency) + 1
    return out[shown].reshape(-1)[: len(a)]


def check(got, want, a, b):
    wrong = np.flatnonzero(got != want)
    first = [f"{a[i]:08x} {b[i]:08x}: {got[i]:08x}, not {want[i]:08x}" for i in wrong[:5].tolist()]
    assert not wrong.size, f"{wrong.size} of {len(a)} differ: {first}"


@pytest.mark.parametrize("name", ["add", "multiply"])
def test_against_numpy(name):
    rng = seeded()
    make, latency, golden = {
        "add": (Fp32Add, Fp32Add.LATENCY, sums),
        "multiply": (Fp32Multiply, Fp32Multiply.LATENCY, products),
    }[name]
    a, b = operands(rng)
    block = Streamed(Block(make), f"fp32_{name}")
    check(results(block, latency, rng, a, b), golden(a, b), a, b)


def test_integers_and_floats_through_one_adder():
    """A sum of one kind that is disturbed by the other kind before or after it."""
    rng = seeded()
    a, b = operands(rng)
    integer = rng.random(len(a)) < 0.5
    want = np.where(integer, a + b, sums(a, b))
    block = Streamed(Block(lambda: Fp32Add(integer=True), integer=True), "fp32_add_integer")
    check(results(block, Fp32Add.LATENCY, rng, a, b, integer), want, a, b)
