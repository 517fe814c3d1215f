"""Microinstructions as 64-bit words and as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from amaranth.lib import data
from weft_hw.vector.microcode import Fill, Instruction, Op, Source

from .errors import MicrocodeError

__all__ = ["Word", "decode", "encode", "instruction_text", "listing"]

_FIELDS = {name: (field.offset, field.width) for name, field in data.Layout.cast(Instruction)}

#: Operations with a result register and a register ``a``, with a result only, with ``a`` only.
_D_A_B = frozenset(
    (
        *(Op.ADD, Op.SUBTRACT, Op.MULTIPLY, Op.MINIMUM, Op.MAXIMUM, Op.SELECT),
        *(Op.INT_ADD, Op.INT_SUBTRACT, Op.INT_MINIMUM, Op.INT_MAXIMUM, Op.AND, Op.OR, Op.XOR),
        *(Op.SHIFT_LEFT, Op.SHIFT_RIGHT, Op.SHIFT_ARITHMETIC),
    )
)
_D_B = frozenset((Op.MOVE, Op.TO_INT, Op.TO_FLOAT, Op.LOOKUP))
_A_B = frozenset((Op.LESS, Op.LESS_EQUAL, Op.EQUAL, Op.INT_LESS))
_WHOLE = frozenset(
    (
        *(Op.INT_ADD, Op.INT_SUBTRACT, Op.INT_MINIMUM, Op.INT_MAXIMUM, Op.INT_LESS, Op.TO_FLOAT),
        *(Op.AND, Op.OR, Op.XOR, Op.SHIFT_LEFT, Op.SHIFT_RIGHT, Op.SHIFT_ARITHMETIC, Op.LOOKUP),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Fields of ``weft_hw.vector.microcode.Instruction``."""

    op: Op
    d: int = 0
    a: int = 0
    b: int = 0
    source: Source = Source.REGISTER
    permute_bit: int = 0
    stream: int = 0
    fill: Fill = Fill.ZERO
    integer: int = 0
    saturate: int = 0
    immediate: int = 0


def encode(words: Iterable[Word]) -> np.ndarray:
    """(count,) of uint64.

    Raises
    ------
    MicrocodeError
        if a field has a value that does not fit it.
    """
    encoded = []
    for word in words:
        total = 0
        for field in fields(Word):
            value = getattr(word, field.name)
            value = value if isinstance(value, int) else value.value
            offset, width = _FIELDS[field.name]
            if not 0 <= value < 1 << width:
                raise MicrocodeError(
                    f"{field.name} must be between 0 and {(1 << width) - 1}, not {value}"
                )
            total |= value << offset
        encoded.append(total)
    return np.array(encoded, np.uint64)


def decode(words: np.ndarray) -> list[Word]:
    """The instructions in (count,) of uint64.

    Raises
    ------
    MicrocodeError
        for a word that names no operation.
    """
    decoded = []
    for number, total in enumerate(int(word) for word in words):
        values = {
            field.name: total >> _FIELDS[field.name][0] & (1 << _FIELDS[field.name][1]) - 1
            for field in fields(Word)
        }
        try:
            op = Op(values.pop("op"))
        except ValueError:
            raise MicrocodeError(
                f"entry {number} must hold an instruction, not 0x{total:016x}"
            ) from None
        source, fill = Source(values.pop("source")), Fill(values.pop("fill"))
        decoded.append(Word(op=op, source=source, fill=fill, **values))
    return decoded


def _constant(bits: int, whole: bool) -> str:
    """An immediate as the operation reads it."""
    value = float(np.uint32(bits).view(np.float32))
    if bits == 0:
        return "0"
    if whole or not 1e-30 < abs(value) < 1e30:
        return f"0x{bits:x}"
    return f"{value:.9g}"


def _operand(word: Word) -> str:
    if word.source is Source.REGISTER:
        return f"r{word.b}"
    if word.source is Source.PERMUTED:
        return f"r{word.b}^{1 << word.permute_bit}"
    if word.source is Source.SCALAR:
        return f"scalar{word.b & 3}"
    return _constant(word.immediate, word.op in _WHOLE)


def instruction_text(word: Word) -> str:
    """One line, such as ``multiply r1, r2, 0.5``."""
    name = word.op.name.lower()
    modes = ".int" * word.integer + ".sat" * word.saturate
    if word.op is Op.LOAD:
        fill = "" if word.fill is Fill.ZERO else f", fill {word.fill.name.lower()}"
        return f"{name}{modes} r{word.d}, stream{word.stream}{fill}"
    if word.op is Op.STORE:
        return f"{name}{modes} stream{word.stream}, r{word.a}"
    if word.op is Op.LOOKUP:
        return f"{name} r{word.d}, table {word.immediate} + r{word.b}"
    if word.op in (Op.ROW, Op.COLUMN):
        return f"{name} r{word.d}"
    operands = []
    if word.op in _D_A_B | _D_B:
        operands.append(f"r{word.d}")
    if word.op in _D_A_B | _A_B:
        operands.append(f"r{word.a}")
    if word.op in _D_A_B | _D_B | _A_B:
        operands.append(_operand(word))
    return f"{name} {', '.join(operands)}".rstrip()


def listing(words: np.ndarray, first_entry: int = 0) -> str:
    """One line for each instruction in (count,) of uint64, with its entry in the store from
    ``first_entry`` on; loops are indented.
    """
    lines, indent = [], ""
    for number, word in enumerate(decode(words), first_entry):
        if word.op is Op.NEXT:
            indent = ""
        lines.append(f"{number:4d}  {indent}{instruction_text(word)}")
        if word.op is Op.LOOP:
            indent = "  "
    return "\n".join(lines)
