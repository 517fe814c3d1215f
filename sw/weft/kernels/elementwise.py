"""Element-wise functions, sums and products of device buffers, by microprograms.

Every function submits its commands and returns an event; arithmetic is fp32 whatever the dtypes of
operands and results, in the forms "for bf16" of ``weft.kernels.vector`` unless results are float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from . import vector
from .operands import Operand, check_operand, on_device
from .row_call import along_rows, check_rows_apart, program_of, result_like
from .rows import run_rows

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event
    from ..microcode import Program

__all__ = ["FUNCTIONS", "combine", "map_elements"]

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
    result = result_like(device, x, out_dtype, out)
    options = {} if name in ("relu", "scale") else {"fast": result.dtype != np.float32}
    if name == "scale":
        options = {"saturate": result.dtype.itemsize == 1}
        if factor is None:
            raise ValueError("factor must be given for scale, not None")
    elif factor is not None:
        raise ValueError(f"factor must be left out for {name}; scale takes one")
    scalars = {} if factor is None else {"factor": float(factor)}
    return _flat(device, program_of(FUNCTIONS[name], **options), {"x": x}, result, scalars)


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
    result = result_like(device, x, out_dtype, out)
    options = {"saturate": result.dtype.itemsize == 1} if name == "add" else {}
    program = program_of(_PAIRS[name], **options)
    if y.shape == x.shape:
        return _flat(device, program, {"x": x, "y": y}, result, {})
    return along_rows(device, program, {"x": x, "y": y}, result, {})


def _flat(
    device: Device,
    program: Program,
    operands: Mapping[str, Operand],
    out: DeviceBuffer,
    scalars: Mapping[str, float | int],
) -> Event:
    """Element by element: rows as long as suits the chip, then what is left over."""
    whole = out.size // _FLAT_COLUMNS
    check_rows_apart(out, operands)
    packed = any(value.dtype == ml_dtypes.int4 for value in (*operands.values(), out))
    if packed:
        return along_rows(device, program, operands, out, scalars)
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
