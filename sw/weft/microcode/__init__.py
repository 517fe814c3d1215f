"""Microprograms of the vector engine: an assembler, its result, and listings.

::

    asm = Assembler("scale and add")
    x, y, out = asm.source("x"), asm.source("y"), asm.target("out")
    alpha = asm.scalar("alpha")
    with asm.loop():
        asm.store(out, asm.load(x) * alpha + asm.load(y))
    program = asm.build()
    print(program.listing())

``weft_hw.vector.microcode`` says what the instructions do, ``weft_sim.golden.microprogram`` runs
them.
"""

from .assembler import Assembler, Mask, Scalar, StreamName, Value
from .emulate import emulate
from .errors import MicrocodeError
from .program import Program
from .words import Word, decode, encode, instruction_text, listing

__all__ = [
    "Assembler",
    "Mask",
    "MicrocodeError",
    "Program",
    "Scalar",
    "StreamName",
    "Value",
    "Word",
    "decode",
    "emulate",
    "encode",
    "instruction_text",
    "listing",
]
