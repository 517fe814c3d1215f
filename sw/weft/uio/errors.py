"""What can go wrong at a memory-mapped chip, and at opening its windows."""

from __future__ import annotations

import os

__all__ = ["UioError", "open_window"]


class UioError(RuntimeError):
    """The chip does not answer, or not as it should."""


def open_window(path: str, flags: int, *, missing: str) -> int:
    """Opens a device or a file.

    Raises
    ------
    FileNotFoundError, PermissionError
        in one sentence, with what to do (``missing`` for the first).
    """
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist; {missing}") from None
    except PermissionError:
        raise PermissionError(
            f"{path} may not be read and written by this user; run as root, or give the device to "
            "a group of the user (a udev rule)"
        ) from None
