"""Elementwise kernels against float64 on their whole range: the errors that they state."""

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
from scipy.special import expit, ndtr
from ulp import error_ulp
from weft.kernels import vector
from weft.microcode import emulate

_BF16 = ml_dtypes.bfloat16
_CHUNK = (64, 1024)


def _below(function: Callable, limit: float) -> Callable:
    """A function with its limit at minus infinity, where its formula gives NaN."""
    return lambda x: np.where(x == -np.inf, limit, function(x))


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return x * expit(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))


#: Kernel, reference, the range that random numbers are dense in, worst error in ULP of fp32 and of
#: bf16 (``fast``), cycles a vector row of both.
KERNELS = {
    "exp": (np.exp, (-90, 90), 3.0, 0.53, 24, 17),
    "exp2": (np.exp2, (-130, 130), 3.0, 0.53, 20, 16),
    "reciprocal": (lambda x: 1 / x, (-4, 4), 1.2, 0.5, 24, 20),
    "rsqrt": (lambda x: 1 / np.sqrt(np.where(x < 0, np.nan, x)), (0, 4), 1.3, 0.5, 31, 26),
    "sigmoid": (expit, (-90, 20), 3.0, 0.53, 41, 27),
    "silu": (_below(lambda x: x * expit(x), 0.0), (-95, 20), 3.6, 0.53, 44, 30),
    "tanh": (np.tanh, (-3, 3), 1.6, 0.6, 57, 20),
    "gelu": (_below(lambda x: x * ndtr(x), 0.0), (-13.5, 5), 3.2, 0.8, 87, 25),
    "gelu_tanh": (_below(_gelu_tanh, 0.0), (-11, 5), 3.6, 0.53, 75, 33),
}
_NAMES = list(KERNELS)


def _worst(name: str, x: np.ndarray, *, fast: bool) -> float:
    program = getattr(vector, name)(fast=fast)
    out, digits = (_BF16, 8) if fast else (np.float32, 24)
    got = emulate(program, {"x": x}, {"out": out})["out"]
    with np.errstate(all="ignore"):
        exact = x.astype(np.float32)
        subnormal = np.abs(exact) < 2.0**-126
        exact = np.where(subnormal, np.copysign(np.float32(0), exact), exact).astype(np.float64)
        want = KERNELS[name][0](exact)
    return float(error_ulp(got, want, digits).max())


@pytest.fixture(scope="module")
def every_bf16() -> np.ndarray:
    """All 65,536 values: infinities, NaNs, zeros and subnormals among them."""
    return np.arange(1 << 16).astype(np.uint16).view(_BF16).reshape(_CHUNK)


@pytest.mark.parametrize("name", _NAMES)
def test_bf16_results(name: str, every_bf16: np.ndarray) -> None:
    """``fast`` forms from every bf16 to bf16: far within 2 ULP."""
    assert _worst(name, every_bf16, fast=True) <= KERNELS[name][3]


@pytest.mark.parametrize("name", _NAMES)
def test_fp32_results_of_bf16(name: str, every_bf16: np.ndarray) -> None:
    assert _worst(name, every_bf16, fast=False) <= KERNELS[name][2]


@pytest.mark.slow
@pytest.mark.parametrize("name", _NAMES)
def test_fp32_results(name: str) -> None:
    """A million random numbers: half of any bits, half where the function lives."""
    _, (low, high), bound, _, _, _ = KERNELS[name]
    rng = np.random.default_rng(6)
    for _ in range(8):
        bits = rng.integers(0, 2**32, _CHUNK, dtype=np.uint32).view(np.float32)
        assert _worst(name, bits, fast=False) <= bound
        assert _worst(name, rng.uniform(low, high, _CHUNK).astype(np.float32), fast=False) <= bound


@pytest.mark.parametrize("name", _NAMES)
def test_cycles(name: str) -> None:
    """What a vector row costs, as the docstrings say."""
    *_, cycles, fast_cycles = KERNELS[name]
    kernel = getattr(vector, name)
    assert kernel().per_block == cycles
    assert kernel(fast=True).per_block == fast_cycles
    assert f"{cycles} cycles a vector row ({fast_cycles} ``fast``)" in " ".join(
        kernel.__doc__.split()
    )


@pytest.mark.parametrize("name", _NAMES)
def test_stated_errors(name: str) -> None:
    """The docstrings state the bounds that are tested here."""
    _, _, bound, fast_bound, _, _ = KERNELS[name]
    text = " ".join(getattr(vector, name).__doc__.split())
    assert f"at most {bound} ULP of fp32; ``fast`` {fast_bound} ULP of bf16" in text
