"""Argument checks shared by the goldens: one clear sentence each."""

import numpy as np

__all__ = ["check_array", "check_int8"]


def check_array(
    name: str, value: object, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> np.ndarray:
    """The argument itself, once it is known to be an ndarray of ``dtype`` and ``shape``.

    Parameters
    ----------
    shape : tuple
        extents; None stands for any.

    Raises
    ------
    TypeError
        if it is no ndarray, or of another dtype.
    ValueError
        if the shape differs.
    """
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a numpy array, not {type(value).__name__}")
    if value.dtype != np.dtype(dtype):
        raise TypeError(f"{name} must have dtype {np.dtype(dtype)}, not {value.dtype}")
    if len(value.shape) != len(shape) or any(
        want is not None and want != got for want, got in zip(shape, value.shape, strict=True)
    ):
        wanted = ", ".join("any" if extent is None else str(extent) for extent in shape)
        raise ValueError(f"{name} must have shape ({wanted}), not {value.shape}")
    return value


def check_int8(name: str, value: object) -> int:
    """The argument as a Python int, once it is known to be an integer that fits int8.

    Raises
    ------
    TypeError, ValueError
        for the wrong kind, or a value outside -128..127.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if not -128 <= int(value) <= 127:
        raise ValueError(f"{name} must be between -128 and 127, not {value}")
    return int(value)
