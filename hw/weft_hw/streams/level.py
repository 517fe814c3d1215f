"""A counter of what is inside something, with the answers to questions about it in registers."""

from amaranth.hdl import Array, Cat

__all__ = ["count"]


def count(m, level, *, up, down, flags, by=1):
    """Steps the register ``level`` up by ``by`` with ``up`` and down by one with ``down``.

    Whatever is asked about the level is worked out beside it for each of the four cases, so that
    nobody waits for a comparison, and ``up`` and ``down`` may come at the end of a cycle.

    Parameters
    ----------
    level : Signal
        The caller sees to it that it neither overflows nor goes below zero.
    up, down, by : Value
    flags : pairs of Signal and function
        A register each, and what it says of the level; its ``init`` must agree with that of
        ``level``.
    """
    cases = []
    for change in (0, -1, by, by - 1):
        after = (level + change)[:len(level)]
        cases.append(Cat(after, *(asked(after) for _, asked in flags)))
    m.d.sync += Cat(level, *(flag for flag, _ in flags)).eq(Array(cases)[Cat(down, up)])
