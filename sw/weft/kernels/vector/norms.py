"""Layer norm and RMS norm along rows."""

from __future__ import annotations

from weft_hw.vector.microcode import Op

from ...microcode import Assembler, Program
from .rsqrt import rsqrt_near

__all__ = ["layer_norm", "rms_norm"]


def layer_norm(lanes: int, *, ragged: bool = False, fast: bool = False) -> Program:
    """``out = (x - mean) / sqrt(variance + epsilon) * gamma + beta``, mean and variance of the row.

    Streams ``x``, ``gamma``, ``beta`` (row stride 0) and ``out``, which may be the rows of ``x``.
    Scalars ``inverse_n`` (1 / N), ``epsilon`` and, with ``ragged``, ``n`` (int32), for N that is no
    multiple of C. The variance is that of the differences from the mean, in a pass of its own.

    Cycles a vector row, of three passes: 16 (14 ``fast``), 3 more if ``ragged``. Worst error, in
    ULP of the row's largest result, at most 4 of fp32; ``fast`` 0.55 of bf16.

    Parameters
    ----------
    lanes : int
        C of the tile.
    ragged : bool
        N need not be a multiple of C.
    fast : bool
        for bf16 results.
    """
    asm = Assembler("layer_norm", lanes=lanes)
    x, gamma, beta = asm.source("x"), asm.source("gamma"), asm.source("beta")
    out = asm.target("out")
    inverse_n, epsilon = asm.scalar("inverse_n"), asm.scalar("epsilon")
    n = asm.scalar("n") if ragged else None

    total = asm.constant(0.0)
    with asm.loop():
        asm.set(total, total + asm.load(x))
    mean = asm.across(Op.ADD, total) * inverse_n

    squares = asm.constant(0.0)
    # the mean's rounding error is the mean of the differences
    differences = None if fast else asm.constant(0.0)
    with asm.loop():
        difference = asm.load(x) - mean
        if n is not None:
            difference = asm.select(asm.int_less(asm.column(), n), difference, 0.0)
        if differences is not None:
            asm.set(differences, differences + difference)
        asm.set(squares, squares + difference * difference)
    variance = asm.across(Op.ADD, squares) * inverse_n
    rest = None if differences is None else asm.across(Op.ADD, differences) * inverse_n

    factor = rsqrt_near(asm, variance + epsilon, fast=fast)
    with asm.loop():
        difference = asm.load(x) - mean
        if rest is not None:
            difference = difference - rest
        asm.store(out, difference * factor * asm.load(gamma) + asm.load(beta))
    return asm.build()


def rms_norm(lanes: int, *, fast: bool = False) -> Program:
    """``out = x / sqrt(mean of squares + epsilon) * gamma``.

    Streams ``x``, ``gamma`` (row stride 0) and ``out``, which may be the rows of ``x``. Scalars
    ``inverse_n`` (1 / N) and ``epsilon``. Any N. 8 cycles a vector row, of two passes. Worst error
    at most 4 ULP of fp32; ``fast`` 0.55 ULP of bf16.
    """
    asm = Assembler("rms_norm", lanes=lanes)
    x, gamma, out = asm.source("x"), asm.source("gamma"), asm.target("out")
    inverse_n, epsilon = asm.scalar("inverse_n"), asm.scalar("epsilon")
    squares = asm.constant(0.0)
    with asm.loop():
        v = asm.load(x)
        asm.set(squares, squares + v * v)
    factor = rsqrt_near(asm, asm.across(Op.ADD, squares) * inverse_n + epsilon, fast=fast)
    with asm.loop():
        asm.store(out, asm.load(x) * factor * asm.load(gamma))
    return asm.build()
