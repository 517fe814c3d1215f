"""Round robin: whose turn is next."""

from amaranth.hdl import Const

__all__ = ["first_after", "nobody_before"]


def first_after(m, chosen, owner, requests):
    """Assigns to ``chosen`` the first of ``requests`` that comes behind ``owner``, going round; it
    keeps its value if only ``owner`` requests, or nobody.
    """
    count = len(requests)
    with m.Switch(owner):
        for k in range(count):
            with m.Case(k):
                for step in reversed(range(1, count)):
                    other = (k + step) % count
                    with m.If(requests[other]):
                        m.d.comb += chosen.eq(other)


def nobody_before(m, free, owner, requests):
    """Assigns to each bit of ``free`` whether that requester would be served, be it requesting or
    not: so what it is answered does not depend on what it asks, and no path leads back to it.
    ``owner`` comes last.
    """
    count = len(requests)
    with m.Switch(owner):
        for k in range(count):
            with m.Case(k):
                taken = Const(0)
                for step in range(1, count + 1):
                    requester = (k + step) % count
                    m.d.comb += free[requester].eq(~taken)
                    taken = taken | requests[requester]
