"""Packets between tiles and endpoints on a mesh: wormholes that wait, hold links and take turns.

A packet's head goes from link to link, ``TIMING.hop_cycles`` each, where it waits for its turn
among the inputs of a router (``noc/output_port.py``: round robin, packet by packet). Its flits
follow; those that find no place in the next input buffer hold the link they stand on. An endpoint
that does not accept a packet holds the last link.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from .events import Events
from .timing import TIMING

__all__ = ["Channel", "Packet", "Wormhole"]


class Packet:
    """A packet on its way."""

    __slots__ = ("entered", "flits")

    def __init__(self, flits: int) -> None:
        self.flits = flits
        self.entered = 0

    def enters(self, cycle: int) -> bool:
        """Its first flit crosses the next link of its way; whether that is the last."""
        raise NotImplementedError

    @property
    def holds(self) -> bool:
        """Whether the last link waits for the receiver to release it."""
        raise NotImplementedError

    def asks(self) -> Iterable[tuple[Channel, int]]:
        """The links it wants next, and the router port by which it asks for them."""
        raise NotImplementedError

    def fits(self, channel: Channel) -> bool:
        """Whether it may go on a link that is free."""
        return True

    def granted(self, source: Channel, channel: Channel) -> None:
        """It is its turn on a link that is free."""
        source.leaves(self, source.events.now)
        channel.take(self, source.events.now)


class _UnicastPacket(Packet):
    __slots__ = ("_deliver", "_place", "_route")

    def __init__(self, route: Wormhole, flits: int, deliver: Callable[[int], None]) -> None:
        super().__init__(flits)
        self._route = route
        self._deliver = deliver
        self._place = 0

    def enters(self, cycle: int) -> bool:
        self._place += 1
        if self._place < len(self._route.links):
            return False
        self._deliver(cycle)
        return True

    @property
    def holds(self) -> bool:
        return self._route.holds

    def asks(self) -> Iterable[tuple[Channel, int]]:
        return ((self._route.links[self._place], self._route.ports[self._place]),)


class _Buffer:
    """Input buffer of a router behind one channel: packets whose heads have not gone on.

    ``flits`` counts theirs, on their way included; ``pending`` is the packet that still holds the
    channel because its tail has no place.
    """

    __slots__ = ("flits", "heads_from", "pending", "queue")

    def __init__(self) -> None:
        self.queue: deque[Packet] = deque()
        self.flits = 0
        self.heads_from = 0
        self.pending: Packet | None = None


class Channel:
    """One direction of one link. ``free``: the first cycle in which it takes a flit, unless
    ``held``.

    ``waiters`` are called when it is released.
    """

    __slots__ = (
        "_asks",
        "_depth",
        "_looks_at",
        "_turn",
        "_waits",
        "buffer",
        "events",
        "free",
        "held",
        "waiters",
    )

    def __init__(self, events: Events, depth: int) -> None:
        self.events = events
        self._depth = depth
        self._asks: dict[int, Channel] = {}
        self._turn = 0
        self._looks_at = -1
        self._waits = False
        self.buffer = _Buffer()
        self.free = 0
        self.held = False
        self.waiters: list[Callable[[], None]] = []

    def take(self, packet: Packet, cycle: int) -> None:
        """A packet's first flit crosses the link in ``cycle``."""
        packet.entered = cycle
        self.free = cycle + packet.flits
        self.held = packet.holds
        if packet.enters(cycle):
            return
        self.held = False
        buffer = self.buffer
        if buffer.flits + packet.flits > self._depth:
            buffer.pending = packet
            self.held = True
        buffer.flits += packet.flits
        self.events.at(cycle + TIMING.hop_cycles, self._arrive, packet)

    def release(self, cycle: int) -> None:
        """The last flit of the packet that held the link leaves it before ``cycle``."""
        self.held = False
        self.free = max(self.free, cycle)
        waiters, self.waiters = self.waiters, []
        for call in waiters:
            call()
        self.look()

    # --- the router behind the link -----------------------------------------------------------

    def _arrive(self, packet: Packet) -> None:
        """A head is in the input buffer."""
        self.buffer.queue.append(packet)
        if len(self.buffer.queue) == 1:
            self._ask()

    def _ask(self) -> None:
        """The oldest head asks for its next link, once the packet before it is through."""
        buffer, now = self.buffer, self.events.now
        if not buffer.queue:
            return
        if buffer.heads_from > now:
            self.events.at(buffer.heads_from, self._ask)
            return
        for target, port in buffer.queue[0].asks():
            target._asks[port] = self
            target.look()

    def look(self) -> None:
        """Somebody may want the link."""
        if self._asks and not self.held:
            self._look(self.free)

    def has_room(self, flits: int) -> bool:
        """Whether a packet finds room in the buffer behind the link."""
        return self.buffer.flits + flits <= self._depth

    def _look(self, cycle: int) -> None:
        cycle = max(cycle, self.events.now)
        if cycle != self._looks_at:
            self._looks_at = cycle
            self.events.late(cycle, self._grant, cycle)

    def _grant(self, planned: int) -> None:
        if planned != self._looks_at:
            return
        self._looks_at = -1
        if self.held or not self._asks:
            return
        now = self.events.now
        if self.free > now:
            self._look(self.free)
            return
        # the input served last comes last
        port = min(self._asks, key=lambda port: (port - self._turn - 1) % 8)
        packet = self._asks[port].buffer.queue[0]
        if not packet.fits(self):
            # it keeps its turn until there is room
            self._waits = True
            return
        self._turn = port
        packet.granted(self._asks.pop(port), self)
        self.look()

    def leaves(self, packet: Packet, cycle: int) -> None:
        """The head of the oldest packet has gone on from the input buffer; its flits follow."""
        buffer = self.buffer
        buffer.queue.popleft()
        buffer.flits -= packet.flits
        buffer.heads_from = cycle + packet.flits
        tail = buffer.pending
        if tail is not None:
            behind = 0 if tail is packet else buffer.flits
            if behind <= self._depth:
                buffer.pending = None
                room = cycle + packet.flits + behind - self._depth
                self.release(max(tail.entered + tail.flits, room))
        if buffer.queue:
            self.events.at(buffer.heads_from, self._ask)
        if self._waits:
            self._waits = False
            self.look()


class Wormhole:
    """The channels from one node to another, the sender's own first.

    ``ports[i]`` is the number of the router port by which channel ``i - 1`` comes in; ``holds``
    says that the last channel waits for the receiver to ``release`` it.
    """

    __slots__ = ("holds", "links", "ports")

    #: The network itself makes packets wait; their senders need not look ahead.
    gated = False

    def __init__(self, links: tuple[Channel, ...], ports: tuple[int, ...], holds: bool) -> None:
        self.links = links
        self.ports = ports
        self.holds = holds

    def send(self, cycle: int, flits: int, deliver: Callable[[int], None]) -> None:
        """Sends a packet from ``cycle`` on, in which the sender's channel must be free.

        ``deliver(head)`` is called in the cycle in which its first flit arrives.
        """
        self.links[0].take(_UnicastPacket(self, flits, deliver), cycle)

    def release(self, cycle: int) -> None:
        """The receiver has taken the packet delivered: its last flit comes before ``cycle``."""
        if self.holds:
            self.links[-1].release(cycle)

    @property
    def sender(self) -> Channel:
        """The sender's own channel."""
        return self.links[0]

    @property
    def routers(self) -> int:
        """Routers on the way."""
        return len(self.links) - 1
