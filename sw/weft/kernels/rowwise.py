"""Softmax, norms and element-wise functions on device buffers, by microprograms.

Every function submits its commands and returns an event; arithmetic is fp32 whatever the dtypes of
operands and results, in the forms "for bf16" of ``weft.kernels.vector`` unless results are float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from . import vector
from .formats import format_of
from .operands import Operand, check_apart, check_operand, check_shape, on_device, result_buffer
from .rows import run_rows

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event
    from ..microcode import Program

__all__ = ["FUNCTIONS", "combine", "layer_norm", "map_elements", "rms_norm", "rotary", "softmax"]

#: Element-wise functions by name; all but relu and scale have a form for bf16 results.
FUNCTIONS = {
    name: getattr(vector, name)
    for name in (
        "relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh", "exp", "exp2", "reciprocal",
        "rsqrt", "scale",
    )
}  # fmt: skip
_PAIRS = {"add": vector.add, "multiply": vector.multiply}
#: Columns of a flat array when it is cut into rows.
_FLAT_COLUMNS = 1024


@lru_cache(maxsize=256)
def _program(function: Callable[..., Program], *arguments: Any, **options: Any) -> Program:
    return function(*arguments, **options)


def map_elements(
    device: Device,
    name: str,
    x: Operand,
    *,
    factor: float | None = None,
    out_dtype: Any = None,
    out: DeviceBuffer | None = None,
) -> Event:
    """``FUNCTIONS[name]`` of every element of ``x`` (any shape). ``factor`` belongs to ``scale``.

    Raises
    ------
    TypeError, ValueError
        for an unknown name, operands of the wrong kind, dtypes that the chip lacks.
    """
    if name not in FUNCTIONS:
        raise ValueError(f"name must be one of {', '.join(FUNCTIONS)}, not {name!r}")
    x = check_operand(device, x, "x", None, None)
    result = _result(device, x, out_dtype, out)
    options = {} if name in ("relu", "scale") else {"fast": result.dtype != np.float32}
    if name == "scale":
        options = {"saturate": result.dtype.itemsize == 1}
        if factor is None:
            raise ValueError("factor must be given for scale, not None")
    elif factor is not None:
        raise ValueError(f"factor must be left out for {name}; scale takes one")
    scalars = {} if factor is None else {"factor": float(factor)}
    return _flat(device, _program(FUNCTIONS[name], **options), {"x": x}, result, scalars)


def combine(
    device: Device,
    name: str,
    x: Operand,
    y: Operand,
    *,
    out_dtype: Any = None,
    out: DeviceBuffer | None = None,
) -> Event:
    """``x + y`` (``add``) or ``x * y`` (``multiply``); ``y`` has the shape of ``x`` or is a vector
    for its last axis.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind or shape, dtypes that the chip lacks.
    """
    x, y = check_operand(device, x, "x", None, None), check_operand(device, y, "y", None, None)
    if y.shape not in (x.shape, x.shape[-1:]):
        raise ValueError(f"y must have shape {x.shape} or {x.shape[-1:]}, not {y.shape}")
    result = _result(device, x, out_dtype, out)
    options = {"saturate": result.dtype.itemsize == 1} if name == "add" else {}
    program = _program(_PAIRS[name], **options)
    if y.shape == x.shape:
        return _flat(device, program, {"x": x, "y": y}, result, {})
    return _rows(device, program, {"x": x, "y": y}, result, {})


def softmax(
    device: Device,
    x: Operand,
    *,
    scale: float | None = None,
    mask: Operand | None = None,
    causal: bool = False,
    out_dtype: Any = None,
    out: DeviceBuffer | None = None,
) -> Event:
    """Softmax of ``x * scale + mask`` along the last axis of ``x`` (..., N), to float32 or
    bfloat16.

    ``mask``: of the shape of ``x`` or (N,); minus infinity shuts a column out. ``causal``: row i of
    each matrix takes columns up to i. A row that is shut out wholly gives NaN.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind or shape, dtypes that the chip lacks.
    """
    x = check_operand(device, x, "x", None, None)
    result = _result(device, x, out_dtype, out)
    if result.dtype not in (np.dtype(np.float32), np.dtype(ml_dtypes.bfloat16)):
        raise TypeError(f"out_dtype must be float32 or bfloat16 for softmax, not {result.dtype}")
    operands: dict[str, Operand] = {"x": x}
    scalars: dict[str, float | int] = {}
    if mask is not None:
        mask = check_operand(device, mask, "mask", None, None)
        if mask.shape not in (x.shape, x.shape[-1:]):
            raise ValueError(f"mask must have shape {x.shape} or {x.shape[-1:]}, not {mask.shape}")
        operands["mask"] = mask
    if scale is not None:
        scalars["scale"] = float(scale)
    if causal:
        scalars["row_offset"] = 0
    lanes = device.config.tile.array_cols
    program = _program(
        vector.softmax,
        lanes,
        scale=scale is not None,
        mask=mask is not None,
        causal=causal,
        one_block=x.shape[-1] <= lanes,
        fast=result.dtype != np.float32,
    )
    if not causal or x.ndim < 3:
        return _rows(device, program, operands, result, scalars, "row_offset" if causal else None)
    # rows count from the top of each matrix
    _check_apart(result, operands)
    placed = {name: on_device(device, value) for name, value in operands.items()}
    matrices = int(np.prod(x.shape[:-2]))
    for number in range(matrices):
        parts = {
            name: value if value.ndim == 1 else value.reshape(matrices, *x.shape[-2:])[number]
            for name, value in placed.items()
        }
        target = result.reshape(matrices, *x.shape[-2:])[number]
        event = _rows(device, program, parts, target, scalars, "row_offset")
    event.result = result
    return event


def layer_norm(
    device: Device,
    x: Operand,
    gamma: Operand,
    beta: Operand,
    *,
    epsilon: float = 1e-5,
    out_dtype: Any = None,
    out: DeviceBuffer | None = None,
) -> Event:
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` along the last axis.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind or shape, dtypes that the chip lacks.
    """
    x, vectors = _norm_operands(device, x, {"gamma": gamma, "beta": beta})
    result = _result(device, x, out_dtype, out)
    lanes, n = device.config.tile.array_cols, x.shape[-1]
    ragged = n % lanes != 0
    program = _program(vector.layer_norm, lanes, ragged=ragged, fast=result.dtype != np.float32)
    scalars: dict[str, float | int] = {"inverse_n": 1.0 / n, "epsilon": float(epsilon)}
    if ragged:
        scalars["n"] = n
    return _rows(device, program, {"x": x, **vectors}, result, scalars)


