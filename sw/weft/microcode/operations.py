"""The operations of a microprogram, each one instruction; a constant that must be in a register
takes one more, before the program's first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from weft_hw.vector.microcode import Op, Source

from .errors import MicrocodeError
from .operands import Mask, Operand, Scalar, StreamName, Value, bits_of

__all__ = ["Operations", "Step"]

#: Operations whose numbers are integers. Those that only move bits take either.
_WHOLE = frozenset(
    (
        *(Op.INT_ADD, Op.INT_SUBTRACT, Op.INT_MINIMUM, Op.INT_MAXIMUM, Op.INT_LESS, Op.TO_FLOAT),
        *(Op.SHIFT_LEFT, Op.SHIFT_RIGHT, Op.SHIFT_ARITHMETIC, Op.AND, Op.OR, Op.XOR),
    )
)

_Owned = TypeVar("_Owned", Value, Scalar, StreamName)


@dataclass
class Step:
    """An instruction whose registers are still values."""

    op: Op
    d: Value | None = None
    a: Value | None = None
    b: Value | None = None
    fields: dict[str, Any] = field(default_factory=dict)


class Operations:
    """Base of ``Assembler``: what writes instructions that compute."""

    def __init__(self, name: str, lanes: int | None) -> None:
        self.name, self.lanes = name, lanes
        self._steps: list[Step] = []
        self._constants: dict[tuple[Source, int], Step] = {}
        self._mask: Mask | None = None
        self._values = 0

    def _error(self, text: str) -> MicrocodeError:
        return MicrocodeError(f"{self.name}: {text}")

    def _own(self, thing: _Owned) -> _Owned:
        if not isinstance(thing, Value | Scalar | StreamName):
            raise self._error(f"an operand must be a value here, not {thing!r}")
        if thing.program is not self:
            raise self._error("an operand must belong to this program, not to another")
        return thing

    def _emit(
        self,
        op: Op,
        a: Value | None = None,
        b: Value | None = None,
        fields: dict[str, Any] | None = None,
    ) -> Value:
        value = Value(self, self._values)
        self._values += 1
        self._steps.append(Step(op, value, a, b, fields or {}))
        return value

    def _b_fields(self, op: Op, b: Operand) -> tuple[Value | None, dict[str, Any]]:
        if isinstance(b, Value):
            return self._own(b), {}
        if isinstance(b, Scalar):
            return None, {"source": Source.SCALAR, "b": self._own(b).number}
        try:
            whole = op in _WHOLE or (op in (Op.MOVE, Op.SELECT) and isinstance(b, int))
            bits = bits_of(b, whole=whole)
        except MicrocodeError as error:
            raise self._error(str(error)) from None
        return None, {"source": Source.IMMEDIATE, "immediate": bits}

    def _in_register(self, op: Op, a: Operand) -> Value:
        """Operand a, a register: constants are moved to one, once, before all else."""
        if isinstance(a, Value):
            return self._own(a)
        _, fields = self._b_fields(op, a)
        key = fields["source"], fields.get("immediate", fields.get("b", 0))
        if key not in self._constants:
            value = Value(self, self._values)
            self._values += 1
            self._constants[key] = Step(Op.MOVE, value, fields=fields)
        step = self._constants[key]
        assert step.d is not None
        return step.d

    def _unary(self, op: Op, b: Operand) -> Value:
        value, fields = self._b_fields(op, b)
        return self._emit(op, b=value, fields=fields)

    def _binary(self, op: Op, a: Operand, b: Operand) -> Value:
        first = self._in_register(op, a)
        value, fields = self._b_fields(op, b)
        return self._emit(op, first, value, fields)

    def _commutative(self, op: Op, a: Operand, b: Operand) -> Value:
        return self._binary(op, a, b) if isinstance(a, Value) else self._binary(op, b, a)

    def _compare(self, op: Op, a: Operand, b: Operand) -> Mask:
        first = self._in_register(op, a)
        value, fields = self._b_fields(op, b)
        self._steps.append(Step(op, None, first, value, fields))
        self._mask = Mask(self)
        return self._mask

    # --- operations ---------------------------------------------------------------------------

    def constant(self, number: float) -> Value:
        """A register of its own with a number in all lanes, for ``set``."""
        return self.move(number)

    def move(self, b: Operand) -> Value:
        return self._unary(Op.MOVE, b)

    def set(self, variable: Value, value: Operand) -> None:
        """Gives a value, in a loop for its next round too, another content: the last operation
        writes there if it is what gave ``value``.
        """
        self._own(variable)
        last = self._steps[-1] if self._steps else None
        if isinstance(value, Value) and last is not None and last.d is value:
            last.d = variable
            value.number = variable.number
        else:
            b, fields = self._b_fields(Op.MOVE, value)
            self._steps.append(Step(Op.MOVE, variable, None, b, fields))

    def add(self, a: Operand, b: Operand) -> Value:
        return self._commutative(Op.ADD, a, b)

    def subtract(self, a: Operand, b: Operand) -> Value:
        """a - b"""
        return self._binary(Op.SUBTRACT, a, b)

    def multiply(self, a: Operand, b: Operand) -> Value:
        return self._commutative(Op.MULTIPLY, a, b)

    def minimum(self, a: Operand, b: Operand) -> Value:
        return self._commutative(Op.MINIMUM, a, b)

    def maximum(self, a: Operand, b: Operand) -> Value:
        return self._commutative(Op.MAXIMUM, a, b)

    def int_add(self, a: Operand, b: Operand) -> Value:
        return self._commutative(Op.INT_ADD, a, b)

    def int_subtract(self, a: Operand, b: Operand) -> Value:
        return self._binary(Op.INT_SUBTRACT, a, b)

    def int_minimum(self, a: Operand, b: Operand) -> Value:
        return self._commutative(Op.INT_MINIMUM, a, b)

    def int_maximum(self, a: Operand, b: Operand) -> Value:
        return self._commutative(Op.INT_MAXIMUM, a, b)

    def bit_and(self, a: Operand, b: Operand) -> Value:
        return self._commutative(Op.AND, a, b)

    def bit_or(self, a: Operand, b: Operand) -> Value:
        return self._commutative(Op.OR, a, b)

    def bit_xor(self, a: Operand, b: Operand) -> Value:
        return self._commutative(Op.XOR, a, b)

    def shift_left(self, a: Operand, b: Operand) -> Value:
        return self._binary(Op.SHIFT_LEFT, a, b)

    def shift_right(self, a: Operand, b: Operand) -> Value:
        return self._binary(Op.SHIFT_RIGHT, a, b)

    def shift_arithmetic(self, a: Operand, b: Operand) -> Value:
        return self._binary(Op.SHIFT_ARITHMETIC, a, b)

    def to_int(self, b: Operand) -> Value:
        return self._unary(Op.TO_INT, b)

    def to_float(self, b: Operand) -> Value:
        return self._unary(Op.TO_FLOAT, b)

    def row(self) -> Value:
        """i, int32."""
        return self._emit(Op.ROW)

    def column(self) -> Value:
        """Column of each lane, int32."""
        return self._emit(Op.COLUMN)

    def lookup(self, index: Value, entry: int) -> Value:
        """Low word of store entry ``entry + index``."""
        return self._emit(Op.LOOKUP, b=self._own(index), fields={"immediate": entry})

    # --- masks --------------------------------------------------------------------------------

    def less(self, a: Operand, b: Operand) -> Mask:
        return self._compare(Op.LESS, a, b)

    def less_equal(self, a: Operand, b: Operand) -> Mask:
        return self._compare(Op.LESS_EQUAL, a, b)

    def equal(self, a: Operand, b: Operand) -> Mask:
        return self._compare(Op.EQUAL, a, b)

    def int_less(self, a: Operand, b: Operand) -> Mask:
        return self._compare(Op.INT_LESS, a, b)

    def select(self, mask: Mask, a: Operand, b: Operand) -> Value:
        """a where ``mask`` is set, else b; the mask is that of the last comparison."""
        if mask is not self._mask:
            raise self._error("select must use the last comparison: there is only one mask")
        return self._binary(Op.SELECT, a, b)

    # --- lanes --------------------------------------------------------------------------------

    def permuted(self, op: Op, a: Value | None, b: Value, bit: int) -> Value:
        """``a op b'`` where b' is lane ``l ^ (1 << bit)`` of b; a is None for MOVE."""
        self._own(b)
        if self.lanes is None or not 0 < 2 << bit <= self.lanes:
            raise self._error(f"bit {bit} of a lane's number must be below lanes ({self.lanes})")
        return self._emit(op, a, b, {"source": Source.PERMUTED, "permute_bit": bit})

    def across(self, op: Op, value: Value) -> Value:
        """The reduction of all lanes by ADD, MINIMUM, MAXIMUM or such, in every lane: log2(C)
        instructions.
        """
        if self.lanes is None:
            raise self._error("a reduction needs lanes; give Assembler(lanes=C)")
        for bit in range(self.lanes.bit_length() - 1):
            value = self.permuted(op, value, value, bit)
        return value
