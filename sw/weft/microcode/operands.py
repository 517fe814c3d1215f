"""What instructions work on: values, numbers, scalars, streams, the mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .errors import MicrocodeError

if TYPE_CHECKING:
    from .operations import Operations

__all__ = ["Mask", "Operand", "Scalar", "StreamName", "Value", "bits_of"]


@dataclass(eq=False, slots=True)
class Value:
    """What an operation gave; a register will hold it as long as it is needed."""

    program: Operations
    number: int

    def __add__(self, other: Operand) -> Value:
        return self.program.add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Value:
        return self.program.subtract(self, other)

    def __rsub__(self, other: Operand) -> Value:
        return self.program.subtract(other, self)

    def __mul__(self, other: Operand) -> Value:
        return self.program.multiply(self, other)

    __rmul__ = __mul__


@dataclass(frozen=True, eq=False, slots=True)
class Scalar:
    """A number that comes with the command."""

    program: Operations
    name: str
    number: int


@dataclass(frozen=True, eq=False, slots=True)
class StreamName:
    """A matrix that comes with the command."""

    program: Operations
    name: str
    number: int
    written: bool


@dataclass(frozen=True, eq=False, slots=True)
class Mask:
    """What a comparison found, until the next one."""

    program: Operations


Operand: TypeAlias = Value | Scalar | float | int


def bits_of(number: object, *, whole: bool) -> int:
    """An immediate: bits of int32 (or of a uint32) with ``whole``, else of fp32.

    Raises
    ------
    MicrocodeError
        for another kind of operand, a fraction where an integer is wanted, or one that does not
        fit 32 bits.
    """
    if isinstance(number, bool) or not isinstance(number, int | float | np.integer | np.floating):
        raise MicrocodeError(f"an operand must be a value, a scalar or a number, not {number!r}")
    if not whole:
        with np.errstate(over="ignore"):
            return int(np.float32(number).view(np.uint32))
    if not isinstance(number, int | np.integer):
        raise MicrocodeError(f"an operand of an integer operation must be whole, not {number}")
    if not -(2**31) <= number < 2**32:
        raise MicrocodeError(f"an immediate must fit 32 bits, not {number}")
    return int(number) & 0xFFFFFFFF
