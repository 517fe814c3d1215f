"""MX quantisation (OCP Microscaling 1.0): fp8 elements, a power of two for every 32 of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .buffer import DeviceBuffer
    from .device import Device

__all__ = ["GROUP", "MxArray", "mx"]

#: Elements with one scale.
GROUP = 32
#: dtype -> exponent of the largest power of two that it holds, largest finite value.
_LARGEST = {
    np.dtype(ml_dtypes.float8_e4m3fn): (8, 448.0),
    np.dtype(ml_dtypes.float8_e5m2): (15, 57344.0),
}
_BIAS = 127


@dataclass(frozen=True, slots=True)
class MxArray:
    """A matrix of fp8 with block scales, on the host or on a device.

    ``elements``: (rows, columns) of float8_e4m3fn or float8_e5m2. ``axis``: along which groups of
    32 share a scale (1 for a left operand of a product, 0 for a right one). ``scales``: uint8,
    (ceil(length along axis / 32), length of the other axis); an element's value is ``element *
    2**(scale - 127)``, with scale 255 NaN.

    Raises
    ------
    TypeError, ValueError
        if dtypes or shapes are others.
    """

    elements: np.ndarray | DeviceBuffer
    scales: np.ndarray | DeviceBuffer
    axis: int

    def __post_init__(self) -> None:
        if self.elements.dtype not in _LARGEST:
            names = ", ".join(str(dtype) for dtype in _LARGEST)
            raise TypeError(f"elements must have dtype {names}, not {self.elements.dtype}")
        if self.scales.dtype != np.uint8:
            raise TypeError(f"scales must have dtype uint8, not {self.scales.dtype}")
        if self.axis not in (0, 1) or self.elements.ndim != 2:
            raise ValueError(
                f"elements must have 2 dimensions and axis be 0 or 1, not {self.elements.shape} "
                f"and {self.axis}"
            )
        wanted = (-(-self.shape[self.axis] // GROUP), self.shape[1 - self.axis])
        if self.scales.shape != wanted:
            raise ValueError(
                f"scales must have shape {wanted}, one for {GROUP} elements along axis "
                f"{self.axis} of {self.shape}, not {self.scales.shape}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.elements.shape

    @property
    def dtype(self) -> np.dtype:
        """Of the elements."""
        return self.elements.dtype

    def to(self, device: Device) -> MxArray:
        """A copy on a device."""
        elements, scales = np.asarray(self.elements), np.asarray(self.scales)
        return MxArray(device.array(elements), device.array(scales), self.axis)

    def expanded_scales(self) -> np.ndarray:
        """The scale of every element, uint8 of the elements' shape."""
        scales = np.repeat(np.asarray(self.scales), GROUP, axis=0)[: self.shape[self.axis]]
        return scales if self.axis == 0 else scales.T

    def numpy(self) -> np.ndarray:
        """The values, float32."""
        exponents = self.expanded_scales().astype(np.int32) - _BIAS
        values = np.ldexp(np.asarray(self.elements).astype(np.float64), exponents)
        return np.where(exponents == 255 - _BIAS, np.nan, values).astype(np.float32)


def mx(
    values: np.ndarray, dtype: npt.DTypeLike = ml_dtypes.float8_e4m3fn, *, axis: int = 1
) -> MxArray:
    """A matrix of floats in MX: 32 at a time along ``axis`` share the scale ``2**(floor(log2(
    largest)) - e)``, ``e`` the largest exponent of ``dtype``; elements are rounded to nearest even,
    and saturate.

    >>> q = mx(np.array([[3.0, 0.5]], np.float32))
    >>> q.numpy().tolist(), q.scales.tolist()
    ([[3.0, 0.5]], [[120]])

    Raises
    ------
    TypeError, ValueError
        if ``values`` is not a matrix of finite floats, or ``dtype`` no fp8.
    """
    element = np.dtype(dtype)
    if element not in _LARGEST:
        raise TypeError(
            f"dtype must be float8_e4m3fn or float8_e5m2, whose elements MX scales, not {element}"
        )
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.size == 0:
        raise TypeError(f"values must be a non-empty matrix of floats, not {values!r}")
    if axis not in (0, 1):
        raise ValueError(f"axis must be 0 or 1, not {axis}")
    real = values.astype(np.float64)
    if not np.isfinite(real).all():
        raise ValueError("values must be finite, not NaN or infinite")
    exponent, limit = _LARGEST[element]
    along = real if axis == 0 else real.T
    padded = np.zeros((-(-along.shape[0] // GROUP) * GROUP, along.shape[1]))
    padded[: along.shape[0]] = along
    largest = np.abs(padded.reshape(-1, GROUP, along.shape[1])).max(axis=1)
    power = np.frexp(largest)[1] - 1 - exponent
    # a group of zeros has any scale
    power = np.clip(np.where(largest > 0, power, 0), -_BIAS, _BIAS)
    scaled = along / np.repeat(np.exp2(power), GROUP, axis=0)[: along.shape[0]]
    elements = np.clip(scaled, -limit, limit).astype(np.float32).astype(element)
    elements = np.ascontiguousarray(elements if axis == 0 else elements.T)
    return MxArray(elements, (power + _BIAS).astype(np.uint8), axis)
