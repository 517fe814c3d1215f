"""The vector engine's microprograms once more, as slowly and plainly as possible: an element at a
time, in rational numbers, strip by strip. What ``golden.microprogram`` is tested against.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from weft.microcode import Word
from weft.microcode.words import decode
from weft_hw.config import TileConfig
from weft_hw.formats.table import BITS, Format
from weft_hw.isa import Status
from weft_hw.vector.microcode import STRIP, Fill, Op, Source
from weft_sim.golden.streams import Stream

NAN, INFINITY = 0x7FC00000, 0x7F800000
_FILLS = {
    Fill.ZERO: 0,
    Fill.MINUS_INFINITY: 0xFF800000,
    Fill.PLUS_INFINITY: INFINITY,
    Fill.ONE: 0x3F800000,
}
#: Exponent bits, fraction bits, whether the largest exponent is for infinities and NaN.
_FLOATS = {
    Format.FP32: (8, 23, True),
    Format.BF16: (8, 7, True),
    Format.FP8E5M2: (5, 2, True),
    Format.FP8E4M3: (4, 3, False),
}
_NANS = {Format.BF16: 0x7FC0, Format.FP8E5M2: 0x7E, Format.FP8E4M3: 0x7F}


def is_nan(bits: int) -> bool:
    return bits & 0x7FFFFFFF > INFINITY


def is_infinite(bits: int) -> bool:
    return bits & 0x7FFFFFFF == INFINITY


def flushed(bits: int) -> int:
    return bits if bits & INFINITY else bits & 0x80000000


def value(bits: int) -> Fraction:
    """Of finite fp32 bits, subnormals as they are."""
    exponent, fraction = bits >> 23 & 255, bits & 0x7FFFFF
    if exponent:
        fraction += 1 << 23
    size = Fraction(fraction) * Fraction(2) ** (max(exponent, 1) - 150)
    return -size if bits >> 31 else size


def magnitude(number: Fraction) -> int:
    """The e of ``2**e <= abs(number) < 2**(e + 1)``."""
    exponent = number.numerator.bit_length() - number.denominator.bit_length()
    return exponent - (abs(number) < Fraction(2) ** exponent)


def round_to(number: Fraction, digits: int, lowest: int | None = None) -> Fraction:
    """To ``digits`` binary digits, ties to even; not finer than 2**lowest."""
    if number == 0:
        return number
    exponent = magnitude(number) + 1 - digits
    if lowest is not None:
        exponent = max(exponent, lowest)
    unit = Fraction(2) ** exponent
    return round(number / unit) * unit


def fp32(number: Fraction, sign: int) -> int:
    """Bits of a number; ``sign`` is that of a zero."""
    number = round_to(number, 24)
    if number:
        sign = number < 0
    if abs(number) < Fraction(2) ** -126:
        return int(sign) << 31
    if abs(number) >= Fraction(2) ** 128:
        return int(sign) << 31 | INFINITY
    return int(np.float32(float(number)).view(np.uint32))


def add(a: int, b: int) -> int:
    a, b = flushed(a), flushed(b)
    if is_nan(a) or is_nan(b) or (is_infinite(a) and is_infinite(b) and a != b):
        return NAN
    if is_infinite(a) or is_infinite(b):
        return a if is_infinite(a) else b
    return fp32(value(a) + value(b), a >> 31 & b >> 31)


def multiply(a: int, b: int) -> int:
    a, b = flushed(a), flushed(b)
    sign = (a ^ b) >> 31
    if is_nan(a) or is_nan(b):
        return NAN
    if is_infinite(a) or is_infinite(b):
        other = b if is_infinite(a) else a
        return NAN if other & 0x7FFFFFFF == 0 else sign << 31 | INFINITY
    return fp32(value(a) * value(b), sign)


def _order(bits: int) -> int:
    """Numbers in order, -0 before +0."""
    return -(bits & 0x7FFFFFFF) - 1 if bits >> 31 else bits


def less(a: int, b: int, *, equal: bool = False) -> bool:
    a, b = flushed(a), flushed(b)
    if is_nan(a) or is_nan(b):
        return False
    both_zero = not (a | b) & 0x7FFFFFFF
    return (equal and (a == b or both_zero)) or (not both_zero and _order(a) < _order(b))


def extreme(a: int, b: int, *, largest: bool) -> int:
    a, b = flushed(a), flushed(b)
    if is_nan(a) or is_nan(b):
        return NAN
    return max(a, b, key=_order) if largest else min(a, b, key=_order)


def signed(bits: int) -> int:
    return bits - (bits >> 31 << 32)


def to_int(bits: int, low: int = -(2**31), high: int = 2**31 - 1) -> int:
    bits = flushed(bits)
    if is_nan(bits):
        return 0
    if is_infinite(bits):
        return low if bits >> 31 else high
    return min(max(round(value(bits)), low), high)


def to_float(bits: int) -> int:
    return fp32(Fraction(signed(bits)), 0)


def load_element(raw: int, code: Format, integer: bool) -> int:
    """32 bits of an element's bits."""
    if code in (Format.INT8, Format.INT4, Format.INT32):
        width = BITS[code]
        number = (raw - (raw >> width - 1 << width)) & 0xFFFFFFFF
        return number if integer else to_float(number)
    if code in (Format.FP32, Format.BF16):
        return raw << 32 - BITS[code]
    exponent_bits, fraction_bits, special = _FLOATS[code]
    sign, fraction = raw >> 7, raw & (1 << fraction_bits) - 1
    exponent = raw >> fraction_bits & (1 << exponent_bits) - 1
    top = exponent == (1 << exponent_bits) - 1
    if (special and top and fraction) or (not special and raw & 0x7F == 0x7F):
        return NAN
    if special and top:
        return sign << 31 | INFINITY
    bias = (1 << exponent_bits - 1) - 1
    whole = fraction + ((exponent > 0) << fraction_bits)
    number = Fraction(whole) * Fraction(2) ** (max(exponent, 1) - bias - fraction_bits)
    return fp32(-number if sign else number, sign)


def store_element(lane: int, code: Format, integer: bool, saturate: bool) -> int:
    """An element's bits."""
    width = BITS[code]
    if code in (Format.INT8, Format.INT4, Format.INT32):
        low, high = -(1 << width - 1), (1 << width - 1) - 1
        number = min(max(signed(lane), low), high) if integer else to_int(lane, low, high)
        return number & (1 << width) - 1
    if code is Format.FP32:
        return lane
    lane = flushed(lane)
    if is_nan(lane):
        return _NANS[code]
    exponent_bits, fraction_bits, special = _FLOATS[code]
    bias = (1 << exponent_bits - 1) - 1
    top = (1 << exponent_bits) - 1
    infinity = top << fraction_bits if special else _NANS[code]
    largest_bits = infinity - 1
    largest = value(load_element(largest_bits, code, False))
    sign = lane >> 31 << width - 1
    lowest = 1 - bias - fraction_bits
    number = None if is_infinite(lane) else round_to(value(lane), fraction_bits + 1, lowest)
    if number is None or abs(number) > largest:
        if saturate:
            return sign | largest_bits
        return sign | infinity if special else infinity
    size = abs(number)
    if size == 0:
        return sign
    exponent = max(magnitude(size), 1 - bias)
    whole = int(size / Fraction(2) ** (exponent - fraction_bits))
    # a whole below 2**fraction_bits is subnormal: its exponent field is 0
    return sign | (exponent + bias - 1 << fraction_bits) + whole


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
            word = replace(decode(self.store[pc : pc + 1])[0])
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
