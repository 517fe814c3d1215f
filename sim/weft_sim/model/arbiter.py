"""The packet arbiter before a node's sender (``noc/arbiter.py``): two clients in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .events import Events
from .multicast import Tree
from .route import Route, Sender

if TYPE_CHECKING:
    from .endpoint import Endpoint

__all__ = ["PacketArbiter"]


class PacketArbiter:
    """Lets one client at a time use a link; when several wait, not the one that had it last.

    A packet to an endpoint that takes nothing more waits, and with it those behind it.
    """

    def __init__(self, events: Events, link: Sender, places: int) -> None:
        self._events = events
        self._link = link
        self._places = places
        self.last = 0
        self._waiting: dict[int, tuple[Callable[[], None], Endpoint, Route | Tree]] = {}
        self._looks_at = -1

    def offer(
        self, client: int, send: Callable[[], None], endpoint: Endpoint, way: Route | Tree
    ) -> None:
        """``client`` has a packet; ``send()`` is called in the cycle in which it may go."""
        now = self._events.now
        # right after its own packet a client lets the other one offer in the same cycle
        latest = now if client != self.last else now - 1
        free = not self._waiting and not self._link.held and self._link.free <= latest
        if free and self._is_taken(endpoint, way):
            self.last = client
            send()
            return
        self._waiting[client] = send, endpoint, way
        self._look()

    def _is_taken(self, endpoint: Endpoint, way: Route | Tree) -> bool:
        """Whether the network has a place for what the endpoint does not take."""
        return not way.gated or endpoint.held_flits <= self._places * way.routers

    def _look(self) -> None:
        if self._link.held:
            if self._look not in self._link.waiters:
                self._link.waiters.append(self._look)
            return
        cycle = max(self._link.free, self._events.now)
        if cycle != self._looks_at:
            self._looks_at = cycle
            self._events.late(cycle, self._grant, cycle)

    def _grant(self, planned: int) -> None:
        if planned != self._looks_at:
            return
        self._looks_at = -1
        if not self._waiting:
            return
        if self._link.held or self._link.free > self._events.now:
            self._look()
            return
        client = min(self._waiting, key=lambda client: (client == self.last, client))
        send, endpoint, way = self._waiting[client]
        if not self._is_taken(endpoint, way):
            endpoint.waiters.append(self._look)
            return
        del self._waiting[client]
        self.last = client
        send()
        if self._waiting:
            self._look()
