"""Can the network deadlock? The channel-dependency graph of a mesh, built from the routing it is
built with.

A channel is a link together with the buffer it fills: from a node into the network, between
routers, from the network to a node. A packet that holds a channel and waits for the next one makes
that depend on it; wormhole switching cannot deadlock if these dependencies have no cycle (Dally and
Seitz, IEEE Trans. Computers C-36(5), 1987). The graph spans both planes: a node that answers makes
its request channel depend on its response channel. Responses depend on nothing, because every node
sinks them unconditionally.

The walk also finds what else could go wrong with a routing: packets that arrive at the wrong node,
turn back, or never arrive.

Packets to rectangles of tiles, which branch, are the reason for more dependencies and for a rule.
A branch that stood still for want of room would hold up the other branches and all channels that
these hold: channels would wait for each other across the tree, in any direction, and rectangles
that overlap would deadlock. Therefore virtual cut-through: such a packet is no longer than the
buffer of a channel (``packet_flits`` at most ``router_fifo_depth``), an output starts to take one
only when the channel behind has room for the whole packet, and a packet that has waited for some of
its branches long enough goes to those that have room and, out of the same buffer, to the others
later (``fork``). So

* a packet that waits for a channel holds, for longer than a bounded time, none but the one whose
  buffer it is at the head of, and the channels it waits for are those that ``routing`` would have
  taken it to;
* a packet on its way through some branches waits only for its own flits, which come without waiting
  for a channel, because the packet has room in each buffer it is at the head of; and for the tiles
  at the routers it passes, to take the flits.

That is what ``tree_dependencies`` adds to the graph: from a channel to each channel it branches to,
and from a channel to the tiles at all routers that the packet came by. Tiles take what comes from
the request plane whatever else happens, but for the acknowledgement they send: the edge from
request to response that is in the graph anyway.

What the graph cannot show is that waiting has a bound although nobody waits in a circle. It has:
outputs serve their inputs in turn, packet by packet (``TreeRouter``).
"""

from dataclasses import dataclass
from itertools import pairwise

from .packet import RouterPort
from .routing import row_then_columns
from .topology import NodeKind, neighbour, nodes

__all__ = ["Area", "Channel", "DeadlockError", "areas", "check_network", "dependencies",
           "find_cycle", "tree_dependencies", "walk_tree"]

PLANES = ("request", "response")


