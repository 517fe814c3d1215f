"""The requantisation golden against exact rational arithmetic and hand-computed corners."""

import doctest
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from weft_sim.golden import matmul_int8, requantise, vector_int32

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def _round_to_24_bits(value: Fraction) -> Fraction:
    """The nearest number with a 24-bit significand, ties to even, exponent unbounded."""
    if value == 0:
        return value
    exponent = 0
    while abs(value) >= Fraction(2) ** (exponent + 24):
        exponent += 1
    while abs(value) < Fraction(2) ** (exponent + 23):
        exponent -= 1
    unit = Fraction(2) ** exponent
    # round() of a Fraction is exact and rounds half to even
    return round(value / unit) * unit


def _exact(acc: int, scale: float, zero: int, low: int, high: int, bias: int, residual: int) -> int:
    """The documented formula in rational numbers, without a float operation."""
    total = (acc + bias + 2**31) % 2**32 - 2**31
    product = _round_to_24_bits(_round_to_24_bits(Fraction(total)) * Fraction(scale))
    return min(max(round(product) + zero + residual, low), high)


def _one(acc: int, scale: float, zero: int = 0, low: int = -128, high: int = 127) -> int:
    got = requantise(np.array([[acc]], np.int32), np.array([scale], np.float32), zero, low, high)
    return int(got[0, 0])


@pytest.mark.parametrize(
    ("acc", "scale", "want"),
    [
        (0, 1.0, 0),
        (1, 0.5, 0),  # 0.5 to even
        (3, 0.5, 2),  # 1.5 to even
        (5, 0.5, 2),  # 2.5 to even
        (-1, 0.5, 0),
        (-3, 0.5, -2),
        (-5, 0.5, -2),
        (7, 0.25, 2),
        (127, 1.0, 127),
        (128, 1.0, 127),
        (255, 0.5, 127),  # 127.5 to 128, saturated
        (-128, 1.0, -128),
        (-257, 0.5, -128),  # -128.5 to -128
        (-129, 1.0, -128),
        (INT32_MAX, 1.0, 127),
        (INT32_MIN, 1.0, -128),
        (INT32_MIN, -1.0, 127),
        (INT32_MAX, 2.0**-25, 64),  # float32(2**31 - 1) is 2**31
        (2**24 + 1, 2.0**-18, 64),
        (2**24 + 1, 2.0**-25, 0),  # float32(acc) is 2**24, so this is a tie
        (2**24 + 3, 2.0**-25, 1),
        (3, 1.0 / 6.0, 0),  # just above a half, but a half once rounded to float32
        (100, 0.0, 0),
        (100, 1e-45, 0),
        (INT32_MIN, -1.1754942e-38, 0),
        (1, 3.4e38, 127),
        (10, 3.4e38, 127),  # product overflows to infinity
        (-10, 3.4e38, -128),
        (1, float("inf"), 127),
        (-1, float("inf"), -128),
        (0, float("inf"), 0),
        (9, float("nan"), 0),
    ],
)
def test_hand_computed(acc: int, scale: float, want: int) -> None:
    assert _one(acc, scale) == want


def test_zero_point_residual_and_clamp_come_after_rounding() -> None:
    acc = np.array([[3, -3, 400]], np.int32)
    residual = np.array([[1, 100, -128]], np.int8)
    got = requantise(acc, 0.5, zero_point=-10, clamp_min=-10, clamp_max=60, residual=residual)
    np.testing.assert_array_equal(got, [[-7, 60, 60]])
    assert got.dtype == np.int8


def test_residual_brings_a_saturated_value_no_closer() -> None:
    assert _one(383, 1.0, zero=-128) == 127
    residual = np.array([[-128]], np.int8)
    acc = np.array([[383]], np.int32)
    np.testing.assert_array_equal(requantise(acc, 1.0, -128, residual=residual), [[127]])
    np.testing.assert_array_equal(requantise(acc - 1, 1.0, -128, residual=residual), [[126]])
    np.testing.assert_array_equal(requantise(acc * 10**6, 1.0, -128, residual=residual), [[127]])


def test_crossed_clamp_gives_the_upper_bound() -> None:
    assert _one(5, 1.0, low=10, high=-10) == -10


