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
"""

from dataclasses import dataclass
from itertools import pairwise

from .packet import RouterPort
from .topology import neighbour, nodes

__all__ = ["Channel", "DeadlockError", "check_network", "dependencies", "find_cycle"]

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


def check_network(mesh, routing):
    """Checks all routes between all nodes of a ``MeshConfig`` under ``routing``, on both planes
    together.

    Raises
    ------
    DeadlockError
        naming the cycle of channels, or the route that goes astray.
    """
    cycle = find_cycle(dependencies(mesh, routing))
    if cycle is not None:
        circle = " -> ".join(map(str, [*cycle, cycle[0]]))
        raise DeadlockError(
            f"routing {routing.__name__} must not let channels wait in a cycle, but: {circle}")


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
