"""The compiled array with its decoders, every format, against the goldens: corners, every pair of
fp8 numbers, and more than 100,000 random operands of each format."""

from functools import lru_cache

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from streamed import Streamed, seeded
from weft_hw.array.decode import OperandDecoder, part_bits
from weft_hw.array.systolic import SystolicArray, array_latency
from weft_hw.formats.table import OPERANDS, Format, units_per_row
from weft_hw.presets import preset
from weft_sim.golden import decode_operands, matmul_float, matmul_int8, scale_operands

pytestmark = pytest.mark.rtl

TILE = preset("micro").tile
SIZE = TILE.array_rows
#: Activation vectors of a block.
M = 32
FLOATS = (Format.BF16, Format.FP8E4M3, Format.FP8E5M2)
FP8 = FLOATS[1:]
#: Zeros, subnormals, edges of normal numbers, ones, numbers whose products are near 2**-126 or
#: overflow, the largest, infinities, NaNs.
CORNERS = np.array(
    [0x0000, 0x8000, 0x0001, 0x807F, 0x0080, 0x8081, 0x00FF, 0x1F80, 0x2000, 0x2081, 0x3F7F,
     0x3F80, 0xBF80, 0x3FFF, 0x5F7F, 0x5F80, 0xDFFF, 0x7F00, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80,
     0x7F81, 0x7FC0, 0xFFFF],
    np.uint16,
)  # fmt: skip


