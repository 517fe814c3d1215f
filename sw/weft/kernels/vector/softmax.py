"""Softmax along rows."""

from __future__ import annotations

from weft_hw.vector.microcode import Fill, Op

from ...microcode import Assembler, Program, Value
from .exponential import exp2_below, exp_below
from .reciprocal import reciprocal_near, reciprocal_of_sum
from .sums import across_compensated, add_compensated

__all__ = ["softmax"]

_LOG2_E = 1.4426950408889634


def softmax(
    lanes: int,
    *,
    scale: bool = False,
    mask: bool = False,
    causal: bool = False,
    one_block: bool = False,
    fast: bool = False,
) -> Program:
    """``out = exp(z - max z) / sum exp(z - max z)`` with ``z = x * scale + mask``.

    Streams ``x``, ``mask`` and ``out``; ``out`` is bf16 or fp32, holds exponentials meanwhile, and
    may be the rows of ``x``. A row whose z are all minus infinity gives NaN.

    Cycles a vector row, of three passes: 43 (22 ``fast``), 2 more for a scale, 4 for a mask, 6 for
    ``causal``. Worst error at most 3 ULP of fp32, 3.5 in one block; ``fast`` 1.5 ULP of bf16 (two
    roundings), 0.55 in one block.

    Parameters
    ----------
    lanes : int
        C of the tile.
    scale : bool
        scalar ``scale``.
    mask : bool
        stream ``mask``, added; -inf shuts a column out.
    causal : bool
        row i takes columns up to ``i + row_offset``, a scalar (int32).
    one_block : bool
        N is at most C: everything stays in registers.
    fast : bool
        for bf16 results.
    """
    asm = Assembler("softmax", lanes=lanes)
    x = asm.source("x")
    mask_stream = asm.source("mask") if mask else None
    out = asm.target("out")
    factor = asm.scalar("scale") if scale else None
    last = asm.int_add(asm.row(), asm.scalar("row_offset")) if causal else None

    def logits() -> Value:
        z = asm.load(x, fill=Fill.MINUS_INFINITY)
        if factor is not None:
            z = z * factor
        if mask_stream is not None:
            z = z + asm.load(mask_stream)
        if last is not None:
            z = asm.select(asm.int_less(last, asm.column()), float("-inf"), z)
        return z

    if one_block:
        z = logits()
        e = _exponential(asm, z, asm.across(Op.MAXIMUM, z), fast)
        total = asm.across(Op.ADD, e)
        asm.store(out, e * reciprocal_near(asm, total, fast=fast))
        return asm.build()

    largest = asm.constant(float("-inf"))
    with asm.loop():
        asm.set(largest, asm.maximum(largest, logits()))
    largest = asm.across(Op.MAXIMUM, largest)
    total = asm.constant(0.0)
    lost = None if fast else asm.constant(0.0)
    with asm.loop():
        e = _exponential(asm, logits(), largest, fast)
        asm.store(out, e)
        if lost is None:
            asm.set(total, total + e)
        else:
            add_compensated(asm, total, lost, e)
    if lost is None:
        factor_out = reciprocal_near(asm, asm.across(Op.ADD, total), fast=True)
    else:
        total, lost = across_compensated(asm, total, lost, lanes)
        factor_out = reciprocal_of_sum(asm, total, 0.0 - lost)
    with asm.loop():
        asm.store(out, asm.load(out) * factor_out)
    return asm.build()


def _exponential(asm: Assembler, z: Value, largest: Value, fast: bool) -> Value:
    """``exp(z - largest)``; what is below 2**-126 is 0."""
    if fast:
        return exp2_below(asm, asm.maximum((z - largest) * _LOG2_E, -127.0))
    difference = z - largest
    # what the subtraction rounded off; not a number where z is minus infinity
    back = difference - z
    lost = (z - (difference - back)) - (largest + back)
    lost = asm.select(asm.less(difference, -88.0), 0.0, lost)
    return exp_below(asm, asm.maximum(difference, -88.0), correction=lost)
