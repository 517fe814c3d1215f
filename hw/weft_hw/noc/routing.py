"""Routing: which port of a router a packet leaves by.

A routing is a function ``(x, y, destination) -> rules``: the router's own position, the destination
(``x``, ``y``, ``port``), and a list of ``(condition, port)`` of which the first true one counts.
Conditions are made of comparisons only, so the same function yields hardware from signals
(``Router``) and answers from integers (``deadlock``): what is checked is what is built.
"""

from .packet import RouterPort

__all__ = ["dimension_order"]


def dimension_order(x, y, destination):
    """X first, then Y, then the destination's port."""
    return [
        (destination.x > x, RouterPort.EAST),
        (destination.x < x, RouterPort.WEST),
        (destination.y > y, RouterPort.SOUTH),
        (destination.y < y, RouterPort.NORTH),
        (True, destination.port),
    ]
