"""The floating-point matmul golden: against one addition at a time, and against float64."""

import ml_dtypes
import numpy as np
import pytest
from weft_hw.formats.table import Format
from weft_sim.golden import decode_operands, error_bound, fp32, matmul_float

FORMATS = (Format.BF16, Format.FP8E4M3, Format.FP8E5M2)
#: Signed zeros, subnormals (as they decode), the edges of normal numbers, infinities, NaN.
CORNERS = decode_operands(
    np.array(
        [0x0000, 0x8000, 0x0001, 0x8001, 0x0080, 0x8080, 0x0081, 0x00FF, 0x3F80, 0xBF80, 0x3F81,
         0x7F7F, 0xFF7F, 0x7F80, 0xFF80, 0x7FC0],
        np.uint16,
    ).view(np.uint8),
    Format.BF16,
)  # fmt: skip


def one_by_one(
    a: np.ndarray, w: np.ndarray, rows: int, initial: np.ndarray | None = None
) -> np.ndarray:
    """The docstring of ``matmul_float``, literally."""
    total = None if initial is None else fp32.flush(initial)
    for k in range(0, a.shape[1], rows):
        column = np.zeros((a.shape[0], w.shape[1]), np.float32)
        for step in range(k, k + rows):
            left = a[:, step] if step < a.shape[1] else np.zeros(a.shape[0], np.float32)
            right = w[step] if step < a.shape[1] else np.zeros(w.shape[1], np.float32)
            product = fp32.multiply(left[:, None], right[None, :])
            column = fp32.add(column, product)
        total = column if total is None else fp32.add(total, column)
    return total


def bf16(values: np.ndarray) -> np.ndarray:
    return values.astype(ml_dtypes.bfloat16).astype(np.float32)


def same(got: np.ndarray, want: np.ndarray) -> None:
    np.testing.assert_array_equal(got.view(np.uint32), want.view(np.uint32))


@pytest.mark.parametrize("rows", [4, 8, 16])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 8, 5), (5, 17, 3), (40, 33, 40), (2, 64, 90)])
def test_against_one_addition_at_a_time(shape: tuple[int, int, int], rows: int) -> None:
    rng = np.random.default_rng([*shape, rows])
    m, k, n = shape
    with np.errstate(all="ignore"):
        for spread in (0, 20, 70, 130):
            a, w = (
                bf16(rng.standard_normal(s) * 2.0 ** rng.integers(-spread, spread + 1, s))
                for s in ((m, k), (k, n))
            )
            a, w = fp32.flush(a), fp32.flush(w)
            initial = fp32.flush(rng.standard_normal((m, n)).astype(np.float32))
            same(matmul_float(a, w, rows=rows), one_by_one(a, w, rows))
            same(matmul_float(a, w, rows=rows, initial=initial), one_by_one(a, w, rows, initial))


@pytest.mark.parametrize("seed", range(20))
def test_corners_in_every_place(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m, k, n = (int(x) for x in rng.integers(1, 20, 3))
    # mostly harmless: one NaN or infinity hides all else
    pool = CORNERS if seed % 2 else CORNERS[np.isfinite(CORNERS)][:8]
    a, w = rng.choice(pool, (m, k)), rng.choice(pool, (k, n))
    initial = rng.choice(pool, (m, n))
    with np.errstate(all="ignore"):
        same(matmul_float(a, w, rows=8), one_by_one(a, w, 8))
        same(matmul_float(a, w, rows=8, initial=initial), one_by_one(a, w, 8, initial))


def test_signs_of_zero_by_hand() -> None:
    def dot(a: list[float], w: list[float], initial: float | None = None) -> str:
        start = None if initial is None else np.array([[initial]], np.float32)
        got = matmul_float(
            np.array([a], np.float32), np.array([w], np.float32).T, rows=4, initial=start
        )
        return str(float(got[0, 0]))

    tiny = 2.0**-126
    # 0 + -0 is +0
    assert dot([-0.0], [1.0]) == "0.0"
    # the last lane's sum of -2**-127 is flushed to -0, which replaces the accumulator
    assert dot([0, 0, 1, 1], [0, 0, tiny, -1.5 * tiny]) == "-0.0"
    # a lane after it adds +0
    assert dot([0, 1, 1], [0, tiny, -1.5 * tiny]) == "0.0"
    assert dot([0, 0, 1, 1], [0, 0, tiny, -1.5 * tiny], -0.0) == "-0.0"
    assert dot([0, 0, 1, 1], [0, 0, tiny, -1.5 * tiny], 0.0) == "0.0"
    # a product below 2**-126 is zero before it is added
    assert dot([0.5, 0.5], [tiny, tiny]) == "0.0"


@pytest.mark.parametrize("code", FORMATS)
def test_error_against_float64(code: Format) -> None:
    """More than 100,000 random operands of each format; the bound is ``error_bound``."""
    rng = np.random.default_rng(code.value)
    bits = 16 if code == Format.BF16 else 8
    raw = rng.integers(0, 256, (2, 128 * 512 * bits // 8), dtype=np.uint8)
    values = decode_operands(raw, code)
    # finite, and not so large that sums overflow
    values = np.where(np.abs(values) < 2.0**50, values, np.float32(1))
    a, w = values[0].reshape(128, 512), values[1].reshape(512, 128)
    with np.errstate(all="ignore"):
        got = matmul_float(a, w, rows=16).astype(np.float64)
    error = np.abs(got - a.astype(np.float64) @ w.astype(np.float64))
    assert (error <= error_bound(a, w, rows=16)).all()
    if code != Format.BF16:
        # and the bound is not empty: some error is within a factor of 10^4 of it
        assert (error / error_bound(a, w, rows=16)).max() > 1e-4


def test_wrong_arguments_are_named() -> None:
    one = np.ones((2, 2), np.float32)
    with pytest.raises(TypeError, match="a must have dtype float32, not float64"):
        matmul_float(one.astype(np.float64), one, rows=8)
    with pytest.raises(ValueError, match=r"w must have shape \(2, any\), not \(3, 2\)"):
        matmul_float(one, np.ones((3, 2), np.float32), rows=8)
    with pytest.raises(ValueError, match="rows must be a positive integer, not 0"):
        matmul_float(one, one, rows=0)
    assert matmul_float(one[:, :0], one[:0], rows=8).tolist() == [[0, 0], [0, 0]]