def rms_norm(
    device: Device,
    x: Operand,
    gamma: Operand,
    *,
    epsilon: float = 1e-6,
    out_dtype: Any = None,
    out: DeviceBuffer | None = None,
) -> Event:
    """``x / sqrt(mean of squares + epsilon) * gamma`` along the last axis.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind or shape, dtypes that the chip lacks.
    """
    x, vectors = _norm_operands(device, x, {"gamma": gamma})
    result = _result(device, x, out_dtype, out)
    lanes, n = device.config.tile.array_cols, x.shape[-1]
    program = _program(vector.rms_norm, lanes, fast=result.dtype != np.float32)
    scalars = {"inverse_n": 1.0 / n, "epsilon": float(epsilon)}
    return _rows(device, program, {"x": x, **vectors}, result, scalars)


def rotary(
    device: Device,
    x: Operand,
    cos: Operand,
    sin: Operand,
    *,
    out_dtype: Any = None,
    out: DeviceBuffer | None = None,
) -> Event:
    """``x * cos + swap(x) * sin``, swap exchanging columns 2k and 2k + 1 of ``x`` (..., N), N even.

    ``cos`` and ``sin``: of the shape of ``x``; see ``weft.kernels.vector.rotary``.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind or shape, dtypes that the chip lacks.
    """
    x = check_operand(device, x, "x", None, None)
    if x.shape[-1] % 2:
        raise ValueError(f"x must have an even number of columns, not {x.shape[-1]}")
    operands = {"x": x}
    for name, value in (("cos", cos), ("sin", sin)):
        operands[name] = check_operand(device, value, name, None, None)
        check_shape(operands[name], name, x.shape, "that of x")
    result = _result(device, x, out_dtype, out)
    program = _program(vector.rotary, device.config.tile.array_cols)
    return _rows(device, program, operands, result, {})


def _norm_operands(
    device: Device, x: Operand, vectors: Mapping[str, Operand]
) -> tuple[Operand, dict[str, Operand]]:
    x = check_operand(device, x, "x", None, None)
    found = {}
    for name, value in vectors.items():
        found[name] = check_operand(device, value, name, None, 1)
        check_shape(found[name], name, x.shape[-1:], "one for each column of x")
    return x, found


def _result(device: Device, x: Operand, out_dtype: Any, out: DeviceBuffer | None) -> DeviceBuffer:
    """The buffer for results, of the shape of ``x`` and, unless asked otherwise, its dtype."""
    device.require_open()
    if out is not None:
        dtype = out.dtype if out_dtype is None else np.dtype(out_dtype)
        return result_buffer(device, out, x.shape, dtype, "that of x", apart={}, in_place={"x": x})
    try:
        dtype = x.dtype if out_dtype is None else np.dtype(out_dtype)
    except TypeError:
        raise ValueError(f"out_dtype must be a dtype, not {out_dtype!r}") from None
    format_of(device.config, dtype, "out_dtype")
    return device.empty(x.shape, dtype)


def _check_apart(out: DeviceBuffer, operands: Mapping[str, Operand]) -> None:
    """Rows are read before they are written: an operand shares all memory of ``out`` or none."""
    for name, value in operands.items():
        check_apart(out, value, name, in_place=True)


def _rows(
    device: Device,
    program: Program,
    operands: Mapping[str, Operand],
    out: DeviceBuffer,
    scalars: Mapping[str, float | int],
    row_scalar: str | None = None,
) -> Event:
    """Along the last axis."""
    n = out.shape[-1]
    return run_rows(
        device, program, operands, out, m=out.size // n, n=n, scalars=scalars,
        row_scalar=row_scalar,
    )  # fmt: skip


def _flat(
    device: Device,
    program: Program,
    operands: Mapping[str, Operand],
    out: DeviceBuffer,
    scalars: Mapping[str, float | int],
) -> Event:
    """Element by element: rows as long as suits the chip, then what is left over."""
    whole = out.size // _FLAT_COLUMNS
    _check_apart(out, operands)
    packed = any(value.dtype == ml_dtypes.int4 for value in (*operands.values(), out))
    if packed:
        return _rows(device, program, operands, out, scalars)
    placed = {name: on_device(device, value).reshape(-1) for name, value in operands.items()}
    target, size = out.reshape(-1), whole * _FLAT_COLUMNS
    spans = [(0, size, whole, _FLAT_COLUMNS)] if whole else []
    if size < out.size:
        spans.append((size, out.size, 1, out.size - size))
    for start, end, m, n in spans:
        parts = {name: value[start:end] for name, value in placed.items()}
        event = run_rows(device, program, parts, target[start:end], m=m, n=n, scalars=scalars)
    event.result = out
    return event