def test_bias_wraps() -> None:
    acc = np.array([[INT32_MAX, INT32_MIN, 5]], np.int32)
    bias = np.array([1, -1, -7], np.int32)
    np.testing.assert_array_equal(vector_int32(acc, bias), [[INT32_MIN, INT32_MAX, -2]])
    np.testing.assert_array_equal(requantise(acc, 1.0, bias=bias), [[-128, 127, -2]])


def test_int32_without_bias_is_a_copy() -> None:
    acc = np.array([[1, 2]], np.int32)
    got = vector_int32(acc)
    got[0, 0] = 9
    np.testing.assert_array_equal(acc, [[1, 2]])


@pytest.mark.parametrize("seed", range(8))
def test_random_against_rational_arithmetic(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 500
    magnitude = rng.integers(0, 32, (1, count))
    acc = (rng.integers(INT32_MIN, 2**31, (1, count)) >> magnitude).astype(np.int32)
    bias = (rng.integers(INT32_MIN, 2**31, count) >> rng.integers(0, 32, count)).astype(np.int32)
    # scales that bring the value near int8, so that rounding is what decides
    total = np.maximum(np.abs(vector_int32(acc, bias)[0].astype(np.float64)), 1.0)
    scale = (rng.uniform(-200.0, 200.0, count) / total).astype(np.float32)
    # every third one an exact tie
    tie = slice(None, None, 3)
    acc[0, tie] = rng.integers(-300, 300, acc[0, tie].shape)
    bias[tie] = 0
    scale[tie] = np.float32(0.5)
    # and every third one as near a tie as float32 comes, so that each rounding to float32 decides
    near = slice(1, None, 3)
    goal = rng.integers(-140, 140, acc[0, near].shape) + 0.5
    total = vector_int32(acc, bias)[0, near].astype(np.float64)
    scale[near] = (goal / np.where(total == 0, 1, total)).astype(np.float32)
    residual = rng.integers(-128, 128, (1, count)).astype(np.int8)
    zero, low, high = int(rng.integers(-128, 128)), -100, 101
    got = requantise(acc, scale, zero, low, high, bias, residual)
    want = [
        _exact(*values)
        for values in zip(
            acc[0].tolist(),
            scale.tolist(),
            [zero] * count,
            [low] * count,
            [high] * count,
            bias.tolist(),
            residual[0].tolist(),
            strict=True,
        )
    ]
    np.testing.assert_array_equal(got, [want], err_msg=f"seed {seed}")


def test_scalar_scale_equals_a_vector_of_it() -> None:
    rng = np.random.default_rng(3)
    acc = rng.integers(-5000, 5000, (4, 6)).astype(np.int32)
    want = requantise(acc, np.full(6, 0.0131, np.float32))
    for scale in (0.0131, np.float32(0.0131), np.array(0.0131, np.float32)):
        np.testing.assert_array_equal(requantise(acc, scale), want)


def test_wrong_arguments_are_named() -> None:
    acc = np.zeros((2, 3), np.int32)
    with pytest.raises(TypeError, match="acc must have dtype int32, not int64"):
        requantise(acc.astype(np.int64), 1.0)
    with pytest.raises(TypeError, match="scale must have dtype float32, not float64"):
        requantise(acc, np.ones(3))
    with pytest.raises(ValueError, match=r"scale must have shape \(3\), not \(2,\)"):
        requantise(acc, np.ones(2, np.float32))
    text: Any = "x"
    with pytest.raises(TypeError, match="scale must be a float32 array or a number, not 'x'"):
        requantise(acc, text)
    with pytest.raises(ValueError, match="zero_point must be between -128 and 127, not 128"):
        requantise(acc, 1.0, 128)
    half: Any = 0.5
    with pytest.raises(TypeError, match=r"clamp_min must be an integer, not 0\.5"):
        requantise(acc, 1.0, 0, half)
    with pytest.raises(ValueError, match=r"bias must have shape \(3\)"):
        requantise(acc, 1.0, bias=np.zeros(4, np.int32))
    with pytest.raises(ValueError, match=r"residual must have shape \(2, 3\), not \(3, 2\)"):
        requantise(acc, 1.0, residual=np.zeros((3, 2), np.int8))


@pytest.mark.parametrize("function", [matmul_int8, requantise])
def test_examples_in_docstrings(function: object) -> None:
    result = doctest.testmod(sys.modules[function.__module__])
    assert result.attempted > 0
    assert result.failed == 0
