"""Weft for users: a device, buffers, kernels.

>>> import weft
>>> with weft.Device("model", "nano") as device:  # doctest: +SKIP
...     c = device.matmul(a, b).numpy()

Names are loaded when first used, so that importing ``weft`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "Device": "device",
    "DeviceBuffer": "buffer",
    "DeviceError": "errors",
    "DeviceHang": "errors",
    "DeviceMemoryError": "errors",
    "Event": "event",
    "HangReport": "hang",
    "gemm_report": "gemm",
}

__all__ = [
    "Device",
    "DeviceBuffer",
    "DeviceError",
    "DeviceHang",
    "DeviceMemoryError",
    "Event",
    "HangReport",
    "gemm_report",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'weft' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
