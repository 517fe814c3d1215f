"""What kernels on rows and on elements share: programs made once, buffers for results, the way to
``run_rows``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .formats import format_of
from .operands import Operand, check_apart, result_buffer
from .rows import run_rows

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event
    from ..microcode import Program

__all__ = ["along_rows", "check_rows_apart", "program_of", "result_like"]


@lru_cache(maxsize=256)
def program_of(function: Callable[..., Program], *arguments: Any, **options: Any) -> Program:
    """What ``function`` of ``weft.kernels.vector`` gives for hashable arguments, made once."""
    return function(*arguments, **options)


def result_like(
    device: Device, x: Operand, out_dtype: Any, out: DeviceBuffer | None
) -> DeviceBuffer:
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


def check_rows_apart(out: DeviceBuffer, operands: Mapping[str, Operand]) -> None:
    """Rows are read before they are written: an operand shares all memory of ``out`` or none."""
    for name, value in operands.items():
        check_apart(out, value, name, in_place=True)


def along_rows(
    device: Device,
    program: Program,
    operands: Mapping[str, Operand],
    out: DeviceBuffer,
    scalars: Mapping[str, float | int],
    row_scalar: str | None = None,
) -> Event:
    """Runs ``program`` along the last axis."""
    n = out.shape[-1]
    return run_rows(
        device, program, operands, out, m=out.size // n, n=n, scalars=scalars,
        row_scalar=row_scalar,
    )  # fmt: skip
