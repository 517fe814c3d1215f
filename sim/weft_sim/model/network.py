"""The mesh: packets reserve the links of their way, one after the other.

A packet of ``n`` flits holds each link for ``n`` cycles from the cycle in which its first flit
crosses it; the first flit
needs ``TIMING.hop_cycles`` from one link to the next. Packets take links in the order in which
they were sent.
"""

from __future__ import annotations

from amaranth.lib import data
from weft_hw.config import ChipConfig
from weft_hw.noc.packet import RequestHeader, ResponseHeader

from .timing import TIMING

__all__ = ["CONTROL", "Link", "Network", "Way", "endpoint_node", "tile_node"]

#: A node: router and the name of its port there.
Node = tuple[int, int, str]
CONTROL: Node = (0, 0, "NORTH")


def tile_node(x: int, y: int) -> Node:
    return x, y, "LOCAL"


def endpoint_node(number: int) -> Node:
    return 0, number, "WEST"


class Link:
    """One direction of one channel; ``free`` is the first cycle in which it can take a flit."""

    __slots__ = ("free",)

    def __init__(self) -> None:
        self.free = 0


class Way:
    """The links from one node to another, the sender's own first."""

    __slots__ = ("links",)

    def __init__(self, links: tuple[Link, ...]) -> None:
        self.links = links

    def send(self, cycle: int, flits: int) -> int:
        """Sends a packet that is ready in ``cycle``; the cycle in which its first flit arrives."""
        hop = TIMING.hop_cycles
        cycle -= hop
        for link in self.links:
            cycle += hop
            if link.free > cycle:
                cycle = link.free
            link.free = cycle + flits
        return cycle

    @property
    def routers(self) -> int:
        """Routers on the way."""
        return len(self.links) - 1

    @property
    def free(self) -> int:
        """First cycle in which the sender can send again."""
        return self.links[0].free


class Network:
    """Both planes."""

    def __init__(self, config: ChipConfig) -> None:
        flit_bits = 8 * config.flit_bytes
        request = RequestHeader(address_bits=config.host.address_bits)
        self.request_header_flits = -(-request.size // flit_bits)
        self.response_header_flits = -(-data.Layout.cast(ResponseHeader).size // flit_bits)
        self._links: dict[tuple[str, str, int, int, str], Link] = {}
        self._ways: dict[tuple[str, Node, Node], Way] = {}

    def sender(self, plane: str, node: Node) -> Link:
        """The link from a node into its router."""
        return self._link(plane, "in", node)

    def _link(self, plane: str, kind: str, node: Node) -> Link:
        return self._links.setdefault((plane, kind, *node), Link())

    def way(self, plane: str, source: Node, target: Node) -> Way:
        """X first, then Y, then out of the target's port."""
        key = (plane, source, target)
        way = self._ways.get(key)
        if way is None:
            x, y, _ = source
            links = [self._link(plane, "in", source)]
            while x != target[0]:
                links.append(self._link(plane, "out", (x, y, "EAST" if target[0] > x else "WEST*")))
                x += 1 if target[0] > x else -1
            while y != target[1]:
                links.append(
                    self._link(plane, "out", (x, y, "SOUTH" if target[1] > y else "NORTH*"))
                )
                y += 1 if target[1] > y else -1
            links.append(self._link(plane, "out", target))
            way = self._ways[key] = Way(tuple(links))
        return way
