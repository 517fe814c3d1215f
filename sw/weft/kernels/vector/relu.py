"""Rectified linear unit."""

from __future__ import annotations

from ...microcode import Assembler, Program, Value
from .elementwise import elementwise

__all__ = ["relu", "relu_value"]


def relu_value(asm: Assembler, x: Value, *, fast: bool = False) -> Value:
    """``max(x, 0)``: 1 instruction, exact; NaN stays NaN. ``fast`` makes no difference."""
    return asm.maximum(x, 0.0)


def relu() -> Program:
    """``out = max(x, 0)``, exact. 3 cycles a vector row."""
    return elementwise("relu", relu_value)
