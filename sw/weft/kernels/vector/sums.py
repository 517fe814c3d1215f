"""Long sums in fp32."""

from __future__ import annotations

from weft_hw.vector.microcode import Op

from ...microcode import Assembler, Value

__all__ = ["across_compensated", "add_compensated"]


def add_compensated(asm: Assembler, total: Value, lost: Value, x: Value) -> None:
    """Adds x to ``total``; ``lost``, zero at first, keeps what rounding took (Kahan's sum). 5
    instructions.
    """
    step = x - lost
    before = asm.move(total)
    asm.set(total, total + step)
    asm.set(lost, (total - before) - step)


def across_compensated(
    asm: Assembler, total: Value, lost: Value, lanes: int
) -> tuple[Value, Value]:
    """Sums of ``total`` and of ``lost`` over all lanes, in every lane; what rounding took from the
    first is added to the second. 8 instructions for each doubling of lanes.
    """
    for bit in range(lanes.bit_length() - 1):
        both = asm.permuted(Op.ADD, total, total, bit)
        other = both - total
        # what is missing in both, exactly (Knuth's two-sum)
        rest = (total - (both - other)) - asm.permuted(Op.SUBTRACT, other, total, bit)
        lost = asm.permuted(Op.ADD, lost, lost, bit) - rest
        total = both
    return total, lost
