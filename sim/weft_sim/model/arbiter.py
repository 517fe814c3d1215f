"""The packet arbiter before a node's sender (``noc/arbiter.py``): packets of two clients in
turn.
"""

from __future__ import annotations

from collections.abc import Callable

from .events import Events
from .network import Link

__all__ = ["PacketArbiter"]


class PacketArbiter:
    """Lets one client at a time use a link; when several wait, not the one that had it last."""

    def __init__(self, events: Events, link: Link) -> None:
        self._events = events
        self._link = link
        self._last = 0
        self._waiting: dict[int, Callable[[], None]] = {}
        self._looks_at = -1

    def offer(self, client: int, send: Callable[[], None]) -> None:
        """``client`` has a packet; ``send()`` is called in the cycle in which it may go."""
        now = self._events.now
        # right after its own packet a client lets the other one offer in the same cycle
        latest = now if client != self._last else now - 1
        if not self._waiting and self._link.free <= latest:
            self._last = client
            send()
            return
        self._waiting[client] = send
        self._look()

    def _look(self) -> None:
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
        if self._link.free > self._events.now:
            self._look()
            return
        clients = sorted(self._waiting, key=lambda client: (client == self._last, client))
        self._last = clients[0]
        self._waiting.pop(clients[0])()
        if self._waiting:
            self._look()
