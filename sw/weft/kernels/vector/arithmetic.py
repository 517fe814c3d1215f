"""Sums and products of matrices: residual add, bias, scale. All round once, to fp32, and once more
to the format of ``out``.

A vector for all rows (a bias, a scale for each column) is a stream with ``row_stride`` 0.
"""

from __future__ import annotations

from ...microcode import Assembler, Program
from .elementwise import elementwise

__all__ = ["add", "multiply", "multiply_add", "scale"]


def add(*, saturate: bool = False) -> Program:
    """``out = x + y``: residual add, or bias. 4 cycles a vector row."""
    asm = Assembler("add")
    x, y, out = asm.source("x"), asm.source("y"), asm.target("out")
    with asm.loop():
        asm.store(out, asm.load(x) + asm.load(y), saturate=saturate)
    return asm.build()


def multiply() -> Program:
    """``out = x * y``: gates, or a scale for each column. 4 cycles a vector row."""
    asm = Assembler("multiply")
    x, y, out = asm.source("x"), asm.source("y"), asm.target("out")
    with asm.loop():
        asm.store(out, asm.load(x) * asm.load(y))
    return asm.build()


def multiply_add() -> Program:
    """``out = out + x * y``, rounded after the product and after the sum. 6 cycles a vector row."""
    asm = Assembler("multiply_add")
    x, y, out = asm.source("x"), asm.source("y"), asm.target("out")
    with asm.loop():
        asm.store(out, asm.load(x) * asm.load(y) + asm.load(out))
    return asm.build()


def scale(*, saturate: bool = False) -> Program:
    """``out = x * factor``, a scalar; with ``factor`` 1 a conversion between formats. 3 cycles a
    vector row.
    """
    return elementwise("scale", lambda asm, x: x * asm.scalar("factor"), saturate=saturate)
