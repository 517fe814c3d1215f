"""A direction of a link of the mesh and the input buffer behind it; packets take turns there.

Rules and cycles: ``noc/input_buffer.py``, ``output_port.py``, ``credit.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable

from .events import Events

__all__ = ["Channel", "Packet"]


class Packet(ABC):
    """A packet on its way; ``entered`` is the cycle in which its head crosses the newest link."""

    __slots__ = ("entered", "flits")

    def __init__(self, flits: int) -> None:
        self.flits = flits
        self.entered = 0

    @abstractmethod
    def asks(self) -> Iterable[tuple[Channel, int]]:
        """The links it wants next, and the router port by which it asks for them."""

    def room_from(self, channel: Channel) -> int | None:
        """The cycle from which it may go on a link that is free; None if that is not known."""
        return 0

    @abstractmethod
    def granted(self, source: Channel, channel: Channel) -> bool:
        """It is its turn on a link that is free; says whether it goes now."""

    @abstractmethod
    def withdraw(self, channel: Channel) -> None:
        """It has not gone, and now it is the turn of another."""

    @abstractmethod
    def fill(self) -> None:
        """Places in the buffer that it comes into have become free."""


class Channel:
    """One direction of one link, and the input buffer behind it.

    ``free``: the first cycle in which it takes a flit, unless ``held``: then that is not known yet.
    ``waiters`` are called when it is. ``turn`` is the router port that is served last at first.
    """

    __slots__ = (
        "_asks",
        "_entered",
        "_entering",
        "_looks_at",
        "_offered",
        "_popped",
        "_pops",
        "_queue",
        "_turn",
        "_waits",
        "credit",
        "depth",
        "events",
        "free",
        "held",
        "waiters",
    )

    def __init__(self, events: Events, depth: int, *, first: bool, turn: int) -> None:
        self.events = events
        self.depth = depth
        #: cycles from a flit leaving the buffer to the next one taking its place
        self.credit = 1 if first else 2
        self._asks: dict[int, Channel] = {}
        self._offered: Packet | None = None
        self._turn = turn
        self._looks_at = -1
        #: flits that come in, flits known to go out, the cycles of the last of those
        self._entered = 0
        self._popped = 0
        self._pops = [-2] * depth
        self._queue: deque[Packet] = deque()
        self._entering: Packet | None = None
        self._waits = False
        self.free = 0
        self.held = False
        self.waiters: list[Callable[[], None]] = []

    # --- into the link ------------------------------------------------------------------------

    def take(self, packet: Packet) -> None:
        """A packet begins to come in; ``release`` follows as soon as its end is known."""
        self.held = True
        self._entering = packet

    def expect(self, flits: int) -> None:
        """So many flits come into the buffer behind the link."""
        self._entered += flits

    def place(self, packet: Packet, flit: int) -> int | None:
        """The cycle from which there is a place for a flit of the newest packet, ``flit`` being
        less than ``depth``; None if that is not known.
        """
        number = self._entered - packet.flits - self.depth + flit
        if number >= self._popped:
            return None
        return self._pops[number % self.depth] + self.credit if number >= 0 else 0

    def arrive(self, packet: Packet) -> None:
        """A packet's head is in the buffer one cycle after ``packet.entered``."""
        self._queue.append(packet)
        if len(self._queue) == 1:
            self.events.at(max(packet.entered, self._last_pop) + 1, self._ask)

    def room_from(self, flits: int) -> int | None:
        """The cycle from which there are credits for so many flits; None if that is not known."""
        number = self._entered + flits - self.depth
        if number > self._popped:
            return None
        return self._pops[(number - 1) % self.depth] + self.credit if number > 0 else 0

    def release(self, cycle: int) -> None:
        """The last flit of the packet that held the link crosses it before ``cycle``."""
        self.held = False
        self.free = max(self.free, cycle)
        waiters, self.waiters = self.waiters, []
        for call in waiters:
            call()
        self.look()

    @property
    def newest(self) -> Packet:
        """The packet that came in last."""
        assert self._entering is not None
        return self._entering

    # --- out of the buffer behind it ----------------------------------------------------------

    @property
    def oldest(self) -> Packet:
        """The packet whose head is at the front of the buffer."""
        return self._queue[0]

    @property
    def _last_pop(self) -> int:
        return self._pops[(self._popped - 1) % self.depth]

    def leave(self, pops: list[int], flits: int, *, whole: bool) -> None:
        """``flits`` of the oldest packet leave the buffer, the last of them in cycles ``pops``;
        ``whole``: then it is through.
        """
        self._popped += flits
        begin = self._popped - len(pops)
        for number, cycle in enumerate(pops, begin):
            self._pops[number % self.depth] = cycle
        if whole:
            self._queue.popleft()
            if self._queue:
                self.events.at(max(pops[-1], self._queue[0].entered) + 1, self._ask)
        if self._entering is not None:
            self._entering.fill()
        if self._waits:
            self._waits = False
            self.look()

    def _ask(self) -> None:
        """The oldest head asks for its next link."""
        for target, port in self._queue[0].asks():
            target._asks[port] = self
            target.look()

    # --- the router's output before the link --------------------------------------------------

    def look(self) -> None:
        """Takes the next packet once the last flit of the one before leaves the register."""
        if not self._asks or self.held:
            return
        cycle = max(self.free - 1, self.events.now)
        if cycle != self._looks_at:
            self._looks_at = cycle
            self.events.late(cycle, self._grant, cycle)

    def ask_from(self, cycle: int) -> None:
        """The oldest head is shown again in ``cycle``."""
        self.events.at(cycle, self._ask)

    def forget(self, port: int) -> None:
        """The head of the input at ``port`` does not ask any more from the next cycle on."""
        self._asks.pop(port, None)
        if self._asks:
            # the turn is another's
            self.events.at(self.events.now + 1, self.look)

    def served(self, port: int) -> None:
        """The head to which the link has been offered goes on it now."""
        self._offered = None
        self._turn = port
        del self._asks[port]

    def _grant(self, planned: int) -> None:
        if planned != self._looks_at:
            return
        self._looks_at = -1
        if self.held or not self._asks:
            return
        now = self.events.now
        if self.free - 1 > now:
            self.look()
            return
        # the input served last comes last
        port = min(self._asks, key=lambda port: (port - self._turn - 1) % 8)
        packet = self._asks[port].oldest
        if self._offered is not None and self._offered is not packet:
            self._offered.withdraw(self)
            self._offered = None
        cycle = packet.room_from(self)
        if cycle is None:
            # it keeps its turn until there is room
            self._waits = True
        elif cycle > now:
            self._looks_at = cycle
            self.events.late(cycle, self._grant, cycle)
        elif packet.granted(self._asks[port], self):
            self._turn = port
            del self._asks[port]
            self.look()
        else:
            self._offered = packet
