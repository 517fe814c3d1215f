"""Softmax, norms and rotary embedding along the rows of device buffers, by microprograms.

Every function submits its commands and returns an event; arithmetic is fp32 whatever the dtypes of
operands and results, in the forms "for bf16" of ``weft.kernels.vector`` unless results are float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from . import vector
from .operands import Operand, check_operand, check_shape, on_device
from .row_call import along_rows, check_rows_apart, program_of, result_like

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event
    from ..microcode import Program

__all__ = ["layer_norm", "rms_norm", "rotary", "softmax"]


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
    result = result_like(device, x, out_dtype, out)
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
    program = program_of(
        vector.softmax,
        lanes,
        scale=scale is not None,
        mask=mask is not None,
        causal=causal,
        one_block=x.shape[-1] <= lanes,
        fast=result.dtype != np.float32,
    )
    if not causal or x.ndim < 3:
        return along_rows(
            device, program, operands, result, scalars, "row_offset" if causal else None
        )
    # rows count from the top of each matrix
    check_rows_apart(result, operands)
    placed = {name: on_device(device, value) for name, value in operands.items()}
    matrices = int(np.prod(x.shape[:-2]))
    for number in range(matrices):
        parts = {
            name: value if value.ndim == 1 else value.reshape(matrices, *x.shape[-2:])[number]
            for name, value in placed.items()
        }
        target = result.reshape(matrices, *x.shape[-2:])[number]
        event = along_rows(device, program, parts, target, scalars, "row_offset")
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
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` along the last axis; raises what
    ``softmax`` does.
    """

    def program(lanes: int, n: int, fast: bool) -> Program:
        return program_of(vector.layer_norm, lanes, ragged=n % lanes != 0, fast=fast)

    return _norm(device, program, x, {"gamma": gamma, "beta": beta}, epsilon, out_dtype, out)


def rms_norm(
    device: Device,
    x: Operand,
    gamma: Operand,
    *,
    epsilon: float = 1e-6,
    out_dtype: Any = None,
    out: DeviceBuffer | None = None,
) -> Event:
    """``x / sqrt(mean of squares + epsilon) * gamma`` along the last axis; raises what ``softmax``
    does.
    """

    def program(lanes: int, n: int, fast: bool) -> Program:
        return program_of(vector.rms_norm, lanes, fast=fast)

    return _norm(device, program, x, {"gamma": gamma}, epsilon, out_dtype, out)


def _norm(
    device: Device,
    program_for: Callable[[int, int, bool], Program],
    x: Operand,
    vectors: Mapping[str, Operand],
    epsilon: float,
    out_dtype: Any,
    out: DeviceBuffer | None,
) -> Event:
    """A norm; ``program_for``: its program by lanes, columns and whether results are narrower than
    fp32.
    """
    x = check_operand(device, x, "x", None, None)
    operands: dict[str, Operand] = {"x": x}
    for name, value in vectors.items():
        operands[name] = check_operand(device, value, name, None, 1)
        check_shape(operands[name], name, x.shape[-1:], "one for each column of x")
    result = result_like(device, x, out_dtype, out)
    n = x.shape[-1]
    program = program_for(device.config.tile.array_cols, n, result.dtype != np.float32)
    known = {"inverse_n": 1.0 / n, "epsilon": float(epsilon), "n": n}
    scalars = {name: known[name] for name in program.scalars}
    return along_rows(device, program, operands, result, scalars)


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

    """
    x = check_operand(device, x, "x", None, None)
    if x.shape[-1] % 2:
        raise ValueError(f"x must have an even number of columns, not {x.shape[-1]}")
    operands = {"x": x}
    for name, value in (("cos", cos), ("sin", sin)):
        operands[name] = check_operand(device, value, name, None, None)
        check_shape(operands[name], name, x.shape, "that of x")
    result = result_like(device, x, out_dtype, out)
    program = program_of(vector.rotary, device.config.tile.array_cols)
    return along_rows(device, program, operands, result, {})
