"""A finished microprogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from weft_hw.vector.microcode import STRIP, Op

from .words import decode, listing

__all__ = ["Program"]


@dataclass(frozen=True, eq=False)
class Program:
    """What ``Assembler.build`` gives: instructions, and the names of what a command must supply.

    Attributes
    ----------
    name : str
    words : (count,) ndarray of uint64
    streams : tuple of str
        in the order of ``RunCommand.streams``; ``written`` names those that are stored to.
    scalars : tuple of str
        in the order of ``RunCommand.scalars``.
    registers : int
        vector registers that it uses.
    lanes : int or None
        C for which it was made; None if it runs on any.
    """

    name: str
    words: np.ndarray
    streams: tuple[str, ...]
    written: frozenset[str]
    scalars: tuple[str, ...]
    registers: int
    lanes: int | None = None

    def __len__(self) -> int:
        """Entries of the store that it takes."""
        return len(self.words)

    def to_bytes(self) -> bytes:
        """8 bytes an instruction, as a PROGRAM command reads them from the scratchpad."""
        return self.words.astype("<u8").tobytes()

    def listing(self) -> str:
        """The instructions, after a heading with what the numbers of streams and scalars mean."""
        names = [
            *(f"stream{number} = {name}" for number, name in enumerate(self.streams)),
            *(f"scalar{number} = {name}" for number, name in enumerate(self.scalars)),
        ]
        head = f"{self.name}: {len(self)} instructions, {self.registers} registers"
        return "\n".join([head, *(f"  {name}" for name in names), listing(self.words)])

    @property
    def once(self) -> int:
        """Instructions that run once a strip, END not counted."""
        return (
            len(self)
            - 1
            - self.per_block
            - 2 * sum(word.op is Op.LOOP for word in decode(self.words))
        )

    @property
    def per_block(self) -> int:
        """Instructions that run for each column block: cycles per vector row, in full strips."""
        inside, count = False, 0
        for word in decode(self.words):
            inside = (inside or word.op is Op.LOOP) and word.op is not Op.NEXT
            count += inside and word.op is not Op.LOOP
        return count

    def row_cycles(self, m: int, n: int, lanes: int) -> int:
        """Cycles that an M x N matrix takes at a row a cycle: a lower bound for the engine, which
        adds some for each instruction of a strip that is not full and for each command.
        """
        blocks = -(-n // lanes)
        strips = -(-m // STRIP)
        return STRIP * strips * (self.once + blocks * self.per_block)
