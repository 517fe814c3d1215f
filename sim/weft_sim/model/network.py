"""The mesh: packets reserve the links of their way, one after the other.

A packet of ``n`` flits holds each link for ``n`` cycles from the cycle in which its first flit
crosses it; the first flit
needs ``TIMING.hop_cycles`` from one link to the next. Packets take links in the order in which
they were sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

from amaranth.lib import data
from weft_hw.config import ChipConfig
from weft_hw.noc.packet import RequestHeader, ResponseHeader, RouterPort
from weft_hw.noc.tile_packet import tile_packet_flits

from .channel import Channel
from .events import Events
from .multicast import Tree
from .outbox import Outbox
from .route import Route, Sender
from .timing import TIMING
from .wormhole import Wormhole

__all__ = ["CONTROL", "Link", "Network", "Way", "endpoint_node", "tile_node"]

#: A node: router and the name of its port there.
Node = tuple[int, int, str]
CONTROL: Node = (0, 0, "NORTH")
_OPPOSITE = {"EAST": "WEST", "WEST": "EAST", "NORTH": "SOUTH", "SOUTH": "NORTH"}


def tile_node(x: int, y: int) -> Node:
    return x, y, "LOCAL"


def endpoint_node(number: int) -> Node:
    return 0, number, "WEST"


class Link:
    """One direction of one channel; ``free`` is the first cycle in which it can take a flit."""

    __slots__ = ("free", "held", "waiters")

    def __init__(self) -> None:
        self.free = 0
        self.held = False
        self.waiters: list[Callable[[], None]] = []


class Way(Route):
    """Links that are reserved in one go."""

    __slots__ = ("_links",)

    gated = True

    def __init__(self, links: tuple[Link, ...]) -> None:
        self._links = links

    @property
    def links(self) -> tuple[Link, ...]:
        return self._links

    def reserve(self, cycle: int, flits: int) -> int:
        """Sends a packet that is ready in ``cycle``; the cycle in which its first flit arrives."""
        hop = TIMING.hop_cycles
        cycle -= hop
        for link in self._links:
            cycle += hop
            if link.free > cycle:
                cycle = link.free
            link.free = cycle + flits
        return cycle

    def send(
        self,
        cycle: int,
        flits: int,
        deliver: Callable[[int], None],
        begun: tuple[int, Callable[[int], None]] | None = None,
        waits: Sequence[tuple[int, int]] = (),
    ) -> None:
        # everything is known at once
        start = max(cycle, self._links[0].free)
        late = max((wait - start - flit for flit, wait in waits), default=0)
        deliver(self.reserve(start, flits + max(0, late)))
        if begun is not None:
            begun[1](start + begun[0] - 1)

    def sent(self, flit: int, flits: int) -> int:
        return self._links[0].free - flits + flit

    def watch(self, flit: int, call: Callable[[int], None]) -> None:
        """No link is held."""

    def take_header(self, cycle: int) -> None:
        """Nothing is held."""

    def take_data(self, flits: int, cycle: int) -> None:
        """Nothing is held."""


class Network:
    """Both planes. On a mesh packets meet, and routes are wormholes; with one router nobody meets,
    and routes are ways.
    """

    def __init__(self, config: ChipConfig, events: Events) -> None:
        flit_bits = 8 * config.flit_bytes
        request = RequestHeader(address_bits=config.host.address_bits)
        self.request_header_flits = -(-request.size // flit_bits)
        self.response_header_flits = -(-data.Layout.cast(ResponseHeader).size // flit_bits)
        self._tile_packet_flits = tile_packet_flits(config)
        self._events = events
        self._depth = config.mesh.router_fifo_depth
        self._mesh = config.mesh
        self._is_mesh = config.mesh.tiles > 1
        self._links: dict[tuple[str, str, int, int, str], Link] = {}
        self._channels: dict[tuple[str, str, int, int, str], Channel] = {}
        self._outboxes: dict[tuple[str, Node], Outbox] = {}
        self._routes: dict[tuple[str, Node, Node], Route] = {}

    def sender(self, plane: str, node: Node) -> Sender:
        """The link from a node into its router."""
        key = (plane, "in", *node)
        return self._channel(key) if self._is_mesh else self._link(key)

    def _link(self, key: tuple[str, str, int, int, str]) -> Link:
        return self._links.setdefault(key, Link())

    def _channel(self, key: tuple[str, str, int, int, str]) -> Channel:
        if key not in self._channels:
            _, way, x, y, port = key
            # at first every output serves the first of its inputs last
            turn = min(other for other in self._ports(x, y) if other != RouterPort[port].value)
            self._channels[key] = Channel(self._events, self._depth, first=way == "in", turn=turn)
        return self._channels[key]

    def _ports(self, x: int, y: int) -> list[int]:
        """The ports of a router that lead somewhere."""
        mesh = self._mesh
        there = {
            RouterPort.LOCAL: True,
            RouterPort.NORTH: y > 0 or x == 0,
            RouterPort.EAST: x + 1 < mesh.cols,
            RouterPort.SOUTH: y + 1 < mesh.rows,
            RouterPort.WEST: x > 0 or y < mesh.memory_endpoints,
        }
        return [port.value for port, leads in there.items() if leads]

    @staticmethod
    def _path(plane: str, source: Node, target: Node) -> list[tuple[str, str, int, int, str]]:
        """The links of a route."""
        x, y, _ = source
        keys = [(plane, "in", *source)]
        while x != target[0]:
            port = "EAST" if target[0] > x else "WEST"
            keys.append((plane, "out", x, y, port))
            x += 1 if port == "EAST" else -1
        while y != target[1]:
            port = "SOUTH" if target[1] > y else "NORTH"
            keys.append((plane, "out", x, y, port))
            y += 1 if port == "SOUTH" else -1
        return [*keys, (plane, "out", *target)]

    def tree(self, x: int, y: int, rectangle: SimpleNamespace) -> Tree:
        """The way of packets from a tile to a rectangle of tiles, on the request plane of a
        mesh.
        """
        return Tree(
            lambda key: self._channel(("request", *key)), x, y, rectangle, self._tile_packet_flits
        )

    def outbox(self, plane: str, node: Node) -> Outbox:
        """Of a node that sends alone on a plane."""
        key = (plane, node)
        if key not in self._outboxes:
            self._outboxes[key] = Outbox(self._events, self.sender(plane, node))
        return self._outboxes[key]

    def route(self, plane: str, source: Node, target: Node) -> Route:
        """X first, then Y, then out of the target's port."""
        key = (plane, source, target)
        if key not in self._routes:
            path = self._path(*key)
            if self._is_mesh:
                # a packet that leaves by one side of a router comes in by the other of the next
                names = [source[2], *(_OPPOSITE[key[4]] for key in path[1:-1])]
                ports = (0, *(RouterPort[name].value for name in names))
                channels = tuple(self._channel(link) for link in path)
                header = self.request_header_flits if target[2] == "WEST" else 0
                self._routes[key] = Wormhole(channels, ports, self._depth, header)
            else:
                self._routes[key] = Way(tuple(self._link(link) for link in path))
        return self._routes[key]