class DeadlockError(ValueError):
    """The routing could deadlock, misroute, or not end."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Into port ``port`` of router ``(x, y)`` if ``inward``, else out of it to a node."""

    plane: str
    x: int
    y: int
    port: RouterPort
    inward: bool

    def __str__(self):
        way = "into" if self.inward else "out of"
        return f"{self.plane} {way} {self.port.name} of router ({self.x}, {self.y})"


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of tiles, as the routers see it."""

    x_first: int
    y_first: int
    x_last: int
    y_last: int

    def tiles(self):
        """The positions of its tiles."""
        return {(x, y) for x in range(self.x_first, self.x_last + 1)
                for y in range(self.y_first, self.y_last + 1)}

    def __str__(self):
        return f"tiles ({self.x_first}, {self.y_first}) to ({self.x_last}, {self.y_last})"


def check_network(mesh, routing, *, packet_flits=0, tree=row_then_columns):
    """Checks all routes between all nodes of a ``MeshConfig`` under ``routing``, on both planes
    together; with ``packet_flits`` (the flits of the largest packet to tiles) also the trees from
    each tile to all ``areas``.

    Raises
    ------
    DeadlockError
        naming the cycle of channels, or the route that goes astray, or the buffer that is too small
        for a whole packet to tiles.
    """
    graph = dependencies(mesh, routing)
    if packet_flits:
        if packet_flits > mesh.router_fifo_depth:
            raise DeadlockError(
                f"router_fifo_depth must hold a whole packet to tiles of {packet_flits} flits, so "
                f"that none waits for room halfway, not {mesh.router_fifo_depth}")
        for held, wanted in tree_dependencies(mesh, tree).items():
            graph.setdefault(held, set()).update(wanted)
    cycle = find_cycle(graph)
    if cycle is not None:
        circle = " -> ".join(map(str, [*cycle, cycle[0]]))
        raise DeadlockError(
            f"routing {routing.__name__} must not let channels wait in a cycle, but: {circle}")


def areas(mesh):
    """Rectangles whose trees together have all branches that any rectangle's has: each tile, each
    row, each column, all tiles.
    """
    right, down = mesh.cols - 1, mesh.rows - 1
    return [
        *(Area(x, y, x, y) for y in range(mesh.rows) for x in range(mesh.cols)),
        *(Area(0, y, right, y) for y in range(mesh.rows)),
        *(Area(x, 0, x, down) for x in range(mesh.cols)),
        Area(0, 0, right, down),
    ]


def tree_dependencies(mesh, tree=row_then_columns):
    """What packets to tiles add to ``dependencies``.

    Raises
    ------
    DeadlockError
        if a tree does not reach each tile of its rectangle once and no other.
    """
    edges = set()
    for source in nodes(mesh):
        if source.kind is NodeKind.TILE:
            for area in areas(mesh):
                edges |= walk_tree(mesh, tree, source, area)
    graph = {}
    for held, wanted in edges:
        graph.setdefault(Channel("request", *held), set()).add(Channel("request", *wanted))
    return graph


def walk_tree(mesh, tree, source, area):
    """The dependencies (pairs of channels without their plane) of a packet from the tile ``source``
    to ``area``.

    Raises
    ------
    DeadlockError
        if it does not reach each tile of ``area`` once and no other.
    """
    edges, reached, seen = set(), [], set()
    open_ends = [((source.x, source.y, source.port, True), ())]
    while open_ends:
        channel, passed = open_ends.pop()
        x, y, came_by, _ = channel
        if channel in seen:
            raise DeadlockError(f"tree {tree.__name__} must not come twice by {came_by.name} of "
                                f"router ({x}, {y}), but does from {source} to {area}")
        seen.add(channel)
        edges.update((channel, tile) for tile in passed)
        branches = {port for condition, port in tree(x, y, came_by, area) if condition}
        if RouterPort.LOCAL in branches:
            tile = (x, y, RouterPort.LOCAL, False)
            edges.add((channel, tile))
            reached.append((x, y))
            passed = (*passed, tile)
        for port in branches - {RouterPort.LOCAL}:
            far = neighbour(mesh, x, y, port)
            if far is None or port is came_by:
                raise DeadlockError(
                    f"tree {tree.__name__} must stay inside the mesh and not turn back, but leaves "
                    f"by {port.name} of router ({x}, {y}) from {source} to {area}")
            edges.add((channel, (*far, True)))
            open_ends.append(((*far, True), passed))
    if sorted(reached) != sorted(area.tiles()):
        raise DeadlockError(f"tree {tree.__name__} must reach each tile once, but reaches "
                            f"{sorted(reached)} from {source} to {area}")
    return edges


def dependencies(mesh, routing):
    """The channel-dependency graph: channel -> channels that a packet holding it may wait for.

    Raises
    ------
    DeadlockError
        if a route does not end at its destination.
    """
    everyone = nodes(mesh)
    edges = set()
    for destination in everyone:
        walked = set()
        for source in everyone:
            if source is not destination:
                way = _route(mesh, routing, source, destination, walked)
                edges.update(pairwise(way))
    graph = {}
    for plane in PLANES:
        for held, wanted in edges:
            graph.setdefault(Channel(plane, *held), set()).add(Channel(plane, *wanted))
    for node in everyone:
        request = Channel("request", node.x, node.y, node.port, False)
        response = Channel("response", node.x, node.y, node.port, True)
        graph.setdefault(request, set()).add(response)
    return graph


def _route(mesh, routing, source, destination, walked):
    """The channels (without their plane) from ``source`` on, to the end or to where an earlier
    route to the same destination came by: from there on all is known. ``walked`` collects the
    channels of all routes to it.
    """
    channel = (source.x, source.y, source.port, True)
    way = [channel]
    while channel not in walked:
        walked.add(channel)
        x, y, came_by, _ = channel
        rules = routing(x, y, destination)
        port = next(RouterPort(choice) for condition, choice in rules if condition)
        where = f"{port.name} of router ({x}, {y}) on the way from {source} to {destination}"
        if port is came_by:
            raise DeadlockError(
                f"routing {routing.__name__} must not send a packet back, but does by {where}")
        far = neighbour(mesh, x, y, port)
        if far is None:
            if (x, y, port) != (destination.x, destination.y, destination.port):
                raise DeadlockError(
                    f"routing {routing.__name__} must end at the destination, but leaves by "
                    f"{where}")
            way.append((x, y, port, False))
            return way
        channel = (*far, True)
        if channel in way:
            raise DeadlockError(
                f"routing {routing.__name__} must end, but goes round in a circle by {where}")
        way.append(channel)
    return way


def find_cycle(graph):
    """Some cycle of ``graph`` (node -> nodes) as a list, or None. Depth-first, without recursion.
    """
    done, path, on_path = set(), [], set()
    for root in graph:
        if root in done:
            continue
        stack = [(root, iter(graph.get(root, ())))]
        path, on_path = [root], {root}
        while stack:
            node, successors = stack[-1]
            following = next(successors, None)
            if following is None:
                stack.pop()
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif following in on_path:
                return path[path.index(following):]
            elif following not in done:
                stack.append((following, iter(graph.get(following, ()))))
                path.append(following)
                on_path.add(following)
    return None
