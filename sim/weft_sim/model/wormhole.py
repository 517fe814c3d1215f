"""The way of a packet from node to node on a mesh: see ``worm`` for what happens on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .channel import Channel
from .route import Route
from .worm import Worm

__all__ = ["Wormhole"]


class Wormhole(Route):
    """``ports[i]`` is the number of the router port by which channel ``i - 1`` comes in;
    ``header_flits`` those of the header if the receiver may make packets wait, else 0.
    """

    __slots__ = ("_links", "depth", "header_flits", "ports")

    def __init__(
        self, links: tuple[Channel, ...], ports: tuple[int, ...], depth: int, header_flits: int
    ) -> None:
        self._links = links
        self.ports = ports
        self.depth = depth
        self.header_flits = header_flits

    @property
    def links(self) -> tuple[Channel, ...]:
        return self._links

    def send(
        self,
        cycle: int,
        flits: int,
        deliver: Callable[[int], None],
        begun: tuple[int, Callable[[int], None]] | None = None,
        waits: Sequence[tuple[int, int]] = (),
    ) -> None:
        packet = Worm(self, flits, deliver, begun)
        packet.waits[0] += waits
        packet.go_on(cycle - 1)

    def sent(self, flit: int, flits: int) -> int:
        return self._newest(0).cycle_of(0, flit)

    def watch(self, flit: int, call: Callable[[int], None]) -> None:
        packet = self._newest(0)
        packet.begun = flit + 1, call
        packet.resolve()

    def take_header(self, cycle: int) -> None:
        if self.header_flits:
            self._newest(-1).take(self.header_flits, cycle)

    def take_data(self, flits: int, cycle: int) -> None:
        if self.header_flits and flits:
            self._newest(-1).take(self.header_flits + flits, cycle)

    def _newest(self, link: int) -> Worm:
        """The packet that came onto a link last."""
        packet = self._links[link].newest
        assert isinstance(packet, Worm)
        return packet
