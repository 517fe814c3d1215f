"""Max and average pooling: each input stream is one tap of the window.

With channels along columns, a window of k along x is k streams whose rows are ``stride`` pixels
apart and which begin one pixel after the other; along y likewise, with an image row as the matrix
row. A command has room for three taps; a wider window goes on with ``accumulate``.
"""

from __future__ import annotations

from ...microcode import Assembler, Program, Value

__all__ = ["average_pool", "max_pool"]

_MOST_TAPS = 3


def _taps(asm: Assembler, taps: int) -> list:
    if not 1 <= taps <= _MOST_TAPS:
        raise ValueError(f"taps must be between 1 and {_MOST_TAPS} in a command, not {taps}")
    return [asm.source(f"x{number}") for number in range(taps)]


def max_pool(taps: int, *, accumulate: bool = False) -> Program:
    """``out = max(x0, x1, ...)``, with ``accumulate`` also ``out`` itself; exact in any format.

    ``2 taps`` cycles a vector row, 2 more with ``accumulate``.

    Raises
    ------
    ValueError
        for more than 3 taps.
    """
    asm = Assembler("max_pool")
    streams, out = _taps(asm, taps), asm.target("out")
    with asm.loop():
        total: Value = asm.load(out if accumulate else streams.pop(0))
        for stream in streams:
            total = asm.maximum(total, asm.load(stream))
        asm.store(out, total)
    return asm.build()


def average_pool(taps: int, *, accumulate: bool = False) -> Program:
    """``out = (x0 + x1 + ...) * factor``, with ``accumulate`` ``(out + x0 + ...) * factor``;
    ``factor``, one over the window's size or 1, is a scalar.

    ``2 taps + 1`` cycles a vector row, 2 more with ``accumulate``.

    Raises
    ------
    ValueError
        for more than 3 taps.
    """
    asm = Assembler("average_pool")
    streams, out = _taps(asm, taps), asm.target("out")
    factor = asm.scalar("factor")
    with asm.loop():
        total: Value = asm.load(out if accumulate else streams.pop(0))
        for stream in streams:
            total = total + asm.load(stream)
        asm.store(out, total * factor)
    return asm.build()