class DecodedArray(wiring.Component):
    """The array behind a decoder for activations and one for weights."""

    def __init__(self):
        row, size = 8 * TILE.row_bytes, TILE.array_rows
        edge = {"row": row, "part": part_bits(TILE), "scales": 8 * size}
        super().__init__(
            {
                **{f"a_{name}": In(bits) for name, bits in edge.items()},
                **{f"w_{name}": In(bits) for name, bits in edge.items()},
                "code": In(4),
                "scaled": In(1),
                "floating": In(1),
                "swap": In(1),
                "weight_rows": In(size),
                "sums": Out(32 * TILE.array_cols),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = SystolicArray(TILE)
        for prefix, target in (("a", array.activations), ("w", array.weights)):
            m.submodules[prefix] = decoder = OperandDecoder(TILE)
            m.d.comb += [
                decoder.row.eq(getattr(self, f"{prefix}_row")),
                decoder.part.eq(getattr(self, f"{prefix}_part")),
                decoder.scales.eq(getattr(self, f"{prefix}_scales")),
                decoder.format.as_value().eq(self.code),
                decoder.scaled.eq(self.scaled),
                decoder.lanes.eq(-1),
                target.eq(decoder.operands),
            ]
        m.d.comb += [
            array.floating.eq(self.floating),
            array.swap.eq(self.swap),
            array.weight_rows.eq(self.weight_rows),
            self.sums.eq(array.sums),
        ]
        return m


@lru_cache(maxsize=1)
def compiled():
    return Streamed(DecodedArray(), "decoded_array")


def run(rng, code, a, w, a_scales=None, w_scales=None):
    """Blocks of raw operands, a (blocks, M, unit bytes), w (blocks, R, unit bytes), one after the
    other without a bubble; scales (blocks, M) and (blocks, C). Returns (blocks, M, C) uint32."""
    blocks, latency = len(a), array_latency(TILE)
    lead = SIZE + 1
    rows = lead + blocks * M + latency + 1
    starts = lead + M * np.arange(blocks)
    units = units_per_row(TILE, code)
    fields = {name: np.zeros(rows, np.uint32) for name in ("swap", "weight_rows")}
    fields["code"] = np.full(rows, code.value, np.uint32)
    fields["floating"] = np.full(rows, code in FLOATS, np.uint32)
    # the weights of a block come beside the activations of the one before
    times = {"a": starts[:, None] + np.arange(M), "w": starts[:, None] - 1 - SIZE + np.arange(SIZE)}
    fields["swap"][starts - 1] = 1
    fields["weight_rows"][times["w"]] = (2 << np.arange(SIZE)) - 1
    for name, raw in (("a", a), ("w", w[:, ::-1])):
        part = rng.integers(0, units, rows)
        lines = rng.integers(0, 256, (rows, units, TILE.row_bytes // units), "u1")
        at = times[name].reshape(-1)
        lines[at, part[at]] = raw.reshape(len(at), -1)
        fields[f"{name}_row"] = lines.reshape(rows, -1).view(np.uint32)
        fields[f"{name}_part"] = part.astype(np.uint32)
    if a_scales is not None:
        fields["scaled"] = np.ones(rows, np.uint32)
        scales = {"a": np.zeros((rows, SIZE), np.uint8), "w": np.zeros((rows, SIZE), np.uint8)}
        scales["a"][times["a"]] = a_scales[:, :, None]
        scales["w"][times["w"]] = w_scales[:, None, :]
        fields |= {f"{name}_scales": value.view(np.uint32) for name, value in scales.items()}
    sums = compiled().run(**fields)["sums"]
    return sums[times["a"] + latency]


def golden(code, a, w, a_scales=None, w_scales=None):
    a, w = decode_operands(a, code), decode_operands(w, code)
    if code not in FLOATS:
        return np.stack([matmul_int8(x, y) for x, y in zip(a, w, strict=True)]).view(np.uint32)
    if a_scales is not None:
        a = scale_operands(a, a_scales[:, :, None])
        w = scale_operands(w, w_scales[:, None, :])
    pairs = zip(a, w, strict=True)
    return np.stack([matmul_float(x, y, rows=SIZE) for x, y in pairs]).view(np.uint32)


def check(rng, code, a, w, *scales):
    got, want = run(rng, code, a, w, *scales), golden(code, a, w, *scales)
    wrong = np.argwhere(got != want)
    first = [
        f"block {b}, row {m}, column {c}: {got[b, m, c]:08x}, not {want[b, m, c]:08x}, of "
        f"{decode_operands(a[b, m], code)} and {decode_operands(w[b], code)[:, c]}"
        for b, m, c in wrong[:3].tolist()
    ]
    assert not len(wrong), f"{len(wrong)} of {got.size} sums of {code} differ: {first}"


def shapes(code, blocks):
    width = TILE.row_bytes // units_per_row(TILE, code)
    return (blocks, M, width), (blocks, SIZE, width)


@pytest.mark.parametrize("name", OPERANDS)
def test_random_operands(name):
    """Blocks of any bits at all, and of floating-point numbers near each other."""
    rng, code = seeded(), OPERANDS[name]
    blocks = 400
    a, w = (rng.integers(0, 256, shape, "u1") for shape in shapes(code, blocks))
    if code == Format.BF16:
        # half of the blocks near one, so that sums round and cancel, and a quarter near 2**-63
        for raw in (a, w):
            words = raw.view(np.uint16)
            exponent = rng.integers(120, 134, words.shape).astype(np.uint16)
            exponent[: blocks // 4] = rng.integers(61, 67, words[: blocks // 4].shape)
            near = (words & 0x807F) | (exponent << 7)
            words[: 3 * blocks // 4] = near[: 3 * blocks // 4]
    assert 8 * (a.size + w.size) // {Format.BF16: 16, Format.INT4: 4}.get(code, 8) > 100_000
    check(rng, code, a, w)


def test_corners_of_bf16():
    """Corner cases, alone in a vector and several together."""
    rng = seeded()
    blocks = 1500
    a, w = (rng.choice(CORNERS, (*shape[:2], SIZE)) for shape in shapes(Format.BF16, blocks))
    # few of them not zero: one NaN or infinity hides the rest
    a[rng.random(a.shape) < 0.7] = 0x0000
    w[:, :, 0] = CORNERS[np.arange(blocks * SIZE).reshape(blocks, SIZE) % len(CORNERS)]
    check(rng, Format.BF16, a.view(np.uint8), w.view(np.uint8))


@pytest.mark.parametrize("code", FP8)
def test_every_product_of_fp8(code):
    rng = seeded()
    blocks = (256 // M) * (256 // SIZE)
    a, w = (np.zeros(shape, np.uint8) for shape in shapes(code, blocks))
    numbers = np.arange(256)
    a[:, :, 0] = np.tile(numbers.reshape(-1, M), (256 // SIZE, 1))
    w[:, 0, :] = np.repeat(numbers.reshape(-1, SIZE), 256 // M, axis=0)
    check(rng, code, a, w)


@pytest.mark.parametrize("code", FP8)
def test_scaled_operands(code):
    """Scales near one, scales that leave bf16's range, and 0xFF."""
    rng = seeded()
    blocks = 400
    a, w = (rng.integers(0, 256, shape, "u1") for shape in shapes(code, blocks))
    a_scales, w_scales = (rng.integers(110, 145, (blocks, n)).astype(np.uint8) for n in (M, SIZE))
    wild = rng.random(blocks) < 0.3
    a_scales[wild] = rng.choice([0, 1, 3, 9, 127, 240, 253, 254, 255], (wild.sum(), M))
    w_scales[wild] = rng.choice([0, 1, 60, 127, 200, 254, 255], (wild.sum(), SIZE))
    check(rng, code, a, w, a_scales, w_scales)
