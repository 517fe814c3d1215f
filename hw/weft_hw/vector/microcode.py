"""Microinstructions of the vector engine, the one definition of RTL, golden and assembler.

The engine has ``REGISTERS`` vector registers. A register holds a *strip*: up to ``STRIP`` matrix
rows of C lanes of 32 bits (fp32, or int32 where an operation says so). A microinstruction works on
the rows of the strip one after the other, one row a cycle; the next one follows when it may, so a
program reads as if each instruction ended before the next began.

``RunCommand`` runs a program over an M x N matrix: for each strip of rows (i = 0, STRIP, ... below
M) from ``start`` to ``END``. Inside, ``LOOP`` .. ``NEXT`` repeats what is between for each column
block j = 0 .. ceil(N / C) - 1; loops do not nest; outside of one j is 0. ``LOAD`` and ``STORE``
move the vectors (i, j) of a stream; a reduction along rows keeps its sum in a register over a loop,
one over columns does the same with a stream whose strides are exchanged.

Arithmetic is IEEE 754 binary32, round to nearest even; subnormal inputs and results count as zeros
of their sign; every NaN produced is 0x7FC00000. MIN and MAX: of -0 and +0 the one of that order; if
an operand is NaN the result is NaN. Comparisons with NaN are false. MOVE, SELECT, logic, LOAD and
STORE of FP32 and LOAD of BF16 keep every bit. A lane beyond N in the last block holds what it
holds: LOAD fills it with ``fill``, STORE writes zero there.

Accumulators are only loaded from, and only as INT32 or FP32. Registers and mask keep what they hold
from strip to strip and from run to run; at power-on they hold anything. ``processor.processor`` has
the cycles and how a program that goes wrong ends.

Addition across lanes: ``b`` may be taken from lane ``l ^ (1 << permute_bit)``; log2(C) such steps
leave the reduction of all lanes in every lane, in an order that is the same for all of them.
"""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ..enums import enum

__all__ = ["INSTRUCTION_BITS", "REGISTERS", "STRIP", "Fill", "Instruction", "Op", "Source"]

INSTRUCTION_BITS = 64
REGISTERS = 16
STRIP = 8


class Op(enum.Enum, shape=unsigned(6)):
    """``d``, ``a``: registers; ``b``: what ``source`` says."""

    END = 0
    """Of the program for this strip."""
    LOOP = 1
    """Begins the loop over column blocks."""
    NEXT = 2
    """Ends its body."""
    LOAD = 3
    """d = vector (i, j) of ``stream``, converted to fp32 (from INT8, INT4, INT32 and with
    ``integer``: to int32); lanes beyond N = ``fill``. It sees all that was stored before."""
    STORE = 4
    """vector (i, j) of ``stream`` = a, converted from fp32 by rounding to nearest even (with
    ``integer``: from int32, saturated; without it, to an integer format: rounded, saturated, NaN
    to 0); float formats but FP32 overflow to infinity, E4M3 to NaN (0x7F); with ``saturate``, what
    overflows and infinities become the largest number of their sign. BF16 has no subnormals (zero
    of their sign), fp8 has; NaN is 0x7FC0, 0x7F, 0x7E."""
    MOVE = 5
    """d = b"""
    ADD = 6
    SUBTRACT = 7
    """d = a - b"""
    MULTIPLY = 8
    MINIMUM = 9
    MAXIMUM = 10
    LESS = 11
    """mask = a < b (fp32); the mask holds a bit for each lane and row of the strip."""
    LESS_EQUAL = 12
    EQUAL = 13
    SELECT = 14
    """d = a where the mask is set, else b"""
    INT_ADD = 15
    """int32, wraps; so all INT_*"""
    INT_SUBTRACT = 16
    INT_MINIMUM = 17
    INT_MAXIMUM = 18
    INT_LESS = 19
    """mask = a < b (int32)"""
    AND = 20
    OR = 21
    XOR = 22
    SHIFT_LEFT = 23
    """d = a << b[4:0]; so the other shifts"""
    SHIFT_RIGHT = 24
    """Zeros come in."""
    SHIFT_ARITHMETIC = 25
    """The sign comes in."""
    TO_INT = 26
    """d = int32 of fp32 b, rounded to nearest even, saturated; NaN gives 0"""
    TO_FLOAT = 27
    """d = fp32 of int32 b, rounded to nearest even"""
    ROW = 28
    """d = i of each row, int32, in all lanes"""
    COLUMN = 29
    """d = j * C + lane, int32"""
    LOOKUP = 30
    """d = table[b & (entries - 1)] lane by lane; the table is the store, entry ``immediate`` +
    index (modulo entries), its low 32 bits. C + 7 cycles a row."""


class Source(enum.Enum, shape=unsigned(2)):
    """Where operand b comes from."""

    REGISTER = 0
    """Register ``b``."""
    PERMUTED = 1
    """Register ``b``, lane l ^ (1 << permute_bit)."""
    IMMEDIATE = 2
    """``immediate`` in all lanes."""
    SCALAR = 3
    """``RunCommand.scalars[b]`` (b modulo 4) in all lanes."""


class Fill(enum.Enum, shape=unsigned(2)):
    """What LOAD puts into lanes beyond N (as fp32; the same bits with ``integer``)."""

    ZERO = 0
    MINUS_INFINITY = 1
    PLUS_INFINITY = 2
    ONE = 3


class Instruction(data.Struct):
    """A microinstruction, 64 bits. Fields that an operation does not use are zero, and not looked
    at."""

    op: Op
    d: unsigned(4)
    a: unsigned(4)
    b: unsigned(4)
    source: Source
    permute_bit: unsigned(3)
    stream: unsigned(2)
    fill: Fill
    integer: unsigned(1)
    saturate: unsigned(1)
    reserved: unsigned(3)
    immediate: unsigned(32)
