"""Microinstructions decoded, and a microprogram's shape: what runs once a strip, what in a loop.

Control flow is static, so a program is a list of segments that ends in END or in an error.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from amaranth.lib import data
from weft_hw.isa import Status
from weft_hw.vector.microcode import Instruction, Op, Source

__all__ = ["Decoded", "Program", "Segment", "decode", "follow"]

_LAYOUT = data.Layout.cast(Instruction)
_FIELDS = {
    name: (field.offset, (1 << field.width) - 1)
    for name, field in _LAYOUT
    if name not in ("reserved",)
}
_CODES = {op.value: op for op in Op}

#: Operations without a result register.
NO_RESULT = frozenset(
    (Op.END, Op.LOOP, Op.NEXT, Op.STORE, Op.LESS, Op.LESS_EQUAL, Op.EQUAL, Op.INT_LESS)
)
#: Operations that read register ``a``.
READS_A = frozenset(
    (
        *(Op.STORE, Op.ADD, Op.SUBTRACT, Op.MULTIPLY, Op.MINIMUM, Op.MAXIMUM, Op.SELECT),
        *(Op.LESS, Op.LESS_EQUAL, Op.EQUAL, Op.INT_LESS, Op.INT_ADD, Op.INT_SUBTRACT),
        *(Op.INT_MINIMUM, Op.INT_MAXIMUM, Op.AND, Op.OR, Op.XOR),
        *(Op.SHIFT_LEFT, Op.SHIFT_RIGHT, Op.SHIFT_ARITHMETIC),
    )
)
#: Operations that read operand ``b``.
READS_B = (READS_A - {Op.STORE}) | {Op.MOVE, Op.TO_INT, Op.TO_FLOAT, Op.LOOKUP}
#: Operations that set the mask.
SETS_MASK = frozenset((Op.LESS, Op.LESS_EQUAL, Op.EQUAL, Op.INT_LESS))


class Decoded(NamedTuple):
    """A microinstruction; ``pc`` is its entry in the store."""

    pc: int
    op: Op
    d: int
    a: int
    b: int
    source: int
    permute_bit: int
    stream: int
    fill: int
    integer: bool
    saturate: bool
    immediate: int

    @property
    def result(self) -> int | None:
        """The register it writes, if any."""
        return None if self.op in NO_RESULT else self.d

    @property
    def sources(self) -> tuple[int, ...]:
        """The registers it reads."""
        found: tuple[int, ...] = (self.a,) if self.op in READS_A else ()
        if self.op in READS_B and self.source in (Source.REGISTER.value, Source.PERMUTED.value):
            found += (self.b,)
        return found


#: The mask's number among registers.
MASK = -1


def carried(steps: Iterable[Decoded]) -> frozenset[int]:
    """Registers (and ``MASK``) that are read before they are written, and written after: they carry
    something from one round to the next.
    """
    early: set[int] = set()
    written: set[int] = set()
    for step in steps:
        reads = (*step.sources, MASK) if step.op is Op.SELECT else step.sources
        early.update(read for read in reads if read not in written)
        if step.result is not None:
            written.add(step.result)
        if step.op in SETS_MASK:
            written.add(MASK)
    return frozenset(early & written)


@dataclass(frozen=True)
class Segment:
    """Instructions that run once, or in a ``loop`` for every column block."""

    loop: bool
    body: tuple[Decoded, ...]

    @cached_property
    def carries(self) -> bool:
        """Whether a register carries something from one round to the next."""
        return bool(carried(self.body))


@dataclass(frozen=True)
class Program:
    """What runs for each strip. ``fault`` is the entry at which it goes wrong, None if it ends;
    ``status`` says how."""

    segments: tuple[Segment, ...]
    fault: int | None = None
    status: Status = Status.OK

    @cached_property
    def carries(self) -> bool:
        """Whether a register carries something from one strip to the next."""
        return bool(carried(step for segment in self.segments for step in segment.body))


def decode(word: int, pc: int) -> Decoded | None:
    """The instruction in a 64-bit word; None if there is no such operation."""
    fields = {name: word >> offset & mask for name, (offset, mask) in _FIELDS.items()}
    op = _CODES.get(fields.pop("op"))
    if op is None:
        return None
    fields["integer"], fields["saturate"] = bool(fields["integer"]), bool(fields["saturate"])
    return Decoded(pc=pc, op=op, **fields)


def follow(store: np.ndarray, start: int, lanes: int, read_only: Collection[int] = ()) -> Program:
    """The program from entry ``start`` on.

    Parameters
    ----------
    store : (entries,) ndarray of uint64
    start : int
    lanes : int
        C; a permutation may exchange lanes within it only.
    read_only : collection of int
        streams that nothing can be stored to: those in the accumulators.
    """
    return _follow(store.tobytes(), start, lanes, frozenset(read_only))


@lru_cache(maxsize=256)
def _follow(store: bytes, start: int, lanes: int, read_only: frozenset[int]) -> Program:
    """The same of a store's bytes: networks run the same few programs over and over."""
    words = np.frombuffer(store, np.uint64)
    segments: list[Segment] = []
    body: list[Decoded] = []
    loop = False
    pc, status = start, Status.ILLEGAL_INSTRUCTION
    while pc < len(words):
        step = decode(int(words[pc]), pc)
        if step is None or not _legal(step, loop, lanes):
            break
        if step.op is Op.STORE and step.stream in read_only:
            status = Status.ILLEGAL_FIELD
            break
        if step.op in (Op.LOOP, Op.NEXT, Op.END):
            segments.append(Segment(loop, tuple(body)))
            body, loop = [], step.op is Op.LOOP
            if step.op is Op.END:
                return Program(tuple(segments))
        else:
            body.append(step)
        pc += 1
    # a loop that goes wrong does so in its first round
    segments.append(Segment(False, tuple(body)))
    return Program(tuple(segments), pc, status)


def _legal(step: Decoded, loop: bool, lanes: int) -> bool:
    if step.op in (Op.LOOP, Op.END):
        return not loop
    if step.op is Op.NEXT:
        return loop
    permuted = step.op in READS_B and step.source == Source.PERMUTED.value
    return not permuted or 1 << step.permute_bit < lanes
