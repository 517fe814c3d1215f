"""Programs that map each element of a matrix."""

from __future__ import annotations

from collections.abc import Callable

from ...microcode import Assembler, Program, Value

__all__ = ["Function", "elementwise", "horner"]

#: A function of a value, written into a program.
Function = Callable[[Assembler, Value], Value]


def elementwise(name: str, function: Function, *, saturate: bool = False) -> Program:
    """``out = function(x)``; streams ``x`` and ``out``, of any format, may be the same rows."""
    asm = Assembler(name)
    x, out = asm.source("x"), asm.target("out")
    with asm.loop():
        asm.store(out, function(asm, asm.load(x)), saturate=saturate)
    return asm.build()


def horner(x: Value, coefficients: tuple[float, ...]) -> Value:
    """``c[0] + c[1] x + c[2] x**2 + ...``, two instructions a degree."""
    *rest, top = coefficients
    total: Value | float = top
    for coefficient in reversed(rest):
        total = total * x + coefficient
    assert isinstance(total, Value)
    return total
