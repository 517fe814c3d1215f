"""Long sums in fp32."""

from __future__ import annotations

from ...microcode import Assembler, Value

__all__ = ["add_compensated"]


def add_compensated(asm: Assembler, total: Value, lost: Value, x: Value) -> None:
    """Adds x to ``total``; ``lost``, zero at first, keeps what rounding took (Kahan's sum). 5
    instructions.
    """
    step = x - lost
    before = asm.move(total)
    asm.set(total, total + step)
    asm.set(lost, (total - before) - step)
