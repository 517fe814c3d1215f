"""The float32 pieces of a vector lane, each alone, against numpy: wide benches of many copies."""

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import RisingEdge
from weft_hw.formats.fp32_multiply import Fp32Multiply
from weft_hw.formats.fp32_to_int import Fp32ToInt
from weft_hw.formats.int32_to_fp32 import Int32ToFp32
from weft_sim.bench import Bench, run_bench

COPIES = 16
VECTORS = 1_000_000
INT_BITS = (2, 8, 10, 32)


class Pieces(wiring.Component):
    """``COPIES`` of each piece side by side on the operands ``a`` and ``b``."""

    def __init__(self) -> None:
        wide = unsigned(32 * COPIES)
        super().__init__(
            {
                "enable": In(1),
                "a": In(wide),
                "b": In(wide),
                "from_int": Out(wide),
                "product": Out(wide),
                **{f"to_int{bits}": Out(wide) for bits in INT_BITS},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for copy in range(COPIES):
            lane = slice(32 * copy, 32 * copy + 32)
            convert, multiply = Int32ToFp32(), Fp32Multiply()
            m.submodules += convert, multiply
            m.d.comb += [
                convert.enable.eq(self.enable),
                convert.i.eq(self.a[lane].as_signed()),
                self.from_int[lane].eq(convert.o),
                multiply.enable.eq(self.enable),
                multiply.a.eq(self.a[lane]),
                multiply.b.eq(self.b[lane]),
                self.product[lane].eq(multiply.o),
            ]
            for bits in INT_BITS:
                piece = Fp32ToInt(bits)
                m.submodules += piece
                target = getattr(self, f"to_int{bits}")
                m.d.comb += [
                    piece.enable.eq(self.enable),
                    piece.i.eq(self.a[lane]),
                    target[lane].eq(piece.o),
                ]
        return m


async def run(
    bench: Bench, output: str, latency: int, a: np.ndarray, b: np.ndarray | None = None
) -> np.ndarray:
    """(n,) uint32 results of the piece for (n,) uint32 operands; the pipeline pauses at random."""
    dut = bench.dut
    await bench.reset()
    count = -(-len(a) // COPIES)
    a = np.resize(a, count * COPIES).reshape(count, COPIES)
    b = a if b is None else np.resize(b, count * COPIES).reshape(count, COPIES)
    results = np.zeros((count, COPIES), np.uint32)
    pauses = (bench.rng.random(count + latency) < 0.1).tolist()
    target = dut[output]
    for index in range(count + latency):
        if index < count:
            dut.a.value = int.from_bytes(a[index].tobytes(), "little")
            dut.b.value = int.from_bytes(b[index].tobytes(), "little")
        if pauses[index]:
            # operands wait while the pipeline stands
            dut.enable.value = 0
            await RisingEdge(dut.clk)
        dut.enable.value = 1
        await RisingEdge(dut.clk)
        # sampled before this edge: what left the pipeline at the edge before
        if index >= latency:
            raw = int(target.value).to_bytes(4 * COPIES, "little")
            results[index - latency] = np.frombuffer(raw, np.uint32)
    return results.reshape(-1)


def int32_vectors(rng: np.random.Generator) -> np.ndarray:
    """(VECTORS,) uint32: edges of every magnitude, ties, and random numbers of every magnitude."""
    edges = [2**31 - 1, -(2**31), 0, 1, -1, *(2**24 + step for step in range(-4, 5))]
    edges += [
        sign * 2**power + step for power in range(31) for sign in (1, -1) for step in (-1, 0, 1)
    ]
    # halfway between two floats, above and below it, for even and odd fractions
    edges += [
        ((2**23 + odd) << power) + (1 << (power - 1)) + step
        for power in range(1, 8)
        for odd in (0, 1, 2**23 - 1)
        for step in (-1, 0, 1)
    ]
    directed = np.clip(np.array(edges, np.int64), -(2**31), 2**31 - 1)
    random = rng.integers(-(2**31), 2**31, VECTORS - len(directed)) >> rng.integers(
        0, 32, VECTORS - len(directed)
    )
    return np.concatenate([directed, random]).astype(np.int32).view(np.uint32)


SPECIAL = np.array(
    [
        *(0x00000000, 0x80000000, 0x00000001, 0x807FFFFF, 0x00800000, 0x80800000, 0x00800001),
        *(0x3F800000, 0xBF800000, 0x3F7FFFFF, 0x3F800001, 0x40000000, 0x3F000000, 0xBF000000),
        *(0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF),
        *(0x1FFFFFFF, 0x20000000, 0x5F800000, 0x5F7FFFFF, 0x34000000, 0x4B000000, 0x4EFFFFFF),
    ],
    np.uint32,
)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def int32_converts_as_numpy_does(dut):
    """A tie rounded up, a lost sticky bit, a wrong exponent after a carry, or -2**31."""
    bench = Bench(dut)
    a = int32_vectors(bench.rng)
    got = await run(bench, "from_int", Int32ToFp32.LATENCY, a)
    want = a.view(np.int32).astype(np.float32).view(np.uint32)
    np.testing.assert_array_equal(got[: len(a)], want)


def flushed_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The documented product: numpy's, with subnormals flushed and one NaN."""

    def flush(bits: np.ndarray) -> np.ndarray:
        return np.where((bits & 0x7F800000) == 0, bits & 0x80000000, bits).astype(np.uint32)

    x, y = flush(a).view(np.float32), flush(b).view(np.float32)
    with np.errstate(all="ignore"):
        product = x * y
        # a float64 holds the product exactly; scaled up, float32 rounds it as if it had no bound
        unbounded = (x.astype(np.float64) * y.astype(np.float64) * 2.0**64).astype(np.float32)
    tiny = np.abs(unbounded) < np.float32(2.0 ** (64 - 126))
    bits = product.view(np.uint32)
    bits = np.where(tiny, bits & 0x80000000, bits)
    return np.where(np.isnan(product), 0x7FC00000, bits).astype(np.uint32)


def float_pairs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(VECTORS,) uint32 operands: all pairs of special values, random bits, near ties, near the
    ends of the exponent."""
    left, right = (side.reshape(-1) for side in np.meshgrid(SPECIAL, SPECIAL))
    count = (VECTORS - len(left)) // 3
    bits = rng.integers(0, 2**32, (2, count), np.uint32)
    # few significant bits: products that are exact, or exactly a tie
    short = rng.integers(1, 2**13, (2, count)).astype(np.float32).view(np.uint32)
    short[0] |= rng.integers(0, 2, count, np.uint32) << 31
    # products around 2**-126 and 2**128
    ends = rng.integers(0, 2**23, (2, count), np.uint32)
    exponent = rng.integers(1, 255, count)
    goal = np.where(
        rng.random(count) < 0.5, rng.integers(-1, 3, count), rng.integers(252, 257, count)
    )
    ends[0] |= (exponent << 23).astype(np.uint32)
    ends[1] |= (np.clip(goal + 127 - exponent, 0, 255) << 23).astype(np.uint32)
    # one in eight with a significand of all ones: the rounding carries
    ends[:, ::8] |= 0x007FFFFF
    return (
        np.concatenate([left, bits[0], short[0], ends[0]]),
        np.concatenate([right, bits[1], short[1], ends[1]]),
    )


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def products_equal_numpy_with_subnormals_flushed(dut):
    """A tie rounded away, an overflow that wraps, zero times infinity, a subnormal let through."""
    bench = Bench(dut)
    a, b = float_pairs(bench.rng)
    got = await run(bench, "product", Fp32Multiply.LATENCY, a, b)
    np.testing.assert_array_equal(got[: len(a)], flushed_product(a, b))


def float_vectors(rng: np.random.Generator, bits: int) -> np.ndarray:
    """(n,) uint32 of at least VECTORS / 2: ties and their neighbours, both ends, random bits."""
    span = min(2 ** (bits - 1), 2**22) + 3
    halves = (rng.integers(-2 * span, 2 * span + 1, VECTORS // 8) / 2).astype(np.float32)
    up, down = np.nextafter(halves, np.float32(np.inf)), np.nextafter(halves, np.float32(-np.inf))
    scale = 2.0 ** rng.integers(-3, bits + 1, VECTORS // 8)
    near = (rng.uniform(-1, 1, VECTORS // 8) * scale).astype(np.float32)
    noise = rng.integers(0, 2**32, VECTORS // 8, np.uint32)
    floats = np.concatenate([halves, up, down, near]).view(np.uint32)
    return np.concatenate([SPECIAL, floats, noise])


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(bits=INT_BITS)
async def floats_round_to_integers(dut, bits):
    """Half away from zero instead of half to even, a lost sticky bit, a wrong bound."""
    bench = Bench(dut)
    a = float_vectors(bench.rng, bits)
    got = await run(bench, f"to_int{bits}", Fp32ToInt.LATENCY, a)
    value = np.nan_to_num(a.view(np.float32).astype(np.float64), nan=0.0)
    want = np.clip(np.rint(value), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(np.int32)
    np.testing.assert_array_equal(got[: len(a)].view(np.int32), want)


@pytest.mark.rtl
def test_vector_pieces() -> None:
    run_bench(Pieces(), "vector_pieces", __name__)


def test_integer_width_is_checked() -> None:
    for bits in (1, 33):
        with pytest.raises(ValueError, match=f"bits must be between 2 and 32, not {bits}"):
            Fp32ToInt(bits)
