"""Rotary position embedding."""

from __future__ import annotations

from weft_hw.vector.microcode import Op

from ...microcode import Assembler, Program

__all__ = ["rotary"]


def rotary(lanes: int) -> Program:
    """``out = x * cos + swap(x) * sin``, where swap exchanges columns 2k and 2k + 1.

    Streams ``x``, ``cos``, ``sin`` and ``out``, which may be the rows of ``x``. ``cos`` holds each
    angle's cosine twice, ``sin`` minus its sine in column 2k and its sine in column 2k + 1; their
    row is the position. Where a model rotates column k with column k + D/2, the columns of its
    query and key weights are to be interleaved once, which leaves the scores as they are.

    Parameters
    ----------
    lanes : int
        C of the tile.
    """
    asm = Assembler("rotary", lanes=lanes)
    x, cos, sin, out = asm.source("x"), asm.source("cos"), asm.source("sin"), asm.target("out")
    with asm.loop():
        v = asm.load(x)
        swapped = asm.permuted(Op.MOVE, None, v, 0)
        asm.store(out, v * asm.load(cos) + swapped * asm.load(sin))
    return asm.build()
