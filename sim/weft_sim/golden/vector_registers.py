"""Registers of the vector engine for many rows and column blocks at once."""

from collections.abc import Callable

import numpy as np
from weft_hw.vector.microcode import REGISTERS, STRIP, Op, Source

from . import fp32
from .instructions import Decoded

__all__ = ["Registers"]

_FLOAT: dict[Op, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    Op.ADD: fp32.add,
    Op.SUBTRACT: fp32.subtract,
    Op.MULTIPLY: fp32.multiply,
    Op.MINIMUM: fp32.minimum,
    Op.MAXIMUM: fp32.maximum,
}
_COMPARE: dict[Op, np.ufunc] = {
    Op.LESS: np.less,
    Op.LESS_EQUAL: np.less_equal,
    Op.EQUAL: np.equal,
}
_UNSIGNED: dict[Op, np.ufunc] = {
    Op.INT_ADD: np.add,
    Op.INT_SUBTRACT: np.subtract,
    Op.AND: np.bitwise_and,
    Op.OR: np.bitwise_or,
    Op.XOR: np.bitwise_xor,
}
_SIGNED: dict[Op, np.ufunc] = {Op.INT_MINIMUM: np.minimum, Op.INT_MAXIMUM: np.maximum}
_SHIFT: dict[Op, np.ufunc] = {Op.SHIFT_LEFT: np.left_shift, Op.SHIFT_RIGHT: np.right_shift}
_REGISTER, _PERMUTED, _IMMEDIATE = (
    source.value for source in (Source.REGISTER, Source.PERMUTED, Source.IMMEDIATE)
)
_LOW_FIVE = np.uint32(31)


def _constant(bits: int) -> np.ndarray:
    return np.full((1, 1, 1), bits, np.uint32)


class Registers:
    """Rows ``first`` to ``end - 1``. A register is an array that broadcasts to (rows, blocks, C) of
    uint32; so is the mask, of bool.

    ``kept`` and ``mask`` are what the registers held before, a strip of them.
    """

    def __init__(
        self,
        kept: np.ndarray,
        mask: np.ndarray,
        first: int,
        end: int,
        scalars: list[int],
        table: np.ndarray,
    ) -> None:
        self.first, self.end = first, end
        self._lanes = kept.shape[-1]
        places = np.arange(first, end) % STRIP
        self._values = [kept[number][places, None] for number in range(REGISTERS)]
        self._mask = mask[places, None]
        self._written: set[int] = set()
        # values without subnormals, of registers that were read as fp32 since they were written
        self._clean: dict[int, np.ndarray] = {}
        self._scalars = [_constant(scalar) for scalar in scalars]
        self._table = table
        self.blocks(0, 1)

    def blocks(self, first: int, end: int) -> None:
        """What follows is for column blocks ``first`` to ``end - 1``."""
        self._first_block, self._end_block = first, end

    def last_block(self) -> None:
        """Registers keep what they hold after the last block."""
        if self._end_block - self._first_block > 1:
            for number in self._written:
                self._values[number] = self._values[number][:, -1:]
            self._mask = self._mask[:, -1:]
            self._clean.clear()

    def keep(self, kept: np.ndarray, mask: np.ndarray) -> None:
        """Writes the last strip's registers and mask back."""
        rows = np.arange(self.first, self.end)
        last = rows[-STRIP:]
        places = last % STRIP
        shape = (len(rows), 1, self._lanes)
        for number in self._written:
            value = np.broadcast_to(self._values[number], shape)
            kept[number][places] = value[last - self.first, 0]
        mask[places] = np.broadcast_to(self._mask, shape)[last - self.first, 0]

    def read(self, number: int) -> np.ndarray:
        return self._values[number]

    def write(self, number: int, value: np.ndarray) -> None:
        self._values[number] = value
        self._written.add(number)
        self._clean.pop(number, None)

    def _float(self, number: int) -> np.ndarray:
        """Register as fp32 without subnormals."""
        value = self._clean.get(number)
        if value is None:
            value = self._clean[number] = fp32.flush(self._values[number].view(np.float32))
        return value

    def _permuted(self, value: np.ndarray, bit: int) -> np.ndarray:
        if value.shape[-1] == 1:
            return value
        pairs = value.reshape(*value.shape[:-1], -1, 2, 1 << bit)
        return np.ascontiguousarray(pairs[..., ::-1, :]).reshape(value.shape)

    def _b(self, step: Decoded, *, as_float: bool) -> np.ndarray:
        """Operand b as uint32 or float32."""
        if step.source in (_REGISTER, _PERMUTED):
            value = self._float(step.b) if as_float else self._values[step.b]
            if step.source == _PERMUTED:
                value = self._permuted(value, step.permute_bit)
            return value
        immediate = step.source == _IMMEDIATE
        value = _constant(step.immediate) if immediate else self._scalars[step.b & 3]
        return fp32.flush(value.view(np.float32)) if as_float else value

    def execute(self, step: Decoded) -> None:
        """Any instruction but LOAD, STORE and those of the loop."""
        op = step.op
        if op in _FLOAT:
            value = _FLOAT[op](self._float(step.a), self._b(step, as_float=True))
            self.write(step.d, value.view(np.uint32))
            self._clean[step.d] = value
        elif op in _COMPARE:
            self._mask = _COMPARE[op](self._float(step.a), self._b(step, as_float=True))
        elif op is Op.INT_LESS:
            b = self._b(step, as_float=False)
            self._mask = self._values[step.a].view(np.int32) < b.view(np.int32)
        else:
            self.write(step.d, self._whole(step))

    def _whole(self, step: Decoded) -> np.ndarray:
        """Result of an operation on integers or bits."""
        op = step.op
        if op is Op.ROW:
            return np.arange(self.first, self.end, dtype=np.uint32)[:, None, None]
        if op is Op.COLUMN:
            first, end = self._first_block * self._lanes, self._end_block * self._lanes
            return np.arange(first, end, dtype=np.uint32).reshape(1, -1, self._lanes)
        if op is Op.TO_INT:
            return fp32.to_int(self._b(step, as_float=True)).view(np.uint32)
        b = self._b(step, as_float=False)
        if op is Op.MOVE:
            return b
        if op is Op.TO_FLOAT:
            return fp32.to_float(b.view(np.int32)).view(np.uint32)
        if op is Op.LOOKUP:
            last = np.uint32(len(self._table) - 1)
            return self._table[(np.uint32(step.immediate) + (b & last)) & last]
        a = self._values[step.a]
        if op is Op.SELECT:
            return np.where(self._mask, a, b)
        if op in _UNSIGNED:
            return _UNSIGNED[op](a, b)
        if op in _SIGNED:
            return _SIGNED[op](a.view(np.int32), b.view(np.int32)).view(np.uint32)
        if op in _SHIFT:
            return _SHIFT[op](a, b & _LOW_FIVE)
        # SHIFT_ARITHMETIC
        shift = (b & _LOW_FIVE).view(np.int32)
        return np.right_shift(a.view(np.int32), shift).view(np.uint32)
