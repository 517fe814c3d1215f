"""The vector engine's microprograms once more, as plainly as possible: an element at a time, in
rational numbers, strip by strip. What ``golden.microprogram`` is tested against.
"""

import numpy as np
from lane_reference import (
    INFINITY,
    add,
    extreme,
    less,
    load_element,
    multiply,
    signed,
    store_element,
    to_float,
    to_int,
)
from weft.microcode import Word
from weft.microcode.words import decode
from weft_hw.config import TileConfig
from weft_hw.formats.table import BITS, Format
from weft_hw.isa import Status
from weft_hw.vector.microcode import STRIP, Fill, Op, Source
from weft_sim.golden.streams import Stream

_FILLS = {
    Fill.ZERO: 0,
    Fill.MINUS_INFINITY: 0xFF800000,
    Fill.PLUS_INFINITY: INFINITY,
    Fill.ONE: 0x3F800000,
}


class ReferenceEngine:
    """Memories, registers and mask of a vector engine."""

    def __init__(self, tile: TileConfig, scratchpad: bytes, accumulator: np.ndarray) -> None:
        self.tile, self.lanes = tile, tile.array_cols
        self.scratchpad = bytearray(scratchpad)
        self.accumulator = accumulator.copy()
        self.registers = [[[0] * self.lanes for _ in range(STRIP)] for _ in range(16)]
        self.mask = [[False] * self.lanes for _ in range(STRIP)]

    def run(
        self,
        store: np.ndarray,
        m: int,
        n: int,
        start: int,
        streams: list[Stream],
        scalars: list[int],
    ) -> tuple[Status, int]:
        self.store, self.streams, self.scalars = store, streams, scalars
        self.n = n
        for first in range(0, m, STRIP):
            fault = self._strip(first, min(STRIP, m - first), start)
            if fault is not None:
                return fault
        return Status.OK, 0

    def _strip(self, first: int, rows: int, pc: int) -> tuple[Status, int] | None:
        blocks = -(-self.n // self.lanes)
        begin, j = None, 0
        while True:
            if pc >= len(self.store) or int(self.store[pc]) & 63 > Op.LOOKUP.value:
                return Status.ILLEGAL_INSTRUCTION, pc
            word = decode(self.store[pc : pc + 1])[0]
            bad = (word.op in (Op.LOOP, Op.END) and begin is not None) or (
                word.op is Op.NEXT and begin is None
            )
            permutes = word.source is Source.PERMUTED and word.op not in (
                *(Op.END, Op.LOOP, Op.NEXT, Op.LOAD, Op.STORE, Op.ROW, Op.COLUMN),
            )
            if bad or (permutes and 1 << word.permute_bit >= self.lanes):
                return Status.ILLEGAL_INSTRUCTION, pc
            if word.op is Op.STORE and self.streams[word.stream].accumulator:
                return Status.ILLEGAL_FIELD, pc
            if word.op is Op.END:
                return None
            if word.op is Op.LOOP:
                begin, j = pc, 0
            elif word.op is Op.NEXT:
                j += 1
                if j < blocks:
                    pc = begin
                else:
                    begin, j = None, 0
            else:
                for row in range(rows):
                    fault = self._row(word, first, row, j)
                    if fault is not None:
                        return fault
            pc += 1

    def _place(self, stream: Stream, i: int, j: int) -> tuple[int, int, int, int]:
        """Unit, bytes of a unit, bytes of a vector, bytes of a row."""
        unit = stream.row + i * stream.row_stride + j * stream.block_stride
        if stream.accumulator:
            return unit, 4 * self.lanes, 4 * self.lanes, 4 * self.lanes
        vector = BITS[Format(stream.code)] * self.lanes // 8
        return unit, min(vector, self.tile.row_bytes), vector, self.tile.row_bytes

    def _row(self, word: Word, first: int, row: int, j: int) -> tuple[Status, int] | None:
        last = j == (self.n - 1) // self.lanes
        inside = self.n - j * self.lanes if last else self.lanes
        if word.op in (Op.LOAD, Op.STORE):
            stream = self.streams[word.stream]
            unit, unit_bytes, vector, row_bytes = self._place(stream, first + row, j)
            memory = self.accumulator.view(np.uint8) if stream.accumulator else self.scratchpad
            memory = memory.reshape(-1) if stream.accumulator else memory
            offset = unit * unit_bytes
            if offset < 0 or offset + vector > len(memory):
                return Status.LOCAL_RANGE, offset // row_bytes & 0xFFFFFFFF
            code = Format(stream.code)
            width = BITS[code]
            if word.op is Op.LOAD:
                bits = int.from_bytes(bytes(memory[offset : offset + vector]), "little")
                for lane in range(self.lanes):
                    raw = bits >> lane * width & (1 << width) - 1
                    loaded = load_element(raw, code, bool(word.integer))
                    self.registers[word.d][row][lane] = (
                        loaded if lane < inside else _FILLS[word.fill]
                    )
            else:
                total = 0
                for lane in range(inside):
                    element = self.registers[word.a][row][lane]
                    stored = store_element(element, code, bool(word.integer), bool(word.saturate))
                    total |= stored << lane * width
                memory[offset : offset + vector] = total.to_bytes(vector, "little")
            return None
        a = list(self.registers[word.a][row])
        b = self._operand(word, row)
        for lane in range(self.lanes):
            self._lane(word, first, row, j, lane, a[lane], b[lane])
        return None

    def _operand(self, word: Word, row: int) -> list[int]:
        if word.source is Source.IMMEDIATE:
            return [word.immediate] * self.lanes
        if word.source is Source.SCALAR:
            return [self.scalars[word.b & 3]] * self.lanes
        held = list(self.registers[word.b][row])
        if word.source is Source.PERMUTED and 1 << word.permute_bit < self.lanes:
            return [held[lane ^ 1 << word.permute_bit] for lane in range(self.lanes)]
        return held

    def _lane(self, word: Word, first: int, row: int, j: int, lane: int, a: int, b: int) -> None:
        op = word.op
        masks = {
            Op.LESS: lambda: less(a, b),
            Op.LESS_EQUAL: lambda: less(a, b, equal=True),
            Op.EQUAL: lambda: less(a, b, equal=True) and less(b, a, equal=True),
            Op.INT_LESS: lambda: signed(a) < signed(b),
        }
        if op in masks:
            self.mask[row][lane] = masks[op]()
            return
        entries = len(self.store)
        results = {
            Op.MOVE: lambda: b,
            Op.ADD: lambda: add(a, b),
            Op.SUBTRACT: lambda: add(a, b ^ 0x80000000),
            Op.MULTIPLY: lambda: multiply(a, b),
            Op.MINIMUM: lambda: extreme(a, b, largest=False),
            Op.MAXIMUM: lambda: extreme(a, b, largest=True),
            Op.SELECT: lambda: a if self.mask[row][lane] else b,
            Op.INT_ADD: lambda: a + b,
            Op.INT_SUBTRACT: lambda: a - b,
            Op.INT_MINIMUM: lambda: min(signed(a), signed(b)),
            Op.INT_MAXIMUM: lambda: max(signed(a), signed(b)),
            Op.AND: lambda: a & b,
            Op.OR: lambda: a | b,
            Op.XOR: lambda: a ^ b,
            Op.SHIFT_LEFT: lambda: a << (b & 31),
            Op.SHIFT_RIGHT: lambda: a >> (b & 31),
            Op.SHIFT_ARITHMETIC: lambda: signed(a) >> (b & 31),
            Op.TO_INT: lambda: to_int(b),
            Op.TO_FLOAT: lambda: to_float(b),
            Op.ROW: lambda: first + row,
            Op.COLUMN: lambda: j * self.lanes + lane,
            Op.LOOKUP: lambda: int(self.store[(word.immediate + (b % entries)) % entries]),
        }
        self.registers[word.d][row][lane] = results[op]() & 0xFFFFFFFF
