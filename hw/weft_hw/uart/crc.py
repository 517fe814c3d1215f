"""The CRC of a frame, a byte at a time."""

from functools import reduce
from operator import xor

from amaranth.hdl import Cat

from .protocol import CRC_POLYNOMIAL

__all__ = ["crc_step"]

_BITS = 16


def crc_step(crc, byte):
    """The CRC after ``byte``, as an expression of the CRC before (16 bits) and the byte (8
    bits)."""
    sources = [*crc, *byte]
    # which sources each bit is the parity of
    state = [frozenset({n}) for n in range(_BITS)]
    for number in reversed(range(8)):
        carry = state[-1] ^ {_BITS + number}
        shifted = [frozenset(), *state[:-1]]
        state = [
            bits ^ carry if CRC_POLYNOMIAL >> n & 1 else bits for n, bits in enumerate(shifted)
        ]
    return Cat(reduce(xor, (sources[n] for n in sorted(bits))) for bits in state)
