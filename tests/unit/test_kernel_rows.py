"""Softmax and norms against float64."""

import ml_dtypes
import numpy as np
import pytest
from ulp import error_ulp
from weft.kernels.vector import layer_norm, rms_norm, softmax
from weft.microcode import emulate

_BF16 = ml_dtypes.bfloat16
#: Below, at, above a block and a strip; long rows.
_SHAPES = [(1, 1), (7, 5), (8, 8), (9, 9), (16, 16), (3, 40), (64, 128), (20, 384)]
_LANES = [8, 16]


def _softmax(z: np.ndarray) -> np.ndarray:
    with np.errstate(under="ignore"):
        e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _random(shape: tuple[int, int], dtype: type, scale: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(dtype)


def _row_error(got: np.ndarray, want: np.ndarray, digits: int) -> float:
    """In ULP of the largest result of the row."""
    largest = np.abs(want).max(axis=1, keepdims=True)
    unit = 2.0 ** (np.floor(np.log2(largest)) + 1 - digits)
    return float((np.abs(got.astype(np.float64) - want) / unit).max())


@pytest.mark.parametrize("spread", [1.0, 10.0])
@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("lanes", _LANES)
@pytest.mark.parametrize(("fast", "bound"), [(True, 1.5), (False, 3.0)])
def test_softmax(
    lanes: int, shape: tuple[int, int], spread: float, fast: bool, bound: float
) -> None:
    dtype, digits = (_BF16, 8) if fast else (np.float32, 24)
    x = _random(shape, dtype, spread)
    got = emulate(softmax(lanes, fast=fast), {"x": x}, {"out": dtype})["out"]
    want = _softmax(x.astype(np.float64))
    assert error_ulp(got, want, digits).max() <= bound


@pytest.mark.parametrize(("fast", "bound"), [(True, 0.55), (False, 3.5)])
@pytest.mark.parametrize("columns", [1, 5, 16])
def test_softmax_of_one_block(columns: int, fast: bool, bound: float) -> None:
    dtype, digits = (_BF16, 8) if fast else (np.float32, 24)
    x = _random((19, columns), dtype, 4.0)
    got = emulate(softmax(16, one_block=True, fast=fast), {"x": x}, {"out": dtype})["out"]
    assert error_ulp(got, _softmax(x.astype(np.float64)), digits).max() <= bound


@pytest.mark.parametrize("one_block", [False, True])
@pytest.mark.parametrize("fast", [False, True])
def test_softmax_with_masks(one_block: bool, fast: bool) -> None:
    """Scaled, masked, causal from the third column on."""
    size = 8 if one_block else 21
    x = _random((size, size), np.float32, 3.0)
    rng = np.random.default_rng(1)
    mask = np.where(rng.random((size, size)) < 0.3, -np.inf, rng.standard_normal((size, size)))
    mask[:, 0] = 0
    mask = mask.astype(np.float32)
    program = softmax(8, scale=True, mask=True, causal=True, one_block=one_block, fast=fast)
    got = emulate(
        program, {"x": x, "mask": mask}, {"out": np.float32},
        scalars={"scale": 0.25, "row_offset": 2},
    )["out"]  # fmt: skip
    row, column = np.indices(x.shape)
    z = np.where(column > row + 2, -np.inf, x.astype(np.float64) * 0.25 + mask)
    want = _softmax(z)
    assert (got[want == 0] == 0).all()
    np.testing.assert_allclose(got, want, rtol=3e-4 if fast else 1e-6)


def test_softmax_of_extremes() -> None:
    """A single finite column takes all; rows without one are NaN; large logits do not overflow."""
    x = np.full((3, 20), -np.inf, np.float32)
    x[0, 13] = 5.0
    x[2] = 3e38
    got = emulate(softmax(8), {"x": x}, {"out": np.float32})["out"]
    np.testing.assert_array_equal(got[0], np.eye(20)[13])
    assert np.isnan(got[1]).all()
    np.testing.assert_allclose(got[2], 0.05, rtol=1e-6)


@pytest.mark.parametrize("shift", [0.0, 100.0])
@pytest.mark.parametrize("shape", [(1, 2), *_SHAPES[1:]])
@pytest.mark.parametrize("lanes", _LANES)
@pytest.mark.parametrize(("fast", "bound"), [(True, 0.55), (False, 4.0)])
def test_layer_norm(
    lanes: int, shape: tuple[int, int], shift: float, fast: bool, bound: float
) -> None:
    """Also with a mean that is large against the differences from it."""
    dtype, digits = (_BF16, 8) if fast else (np.float32, 24)
    x = _random(shape, dtype, 3.0) + dtype(shift)
    gamma, beta = _random((2, shape[1]), dtype, 1.0, 1)
    scalars: dict[str, float | int] = {"inverse_n": 1 / shape[1], "epsilon": 1e-5}
    ragged = shape[1] % lanes != 0
    if ragged:
        scalars["n"] = shape[1]
    got = emulate(
        layer_norm(lanes, ragged=ragged, fast=fast),
        {"x": x, "gamma": gamma, "beta": beta}, {"out": dtype}, scalars=scalars,
    )["out"]  # fmt: skip
    z, gamma, beta = (array.astype(np.float64) for array in (x, gamma, beta))
    deviation = np.sqrt(z.var(axis=1, keepdims=True) + 1e-5)
    want = (z - z.mean(axis=1, keepdims=True)) / deviation * gamma + beta
    assert _row_error(got, want, digits) <= bound


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("lanes", _LANES)
@pytest.mark.parametrize(("fast", "bound"), [(True, 0.55), (False, 4.0)])
def test_rms_norm(lanes: int, shape: tuple[int, int], fast: bool, bound: float) -> None:
    dtype, digits = (_BF16, 8) if fast else (np.float32, 24)
    x, gamma = _random(shape, dtype, 3.0), _random((1, shape[1]), dtype, 1.0, 1)[0]
    got = emulate(
        rms_norm(lanes, fast=fast), {"x": x, "gamma": gamma}, {"out": dtype},
        scalars={"inverse_n": 1 / shape[1], "epsilon": 1e-6},
    )["out"]  # fmt: skip
    z = x.astype(np.float64)
    want = z / np.sqrt((z * z).mean(axis=1, keepdims=True) + 1e-6) * gamma.astype(np.float64)
    assert error_ulp(got, want, digits).max() <= bound


@pytest.mark.parametrize(
    ("program", "cycles"),
    [
        (softmax(16), 43),
        (softmax(16, fast=True), 22),
        (softmax(16, scale=True, fast=True), 24),
        (softmax(16, mask=True, fast=True), 26),
        (softmax(16, causal=True, fast=True), 28),
        (layer_norm(16), 16),
        (layer_norm(16, ragged=True), 19),
        (layer_norm(16, fast=True), 14),
        (rms_norm(16, fast=True), 8),
    ],
)
def test_cycles(program, cycles: int) -> None:
    assert program.per_block == cycles
