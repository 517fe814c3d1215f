"""ONNX requantisation of int32 sums to int8, as ``weft_sim.golden.requantise`` has it."""

from __future__ import annotations

from ...microcode import Assembler, Program

__all__ = ["requantise"]


def requantise(
    *,
    zero_point: int = 0,
    clamp: tuple[int, int] = (-128, 127),
    bias: bool = False,
    residual: bool = False,
) -> Program:
    """``out = clamp(round(float(x + bias) * scale) + zero_point + residual)``, bit for bit the
    golden.

    Streams ``x`` (int32, of the accumulators or not), ``scale`` (fp32), ``bias`` (int32) or
    ``residual`` (int8), and ``out`` (int8); for a matrix that has both bias and residual use the
    VECTOR command.

    Raises
    ------
    ValueError
        for both bias and residual, or limits beyond int8.
    """
    if bias and residual:
        raise ValueError("a program must have at most 4 streams, so bias or residual, not both")
    for number in (zero_point, *clamp):
        if not -128 <= number <= 127:
            raise ValueError(f"zero_point and clamp must be between -128 and 127, not {number}")
    asm = Assembler("requantise")
    x, scale = asm.source("x"), asm.source("scale")
    extra = asm.source("bias" if bias else "residual") if bias or residual else None
    out = asm.target("out")
    with asm.loop():
        total = asm.load(x, integer=True)
        if bias and extra is not None:
            total = asm.int_add(total, asm.load(extra, integer=True))
        product = asm.to_float(total) * asm.load(scale)
        q = asm.to_int(asm.minimum(asm.maximum(product, -512.0), 511.0))
        if residual and extra is not None:
            q = asm.int_add(q, asm.load(extra, integer=True))
        q = asm.int_maximum(asm.int_add(q, zero_point), clamp[0])
        asm.store(out, asm.int_minimum(q, clamp[1]), integer=True)
    return asm.build()
