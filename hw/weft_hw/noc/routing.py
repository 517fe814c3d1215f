"""Routing: which port of a router a packet leaves by.

A routing is a function ``(x, y, destination) -> rules``: the router's own position, the destination
(``x``, ``y``, ``port``), and a list of ``(condition, port)`` of which the first true one counts. A
routing of packets to rectangles of tiles is ``(x, y, came_by, rectangle) -> rules`` of which every
true one counts. Conditions are made of comparisons only, so the same function yields hardware from
signals (``Router``) and answers from integers (``deadlock``): what is checked is what is built.
"""

from .packet import RouterPort

__all__ = ["dimension_order", "row_then_columns"]


def dimension_order(x, y, destination):
    """X first, then Y, then the destination's port."""
    return [
        (destination.x > x, RouterPort.EAST),
        (destination.x < x, RouterPort.WEST),
        (destination.y > y, RouterPort.SOUTH),
        (destination.y < y, RouterPort.NORTH),
        (True, destination.port),
    ]


#: Port a packet to tiles came in by -> ports it may leave by.
_WAYS = {
    RouterPort.LOCAL: frozenset(RouterPort),
    RouterPort.WEST: frozenset(RouterPort) - {RouterPort.WEST},
    RouterPort.EAST: frozenset(RouterPort) - {RouterPort.EAST},
    RouterPort.NORTH: frozenset({RouterPort.LOCAL, RouterPort.SOUTH}),
    RouterPort.SOUTH: frozenset({RouterPort.LOCAL, RouterPort.NORTH}),
}


def row_then_columns(x, y, came_by, rectangle):
    """Along the row of the source as far as the rectangle goes; at each of its columns north and
    south. The way to each single tile is that of ``dimension_order``.
    """
    in_column = (rectangle.x_first <= x) & (rectangle.x_last >= x)
    rules = [
        (in_column & (rectangle.y_first <= y) & (rectangle.y_last >= y), RouterPort.LOCAL),
        (in_column & (rectangle.y_first < y), RouterPort.NORTH),
        (rectangle.x_last > x, RouterPort.EAST),
        (in_column & (rectangle.y_last > y), RouterPort.SOUTH),
        (rectangle.x_first < x, RouterPort.WEST),
    ]
    ways = _WAYS[came_by]
    return [(condition, port) for condition, port in rules if port in ways]
