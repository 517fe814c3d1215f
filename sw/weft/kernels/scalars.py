"""Scalars of microprograms as the 32 bits that a command carries."""

from __future__ import annotations

import numpy as np

__all__ = ["scalar_bits"]


def scalar_bits(value: float | int | np.generic) -> int:
    """A scalar as a program gets it: the bits of an int32 for an integer, else of a float32."""
    if isinstance(value, int | np.integer):
        return int(value) & 0xFFFF_FFFF
    return int(np.float32(value).view(np.uint32))
