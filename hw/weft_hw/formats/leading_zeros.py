"""Leading zeros of a number, as a tree: log2 of the width deep."""

from amaranth.hdl import Cat, Const, Mux

__all__ = ["leading_zeros"]


def leading_zeros(value):
    """How many zeros ``value`` has above its highest one, of ``log2`` of its width bits (rounded
    up). Meaningless where ``value`` is zero. Combinational."""
    width = 1 << (len(value) - 1).bit_length()
    # zeros are added below, where they change no count
    return _count(Cat(Const(0, width - len(value)), value))


def _count(value):
    half = len(value) // 2
    if half == 0:
        return Const(0, 0)
    empty = ~value[half:].any()
    if half == 1:
        return empty
    return Cat(Mux(empty, _count(value[:half]), _count(value[half:])), empty)
