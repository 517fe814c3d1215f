"""What hangs where: nodes and links of a mesh, from its configuration. The mesh is wired from these
two functions and the deadlock check walks them.
"""

from dataclasses import dataclass

from amaranth.lib import enum

from .packet import RouterPort

__all__ = ["Node", "NodeKind", "neighbour", "nodes"]


class NodeKind(enum.Enum):
    TILE = "tile"
    ENDPOINT = "endpoint"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Node:
    """A node: ``index`` counts within its kind; the rest is its ``NodeAddress``."""

    kind: NodeKind
    index: int
    x: int
    y: int
    port: RouterPort

    def __str__(self):
        return f"{self.kind.value} {self.index}"


def nodes(mesh):
    """All nodes of a ``MeshConfig``: tiles row by row, memory endpoints, control."""
    return [
        *(Node(NodeKind.TILE, y * mesh.cols + x, x, y, RouterPort.LOCAL)
          for y in range(mesh.rows) for x in range(mesh.cols)),
        *(Node(NodeKind.ENDPOINT, y, 0, y, RouterPort.WEST) for y in range(mesh.memory_endpoints)),
        Node(NodeKind.CONTROL, 0, 0, 0, RouterPort.NORTH),
    ]


_STEP = {
    RouterPort.NORTH: (0, -1, RouterPort.SOUTH),
    RouterPort.EAST: (1, 0, RouterPort.WEST),
    RouterPort.SOUTH: (0, 1, RouterPort.NORTH),
    RouterPort.WEST: (-1, 0, RouterPort.EAST),
}


def neighbour(mesh, x, y, port):
    """The router (x, y) and its port at the other end of the link from ``port``, or None at an edge
    and for LOCAL.
    """
    if port not in _STEP:
        return None
    dx, dy, other = _STEP[port]
    if not (0 <= x + dx < mesh.cols and 0 <= y + dy < mesh.rows):
        return None
    return x + dx, y + dy, other
