"""The kernels' polynomials are, but for rounding, the best of their degree."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import erf, erfcx, log_ndtr, ndtr
from weft.kernels.vector import exponential
from weft.kernels.vector.gelu import NEAR as PHI_NEAR
from weft.kernels.vector.gelu import ROOT_TAIL, TAIL, TAIL_CENTRE
from weft.kernels.vector.minimax import minimax
from weft.kernels.vector.tanh import FAST_DENOMINATOR, FAST_NUMERATOR
from weft.kernels.vector.tanh import NEAR as TANH_NEAR

_LN2 = np.log(2)


def _tail(s: np.ndarray) -> np.ndarray:
    t = s + TAIL_CENTRE
    return erfcx(4 * (1 / t - 1) / np.sqrt(2)) / 2 / t


def _exp_rest(r: np.ndarray) -> np.ndarray:
    return (np.expm1(r) - r) / (r * r)


def _tanh_slope(square: np.ndarray) -> np.ndarray:
    return np.tanh(np.sqrt(square)) / np.sqrt(square)


def _ndtr_slope(square: np.ndarray) -> np.ndarray:
    return erf(np.sqrt(square / 2)) / 2 / np.sqrt(square)


def _one(x: np.ndarray) -> np.ndarray:
    return np.ones_like(x)


#: Coefficients, function, range, weight of the error (relative if None), given coefficients, error
#: that the source states.
CASES: dict[str, tuple] = {
    "2**r, fast": (exponential.EXP2_NEAR_FAST, np.exp2, (-0.5, 0.5), None, {}, 7.5e-5),
    "2**r above, fast": (exponential.EXP2_ABOVE_FAST, np.exp2, (0, 1), None, {0: 1.0}, 8.6e-5),
    "2**r above": (exponential.EXP2_ABOVE, np.exp2, (0, 1), None, {0: 1.0}, 8.3e-8),
    "e**r above": (exponential.EXP_ABOVE, np.exp, (0, _LN2), None, {0: 1.0}, 8.3e-8),
    "e**r": (
        *(exponential.EXP_NEAR, _exp_rest, (-_LN2 / 2, _LN2 / 2)),
        *(lambda r: r * r / np.exp(r), {}, 3.1e-9),
    ),
    "64th root of the tail": (
        *(ROOT_TAIL, lambda a: np.exp(log_ndtr(-a) / 64), (0, 13.3)),
        *(None, {}, 9.9e-4 / 64),
    ),
    "tail": (TAIL, _tail, (1 / 4.35 - 0.5625, 1 - 0.5625), None, {}, 7.7e-9),
    "Phi": (
        *(PHI_NEAR, _ndtr_slope, (1e-9, 0.49)),
        *(lambda u: np.sqrt(u) / ndtr(-np.sqrt(u)), {}, 5e-10),
    ),
    "tanh": (TANH_NEAR, _tanh_slope, (1e-9, 0.49), None, {0: 1.0}, 1.6e-8),
}


def _error(case: tuple, coefficients: np.ndarray) -> float:
    _, function, (low, high), weight, _, _ = case
    x = np.linspace(low, high, 20_001)[1:-1]
    x = x[np.abs(x) > 1e-4 * (high - low)]
    weights = 1 / np.abs(function(x)) if weight is None else weight(x)
    return float(np.abs(weights * (np.polyval(coefficients[::-1], x) - function(x))).max())


@pytest.mark.parametrize("name", CASES)
def test_stated_errors(name: str) -> None:
    """With nine digits, as in the source, which may cost 4e-9, and as fp32 holds them: 2**-24."""
    coefficients = np.array(CASES[name][0], np.float32).astype(np.float64)
    assert _error(CASES[name], coefficients) <= CASES[name][-1] + 2.0**-24
    assert _error(CASES[name], np.array(CASES[name][0])) <= CASES[name][-1] + 4e-9


@pytest.mark.parametrize("name", ["2**r, fast", "e**r above", "tanh"])
def test_fits_can_be_repeated(name: str) -> None:
    stated, function, (low, high), weight, fixed, _ = CASES[name]
    found, error = minimax(function, low, high, len(stated) - 1, weight=weight, fixed=fixed)
    assert _error(CASES[name], np.array(stated)) <= 1.02 * error
    np.testing.assert_allclose(found, stated, rtol=1e-3)


def test_quotient_of_fast_tanh() -> None:
    """Numerator and denominator together, up to where bf16 results are 1."""
    x = np.linspace(1e-3, 4, 10_000)
    above, below = (
        np.polyval(np.array(part)[::-1], x * x) for part in (FAST_NUMERATOR, FAST_DENOMINATOR)
    )
    assert np.abs(above / below * x / np.tanh(x) - 1).max() <= 3.8e-4


def test_minimax_of_a_line() -> None:
    """The best line to x**2 on 0..1 is x - 1/8, off by 1/8."""

    def square(x: np.ndarray) -> np.ndarray:
        return x * x

    one: Callable = _one
    coefficients, error = minimax(square, 0, 1, 1, weight=one)
    np.testing.assert_allclose(coefficients, [-0.125, 1], atol=1e-5)
    assert error == pytest.approx(0.125, abs=1e-5)
