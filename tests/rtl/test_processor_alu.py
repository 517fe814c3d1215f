"""The arithmetic of a processor's lane, operation by operation, on 2**20 vectors each: random bits,
numbers near each other, every pair of special values, and what lies next to a rounding tie.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from amaranth.hdl import Module, Shape, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from streamed import Streamed, seeded
from weft_hw.formats.table import Format
from weft_hw.presets import preset
from weft_hw.shared import share
from weft_hw.vector.processor.alu import Alu
from weft_hw.vector.processor.control import LaneOp, Narrow, Result
from weft_sim.golden import fp32
from weft_sim.golden.conversion import store_lanes

pytestmark = pytest.mark.rtl

COPIES = 8
VECTORS = 2**20

SPECIAL = np.array(
    [
        *(0x00000000, 0x80000000, 0x00000001, 0x807FFFFF, 0x00800000, 0x80800000, 0x00800001),
        *(0x3F800000, 0xBF800000, 0x3F7FFFFF, 0x3F800001, 0x40000000, 0x3F000000, 0xBF000000),
        *(0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF),
        *(0x4F000000, 0xCF000000, 0x4EFFFFFF, 0x5F7FFFFF, 0x34000000, 0x4B000000, 0x7FFFFFFF),
        *(0x7F7F7FFF, 0x7F7F8000, 0x43E80000, 0x43E7FFFF, 0x43E00000, 0x47700000, 0x476FFFFF),
        *(0x3A800000, 0x3A7FFFFF, 0x3B000000, 0x37000000, 0x36FFFFFF, 0x37800000, 0x33800000),
    ],
    np.uint32,
)


class SharedAlu(Alu):
    """Compiled once for all copies."""

    shared_name = "alu"


class Bank(wiring.Component):
    """``COPIES`` lanes' arithmetic side by side."""

    def __init__(self) -> None:
        self.alus = [SharedAlu(preset("micro")) for _ in range(COPIES)]
        self.common = ("op", "saturate", "mask", "early", "narrow", "late")
        widths = {
            name: Shape.cast(self.alus[0].signature.members[name].shape).width
            for name in self.common
        }
        super().__init__(
            {
                **{name: In(width) for name, width in widths.items()},
                "enable": In(5),
                "a": In(32 * COPIES),
                "b": In(32 * COPIES),
                "o": Out(32 * COPIES),
                "condition": Out(COPIES),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for index, alu in enumerate(self.alus):
            m.submodules += share(alu)
            lane = slice(32 * index, 32 * index + 32)
            m.d.comb += [
                *(Value.cast(getattr(alu, name)).eq(getattr(self, name)) for name in self.common),
                alu.enable.as_value().eq(self.enable),
                alu.a.eq(self.a[lane]),
                alu.b.eq(self.b[lane]),
                alu.index.eq(index),
                self.o[lane].eq(alu.o),
                self.condition[index].eq(alu.condition),
            ]
        return m


@pytest.fixture(scope="module")
def bank() -> Streamed:
    return Streamed(Bank(), "processor_alu")


def run(
    bank: Streamed,
    op: LaneOp,
    a: np.ndarray,
    b: np.ndarray,
    *,
    result: Result = Result.SIMPLE,
    narrow: Narrow = Narrow.NONE,
    **flags: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(VECTORS,) uint32 results and (VECTORS,) bool conditions of (VECTORS,) uint32 operands."""
    a, b = (np.pad(side.reshape(-1, COPIES), ((0, Alu.LATENCY), (0, 0))) for side in (a, b))
    constants = {"op": op.value, "enable": 31, "narrow": narrow.value, **flags}
    constants["early"] = constants["late"] = result.value
    rows = {name: np.full(len(a), value, np.uint32) for name, value in constants.items()}
    out = bank.run(a=a, b=b, **rows)
    conditions = out["condition"][: -Alu.LATENCY].astype(np.uint8)
    bits = np.unpackbits(conditions[:, None], axis=1, bitorder="little")
    return out["o"][Alu.LATENCY :].reshape(-1), bits.reshape(-1).astype(bool)


def operands(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(VECTORS,) uint32 each."""
    left, right = (side.reshape(-1) for side in np.meshgrid(SPECIAL, SPECIAL))
    count = VECTORS // 4
    noise = rng.integers(0, 2**32, (2, count), np.uint32)
    near = rng.integers(0, 2**32, (2, count), np.uint32)
    near[1] = near[0] + rng.integers(-2, 3, count).astype(np.uint32)
    small = rng.integers(-(2**12), 2**12, (2, count)).astype(np.int32).view(np.uint32)
    # floats of every size that int32, int8, int4 and fp8 tell apart, many of them ties
    scale = 2.0 ** rng.integers(-20, 33, (2, VECTORS - 3 * count - len(left)))
    floats = (rng.integers(-(2**6), 2**6 + 1, scale.shape) / 8 * scale).astype(np.float32)
    floats = floats.view(np.uint32) + rng.integers(-1, 2, scale.shape).astype(np.uint32)
    return (
        np.concatenate([left, noise[0], near[0], small[0], floats[0]]),
        np.concatenate([right, noise[1], near[1], small[1], floats[1]]),
    )


def as_float(operation: Callable[..., np.ndarray], *bits: np.ndarray) -> np.ndarray:
    """The golden's operation on flushed operands, as bits."""
    with np.errstate(all="ignore"):
        return operation(*(fp32.flush(value.view(np.float32)) for value in bits)).view(np.uint32)


#: Golden of (a, b) as bits, and the unit.
FLOATS = {
    LaneOp.ADD: (partial(as_float, fp32.add), Result.ADD),
    LaneOp.SUBTRACT: (partial(as_float, fp32.subtract), Result.ADD),
    LaneOp.MULTIPLY: (partial(as_float, fp32.multiply), Result.MULTIPLY),
    LaneOp.MINIMUM: (partial(as_float, fp32.minimum), Result.SIMPLE),
    LaneOp.MAXIMUM: (partial(as_float, fp32.maximum), Result.SIMPLE),
    LaneOp.TO_INT: (lambda a, b: as_float(fp32.to_int, b), Result.TO_INT),
    LaneOp.TO_FLOAT: (
        lambda a, b: fp32.to_float(b.view(np.int32)).view(np.uint32),
        Result.TO_FLOAT,
    ),
}


def signed(operation: Callable[..., np.ndarray], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """An operation on int32, as bits."""
    return operation(a.view(np.int32), b.view(np.int32)).astype(np.int32).view(np.uint32)


def _shift(operation: np.ufunc, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return operation(a, (b & np.uint32(31)).astype(a.dtype)).view(np.uint32)


INTEGERS = {
    LaneOp.MOVE: lambda a, b: b,
    LaneOp.INT_ADD: np.add,
    LaneOp.INT_SUBTRACT: np.subtract,
    LaneOp.INT_MINIMUM: partial(signed, np.minimum),
    LaneOp.INT_MAXIMUM: partial(signed, np.maximum),
    LaneOp.AND: np.bitwise_and,
    LaneOp.OR: np.bitwise_or,
    LaneOp.XOR: np.bitwise_xor,
    LaneOp.SHIFT_LEFT: partial(_shift, np.left_shift),
    LaneOp.SHIFT_RIGHT: partial(_shift, np.right_shift),
    LaneOp.SHIFT_ARITHMETIC: lambda a, b: _shift(np.right_shift, a.view(np.int32), b),
    LaneOp.COLUMN: lambda a, b: b | np.resize(np.arange(COPIES, dtype=np.uint32), b.shape),
}

COMPARISONS = {LaneOp.LESS: np.less, LaneOp.LESS_EQUAL: np.less_equal, LaneOp.EQUAL: np.equal}

ENCODERS = {
    LaneOp.ENCODE_BF16: (Format.BF16, np.uint16),
    LaneOp.ENCODE_FP8E4M3: (Format.FP8E4M3, np.uint8),
    LaneOp.ENCODE_FP8E5M2: (Format.FP8E5M2, np.uint8),
}


@pytest.mark.parametrize("op", FLOATS, ids=lambda op: op.name)
def test_floating_point_matches_the_golden(bank: Streamed, op: LaneOp) -> None:
    """A subnormal let through, a NaN's payload or a zero's sign wrong, a tie rounded away."""
    a, b = operands(seeded())
    golden, result = FLOATS[op]
    got, _ = run(bank, op, a, b, result=result)
    np.testing.assert_array_equal(got, golden(a, b))


@pytest.mark.parametrize("op", INTEGERS, ids=lambda op: op.name)
def test_integers_match_numpy(bank: Streamed, op: LaneOp) -> None:
    """A carry lost, a shift by the wrong amount, a sign that does not come in."""
    a, b = operands(seeded())
    got, _ = run(bank, op, a, b)
    np.testing.assert_array_equal(got, INTEGERS[op](a, b))


@pytest.mark.parametrize("op", [*COMPARISONS, LaneOp.INT_LESS], ids=lambda op: op.name)
def test_conditions_match_numpy(bank: Streamed, op: LaneOp) -> None:
    """NaN that compares, zeros that differ, a sign taken for a magnitude."""
    a, b = operands(seeded())
    _, got = run(bank, op, a, b)
    if op is LaneOp.INT_LESS:
        want = a.view(np.int32) < b.view(np.int32)
    else:
        flushed = (fp32.flush(value.view(np.float32)) for value in (a, b))
        want = COMPARISONS[op](*flushed)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("mask", [0, 1])
def test_selection_takes_the_bits(bank: Streamed, mask: int) -> None:
    """A value changed on its way."""
    a, b = operands(seeded())
    got, _ = run(bank, LaneOp.SELECT, a, b, mask=mask)
    np.testing.assert_array_equal(got, a if mask else b)


@pytest.mark.parametrize("op", ENCODERS, ids=lambda op: op.name)
@pytest.mark.parametrize("saturate", [0, 1])
def test_narrow_floats_match_ml_dtypes(bank: Streamed, op: LaneOp, saturate: int) -> None:
    """A subnormal rounded at the wrong place, an overflow that wraps, a saturated infinity."""
    _, b = operands(seeded())
    code, dtype = ENCODERS[op]
    got, _ = run(bank, op, b, b, saturate=saturate)
    with np.errstate(all="ignore"):
        want = store_lanes(b, code.value, saturate=bool(saturate)).view(dtype)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(("narrow", "bits"), [(Narrow.INT8, 8), (Narrow.INT4, 4)])
@pytest.mark.parametrize("floating", [False, True])
def test_integers_saturate(bank: Streamed, narrow: Narrow, bits: int, floating: bool) -> None:
    """A wrap, or the wrong end."""
    _, b = operands(seeded())
    limits = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if floating:
        got, _ = run(bank, LaneOp.TO_INT, b, b, result=Result.TO_INT, narrow=narrow)
        with np.errstate(invalid="ignore"):
            want = fp32.to_int(b.view(np.float32), *limits)
    else:
        got, _ = run(bank, LaneOp.MOVE, b, b, narrow=narrow)
        want = np.clip(b.view(np.int32), *limits)
    kept = np.uint32((1 << bits) - 1)
    np.testing.assert_array_equal(got & kept, want.view(np.uint32) & kept)


def test_operations_follow_each_other(bank: Streamed) -> None:
    """A unit's result taken a cycle early or late; one operation that disturbs another."""
    rng = seeded()
    a, b = (side.reshape(-1, COPIES)[::8] for side in operands(rng))
    goldens = {**FLOATS, **{op: (golden, Result.SIMPLE) for op, golden in INTEGERS.items()}}
    codes = list(goldens)
    chosen = rng.integers(0, len(codes), len(a))
    want = np.zeros_like(a)
    for index, op in enumerate(codes):
        rows = chosen == index
        with np.errstate(all="ignore"):
            results = goldens[op][0](a[rows].reshape(-1), b[rows].reshape(-1))
        want[rows] = results.reshape(-1, COPIES)
    units = np.array([goldens[op][1].value for op in codes], np.uint32)[chosen]

    def padded(values: np.ndarray, cycles: int) -> np.ndarray:
        return np.concatenate(
            [np.zeros(cycles, np.uint32), values, np.zeros(Alu.LATENCY - cycles, np.uint32)]
        )

    # a unit moves while one of its operations is inside, as the lanes' control has it
    moving = np.zeros(len(units) + Alu.LATENCY, np.uint32)
    for cycles in range(Alu.LATENCY):
        moving |= padded(np.uint32(1) << units, cycles)
    out = bank.run(
        a=np.pad(a, ((0, Alu.LATENCY), (0, 0))),
        b=np.pad(b, ((0, Alu.LATENCY), (0, 0))),
        op=padded(np.array([op.value for op in codes], np.uint32)[chosen], 0),
        enable=moving,
        early=padded(units, Alu.LATENCY - 1),
        late=padded(units, Alu.LATENCY),
    )["o"]
    np.testing.assert_array_equal(out[Alu.LATENCY :], want)
