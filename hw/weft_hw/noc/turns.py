"""Round robin: whose turn is next."""

__all__ = ["first_after"]


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
