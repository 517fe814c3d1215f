"""The matmul golden against Python integers and hand-computed corners."""

from typing import Any

import numpy as np
import pytest
from weft_sim.golden import matmul_int8


def test_hand_computed() -> None:
    a = np.array([[1, 2], [-3, 4]], np.int8)
    w = np.array([[5, 6, 7], [8, 9, -10]], np.int8)
    want = np.array([[21, 24, -13], [17, 18, -61]], np.int32)
    got = matmul_int8(a, w)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, want)


def test_initial_is_added() -> None:
    a = np.array([[2]], np.int8)
    got = matmul_int8(a, a, np.array([[-7]], np.int32))
    np.testing.assert_array_equal(got, [[-3]])


@pytest.mark.parametrize("depth", [1, 1023, 1024, 1025, 4096, 65535])
@pytest.mark.parametrize(("left", "right"), [(-128, -128), (-128, 127), (127, 127)])
def test_extreme_operands_are_exact_at_every_depth(depth: int, left: int, right: int) -> None:
    a = np.full((1, depth), left, np.int8)
    w = np.full((depth, 2), right, np.int8)
    np.testing.assert_array_equal(matmul_int8(a, w), [[depth * left * right] * 2])


def test_odd_sums_beyond_2_to_24_are_exact() -> None:
    # 1,040 times 127 * 127 and one 1: float32 could not hold the sum
    a = np.full((1, 1041), 127, np.int8)
    w = np.full((1041, 1), 127, np.int8)
    a[0, -1] = w[-1, 0] = 1
    assert int(matmul_int8(a, w)[0, 0]) == 1040 * 127 * 127 + 1


@pytest.mark.parametrize("seed", range(4))
def test_random_against_python_integers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, depth, cols = (int(extent) for extent in rng.integers(1, 9, 3))
    a = rng.integers(-128, 128, (rows, depth), np.int8)
    w = rng.integers(-128, 128, (depth, cols), np.int8)
    initial = rng.integers(-(2**30), 2**30, (rows, cols), np.int32)
    want = [
        [
            int(initial[m, n]) + sum(int(a[m, k]) * int(w[k, n]) for k in range(depth))
            for n in range(cols)
        ]
        for m in range(rows)
    ]
    np.testing.assert_array_equal(matmul_int8(a, w, initial), want)


def test_long_random_against_int64() -> None:
    rng = np.random.default_rng(7)
    a = rng.integers(-128, 128, (3, 5000), np.int8)
    w = rng.integers(-128, 128, (5000, 4), np.int8)
    np.testing.assert_array_equal(matmul_int8(a, w), a.astype(np.int64) @ w.astype(np.int64))


def test_empty_depth_gives_the_initial_values() -> None:
    got = matmul_int8(np.zeros((2, 0), np.int8), np.zeros((0, 3), np.int8))
    np.testing.assert_array_equal(got, np.zeros((2, 3), np.int32))


@pytest.mark.parametrize(("start", "sign"), [(2**31 - 1, 1), (-(2**31), -1)])
def test_sum_outside_int32_is_refused(start: int, sign: int) -> None:
    one = np.array([[1]], np.int8)
    with pytest.raises(ValueError, match="must fit int32"):
        matmul_int8(one * np.int8(sign), one, np.array([[start]], np.int32))


def test_wrong_arguments_are_named() -> None:
    good = np.zeros((2, 2), np.int8)
    with pytest.raises(TypeError, match="a must have dtype int8, not int16"):
        matmul_int8(good.astype(np.int16), good)
    nested: Any = [[1]]
    with pytest.raises(TypeError, match="w must be a numpy array, not list"):
        matmul_int8(good, nested)
    with pytest.raises(ValueError, match=r"w must have shape \(2, any\), not \(3, 2\)"):
        matmul_int8(good, np.zeros((3, 2), np.int8))
    with pytest.raises(ValueError, match=r"initial must have shape \(2, 2\)"):
        matmul_int8(good, good, np.zeros((1, 2), np.int32))
