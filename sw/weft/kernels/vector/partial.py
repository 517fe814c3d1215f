"""Partial sums of one matrix product, from tiles that each had some of the operands along K."""

from __future__ import annotations

from ...microcode import Assembler, Program

__all__ = ["add_partial"]


def add_partial(*, integer: bool) -> Program:
    """``out = first + rest[0] + rest[1] + ...``, in this order (``weft_sim.golden.matmul_split``).

    A row of the program's matrix is one vector of sums: ``first``, ``rest`` and ``out`` go from one
    to the next by their row strides, ``rest`` from one tile's to the next tile's by its block
    stride, so N is C for each tile but the first. All three are fp32, or with ``integer`` int32,
    which wraps. 2 instructions for each tile and 2 more; a vector from the scratchpad takes as many
    cycles as it has scratchpad rows.
    """
    asm = Assembler("add_partial")
    first, rest, out = asm.source("first"), asm.source("rest"), asm.target("out")
    total = asm.load(first, integer=integer)
    with asm.loop():
        more = asm.load(rest, integer=integer)
        asm.set(total, asm.int_add(total, more) if integer else total + more)
    asm.store(out, total, integer=integer)
    return asm.build()
