"""Validation of what kernels are given, and its way onto the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from ..buffer import DeviceBuffer, check_array

if TYPE_CHECKING:
    from ..device import Device

__all__ = ["LARGEST_DIMENSION", "Operand", "on_device", "small_integer"]

#: Sizes are 16-bit fields of the commands.
LARGEST_DIMENSION = 65_535

Operand: TypeAlias = np.ndarray | DeviceBuffer


@overload
def check_operand(
    device: Device,
    value: np.ndarray,
    what: str,
    dtype: npt.DTypeLike | None,
    dimensions: int | None,
) -> np.ndarray: ...


@overload
def check_operand(
    device: Device, value: object, what: str, dtype: npt.DTypeLike | None, dimensions: int | None
) -> Operand: ...


def check_operand(
    device: Device, value: object, what: str, dtype: npt.DTypeLike | None, dimensions: int | None
) -> Operand:
    """``value`` if it is an array or buffer of that dtype (any, if None) and number of dimensions
    (any, if None), in reach of this device.

    Raises
    ------
    TypeError, ValueError
        naming ``what``, what it must be and what to do.
    """
    if isinstance(value, DeviceBuffer):
        if value.device is not device:
            raise ValueError(
                f"{what} must be a buffer of this device, not of another; copy it with device.array"
            )
        if value.is_freed:
            raise ValueError(f"{what} is a buffer that was freed; allocate a new one")
    else:
        value = check_array(value, what)
    if dtype is not None and value.dtype != np.dtype(dtype):
        raise TypeError(
            f"{what} must have dtype {np.dtype(dtype)}, not {value.dtype}; convert it with astype"
        )
    if dimensions is None:
        return value
    if value.ndim != dimensions:
        raise ValueError(
            f"{what} must have {dimensions} dimension{'s' * (dimensions > 1)}, "
            f"not shape {value.shape}"
        )
    for length in value.shape:
        if length > LARGEST_DIMENSION:
            raise ValueError(
                f"{what} must have dimensions of at most {LARGEST_DIMENSION}, "
                f"not shape {value.shape}; split it"
            )
    return value


def check_shape(value: Operand, what: str, shape: tuple[int, ...], why: str) -> None:
    """Raises ``ValueError`` unless ``value`` has that shape."""
    if value.shape != shape:
        raise ValueError(f"{what} must have shape {shape} ({why}), not {value.shape}")


def check_apart(out: DeviceBuffer, value: Operand, what: str, *, in_place: bool = False) -> None:
    """Whether results may be written to ``out`` while ``what`` is read.

    ``in_place``: every element is read before the one that takes its place is written, so the very
    same bytes will do.

    Raises
    ------
    ValueError
        if they share memory.
    """
    if not isinstance(value, DeviceBuffer):
        return
    if out.address >= value.address + value.nbytes or value.address >= out.address + out.nbytes:
        return
    if in_place and (out.address, out.nbytes) == (value.address, value.nbytes):
        return
    same = f", unless it is all of {what}" if in_place else ""
    raise ValueError(
        f"out must share no memory with {what}, which is still read while results are written"
        f"{same}; leave out out, or give another buffer"
    )


def result_buffer(
    device: Device,
    out: DeviceBuffer | None,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    why: str = "that of the result",
    *,
    apart: Mapping[str, Operand],
    in_place: Mapping[str, Operand] | None = None,
) -> DeviceBuffer:
    """``out``, or a new buffer if it is None, for results of ``shape`` and ``dtype``.

    ``apart``: operands by name, of which it must share no memory; ``in_place``: such as it may
    take the place of.

    Raises
    ------
    TypeError, ValueError
        if ``out`` is another kind of thing, or shares memory with an operand.
    """
    if out is None:
        return device.empty(shape, dtype)
    check_operand(device, out, "out", dtype, len(shape))
    check_shape(out, "out", shape, why)
    for name, value in apart.items():
        check_apart(out, value, name)
    for name, value in (in_place or {}).items():
        check_apart(out, value, name, in_place=True)
    return out


def on_device(device: Device, value: Operand) -> DeviceBuffer:
    """The operand as a buffer: itself, or a copy."""
    return value if isinstance(value, DeviceBuffer) else device.array(value)


def small_integer(value: object, what: str) -> int:
    """``value`` as an int8.

    Raises
    ------
    TypeError, ValueError
        if it is no integer or does not fit.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{what} must be an integer, not {value!r}")
    if not -128 <= value <= 127:
        raise ValueError(f"{what} must be between -128 and 127, not {value}")
    return int(value)


def scale_vector(device: Device, scale: object, columns: int) -> Operand:
    """A scale for each column: one number is repeated.

    Raises
    ------
    TypeError, ValueError
        if it is neither a number nor a float32 vector of ``columns``, or not finite.
    """
    if isinstance(scale, int | float | np.floating | np.integer) and not isinstance(scale, bool):
        scale = np.full(columns, scale, dtype=np.float32)
    found = check_operand(device, scale, "scale", np.float32, 1)
    check_shape(found, "scale", (columns,), "one for each column of b")
    if isinstance(found, np.ndarray) and not np.isfinite(found).all():
        raise ValueError("scale must be finite, not NaN or infinite")
    return found
