"""Packets between tiles and endpoints on a mesh: wormholes that wait, hold links and take turns.

A packet's head goes from link to link; its flits follow, one a cycle, as far as there is room: a
router has an input buffer of ``depth`` flits and, at each output, a register that drives the link.
Nothing is counted flit by flit. Between two waits a packet's flits are one cycle apart, so the
cycle of a flit on a link is the latest of a few straight lines, one for each cycle in which its
head (or, rarely, a later flit) had to wait somewhere: flit ``i`` crossing link ``l`` in cycle ``t``
lets flit ``j`` cross link ``L``, links being numbered along the way,

* downstream (``L >= l``) not before ``t + (j - i) + 2 (L - l)``, a router taking two cycles;
* upstream not before ``t + (j - i) - (depth - 1) (l - L)``: each router between has places for
  ``depth + 1`` flits, and a credit is spent two cycles after its flit has left (into the first
  router, which shows its node whether it has room, one).

Rules and cycles: ``noc/router.py``, ``input_buffer.py``, ``output_port.py``, ``credit.py``. Exact
for buffers of 3 flits or more, which carry a flit a cycle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from .events import Events
from .timing import TIMING

__all__ = ["Channel", "Packet", "Wormhole"]

_HOP = TIMING.hop_cycles


class Packet:
    """A packet on its way; ``entered`` is the cycle in which its head crosses the newest link."""

    __slots__ = ("entered", "flits")

    def __init__(self, flits: int) -> None:
        self.flits = flits
        self.entered = 0

    def asks(self) -> Iterable[tuple[Channel, int]]:
        """The links it wants next, and the router port by which it asks for them."""
        raise NotImplementedError

    def fits(self, channel: Channel) -> bool:
        """Whether it may go on a link that is free."""
        return True

    def granted(self, source: Channel, channel: Channel) -> None:
        """It is its turn on a link that is free."""
        raise NotImplementedError

    def fill(self) -> None:
        """Places in the buffer that it comes into have become free."""


class _Worm(Packet):
    """A packet under way, and what is known of its waits.

    ``grants[l]``: its head takes the register before link ``l``; ``crossed[l]``: it crosses the
    link. ``waits[l]``: (flit, cycle) of later flits that wait there. ``room[l]``: how many of its
    first flits are known to find a place behind link ``l``. ``tails`` links and ``popped`` buffers
    are known to be left by its last flit.
    """

    __slots__ = (
        "accepted",
        "begun",
        "crossed",
        "deliver",
        "grants",
        "popped",
        "released",
        "room",
        "route",
        "tails",
        "waits",
    )

    def __init__(
        self,
        route: Wormhole,
        flits: int,
        deliver: Callable[[int], None],
        begun: tuple[int, Callable[[int], None]] | None,
    ) -> None:
        super().__init__(flits)
        self.begun = begun
        self.route = route
        self.deliver: Callable[[int], None] | None = deliver
        self.grants: list[int] = []
        self.crossed: list[int] = []
        self.room: list[int] = []
        self.waits: list[list[tuple[int, int]]] = [[] for _ in route.links]
        self.tails = self.popped = 0
        self.accepted = self.released = not route.header_flits

    # --- from link to link --------------------------------------------------------------------

    def asks(self) -> Iterable[tuple[Channel, int]]:
        place = len(self.grants)
        return ((self.route.links[place], self.route.ports[place]),)

    def go_on(self, cycle: int) -> None:
        """The head takes the register before the next link, or a node's sender offers it."""
        route, number = self.route, len(self.grants)
        channel = route.links[number]
        channel.take(self)
        self.grants.append(cycle)
        self.room.append(0)
        if number + 1 == len(route.links):
            self.crossed.append(cycle + 1)
            self.resolve()
            return
        channel.expect(self.flits)
        self.fill()

    def granted(self, source: Channel, channel: Channel) -> None:
        now, number, depth = source.events.now, len(self.grants), self.route.depth
        if self.flits > depth:
            # the place of the head is that of a flit behind
            cycle = now + source.credit
            if cycle > self.cycle_of(number - 1, depth):
                self.waits[number - 1].append((depth, cycle))
        if self.flits == 1:
            self.popped = number
        source.leave([now], 1, whole=self.flits == 1)
        self.go_on(now)

    def fill(self) -> None:
        """Finds out for which of its first flits the newest buffer has places, and when."""
        number = len(self.grants) - 1
        room, places = self.room[number], self.route.places(number, self.flits)
        if room == places:
            return
        channel = self.route.links[number]
        while room < places:
            free = channel.place(self, room)
            if free is None:
                break
            if room == 0:
                self.entered = max(self.grants[number] + 1, free)
                self.crossed.append(self.entered)
                channel.arrive(self)
            elif free > self.crossed[number] + room:
                self.waits[number].append((room, free))
            room += 1
        if room > self.room[number]:
            self.room[number] = room
            self.resolve()

    # --- what is known ------------------------------------------------------------------------

    def cycle_of(self, link: int, flit: int) -> int:
        """The cycle in which a flit crosses a link, by the waits known now."""
        best = 0
        places = self.route.depth + 1
        for number, head in enumerate(self.crossed):
            distance = link - number
            if distance >= 0:
                here, lag = flit, _HOP * distance
            else:
                here = flit + places * distance
                if here < 0:
                    break
                lag = -2 * distance - (link == 0)
            cycle = head + here + lag
            if cycle > best:
                best = cycle
            for first, wait in self.waits[number]:
                cycle = wait + here - first + lag
                if here >= first and cycle > best:
                    best = cycle
        return best

    def knows(self, link: int, flit: int) -> bool:
        """Whether ``cycle_of`` is final."""
        route = self.route
        if len(self.crossed) <= link:
            return False
        if any(self._waits_for_room(number, flit) for number in range(link + 1)):
            return False
        last = len(route.links) - 1
        ahead = flit
        for number in range(link + 1, last + 1):
            ahead -= route.depth + 1
            if ahead < -1:
                return True
            if len(self.grants) <= number:
                return False
            if ahead < 0:
                return True
            if len(self.crossed) <= number or self._waits_for_room(number, ahead):
                return False
        if ahead >= route.header_flits - 1 and not self.accepted:
            return False
        return self.released or ahead < route.header_flits

    def _waits_for_room(self, number: int, flit: int) -> bool:
        """Whether it is not known when there is a place for all flits up to ``flit``."""
        room = self.room[number]
        return room <= flit and room < self.route.places(number, self.flits)

    def resolve(self) -> None:
        """Something has become known: tells the links, the buffers and the receiver."""
        if self.begun is not None and self.knows(0, self.begun[0] - 1):
            count, call = self.begun
            self.begun = None
            call(self.cycle_of(0, count - 1))
        links, flits = self.route.links, self.flits
        last = len(links) - 1
        while self.popped < last:
            number = self.popped + 1
            if len(self.grants) <= number:
                break
            if not (self.knows(number, flits - 2) and self.knows(number - 1, flits - 1)):
                break
            self.popped = number
            pops = [
                max(self.cycle_of(number - 1, flit) + 1, self.cycle_of(number, flit - 1))
                for flit in range(max(1, flits - self.route.depth), flits)
            ]
            links[number - 1].leave(pops, flits - 1, whole=True)
        while self.tails <= last and self.knows(self.tails, flits - 1):
            number = self.tails
            self.tails += 1
            links[number].release(self.cycle_of(number, flits - 1) + 1)
        deliver = self.deliver
        if deliver is None or len(self.crossed) <= last:
            return
        if self.accepted:
            if self.tails > last:
                self.deliver = None
                deliver(self.cycle_of(last, flits - 1) - flits + 1)
            return
        header = self.route.header_flits
        if not any(self._waits_for_room(number, header - 1) for number in range(last)):
            self.deliver = None
            deliver(self.cycle_of(last, header - 1) - header + 1)

    def accept(self, cycle: int) -> None:
        """The receiver takes the last flit of the header."""
        self.accepted = True
        self._wait(self.route.header_flits - 1, cycle)

    def release(self, cycle: int) -> None:
        """The receiver takes the last flit before ``cycle``."""
        self.released = True
        self._wait(self.flits - 1, cycle - 1)

    def _wait(self, flit: int, cycle: int) -> None:
        last = len(self.route.links) - 1
        if cycle > self.cycle_of(last, flit):
            self.waits[last].append((flit, cycle))
        self.resolve()


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

    def has_room(self, flits: int) -> bool:
        """Whether so many flits find room in the buffer behind the link."""
        return self._entered - self._popped + flits <= self.depth

    def release(self, cycle: int) -> None:
        """The last flit of the packet that held the link crosses it before ``cycle``."""
        self.held = False
        self.free = max(self.free, cycle)
        waiters, self.waiters = self.waiters, []
        for call in waiters:
            call()
        self.look()

    @property
    def newest(self) -> _Worm:
        """The packet that came in last."""
        assert isinstance(self._entering, _Worm)
        return self._entering

    # --- out of the buffer behind it ----------------------------------------------------------

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

    def _grant(self, planned: int) -> None:
        if planned != self._looks_at:
            return
        self._looks_at = -1
        if self.held or not self._asks:
            return
        if self.free - 1 > self.events.now:
            self.look()
            return
        # the input served last comes last
        port = min(self._asks, key=lambda port: (port - self._turn - 1) % 8)
        packet = self._asks[port]._queue[0]
        if not packet.fits(self):
            # it keeps its turn until there is room
            self._waits = True
            return
        self._turn = port
        packet.granted(self._asks.pop(port), self)
        self.look()


class Wormhole:
    """The channels from one node to another, the sender's own first.

    ``ports[i]`` is the number of the router port by which channel ``i - 1`` comes in;
    ``header_flits`` those of the header if the receiver may make packets wait, else 0.
    """

    __slots__ = ("depth", "header_flits", "links", "ports")

    #: The network itself makes packets wait; their senders need not look ahead.
    gated = False

    def __init__(
        self, links: tuple[Channel, ...], ports: tuple[int, ...], depth: int, header_flits: int
    ) -> None:
        self.links = links
        self.ports = ports
        self.depth = depth
        self.header_flits = header_flits

    def places(self, number: int, flits: int) -> int:
        """How many of a packet's first flits need places left by others behind a link."""
        return 0 if number == len(self.links) - 1 else min(self.depth, flits)

    def send(
        self,
        cycle: int,
        flits: int,
        deliver: Callable[[int], None],
        begun: tuple[int, Callable[[int], None]] | None = None,
        waits: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Sends a packet from ``cycle`` on, in which the sender's channel must be free.

        ``deliver(head)`` is called as soon as it is known that its first flit arrives in cycle
        ``head`` and the others (the header's, if the receiver may make it wait) without a pause
        behind it. ``begun`` is (flits, call): ``call`` is given the cycle in which so many of its
        flits have left the sender. ``waits``: (flit, cycle) of flits that come late.
        """
        packet = _Worm(self, flits, deliver, begun)
        packet.waits[0] += waits
        packet.go_on(cycle - 1)

    def sent(self, flit: int, flits: int) -> int:
        """The cycle in which a flit of the last packet, of ``flits``, has left the sender, whose
        channel must be free again.
        """
        return self.links[0].newest.cycle_of(0, flit)

    def accept(self, cycle: int) -> None:
        """The receiver takes the header of the packet delivered in ``cycle``."""
        if self.header_flits:
            self.links[-1].newest.accept(cycle)

    def stall(self, flit: int, cycle: int) -> None:
        """The receiver takes a data flit of the packet delivered in ``cycle``, later than it
        could come.
        """
        if self.header_flits:
            packet = self.links[-1].newest
            packet.waits[-1].append((self.header_flits + flit, cycle))

    def release(self, cycle: int) -> None:
        """The receiver takes the last flit of the packet delivered before ``cycle``."""
        if self.header_flits:
            self.links[-1].newest.release(cycle)

    @property
    def sender(self) -> Channel:
        """The sender's own channel."""
        return self.links[0]

    @property
    def routers(self) -> int:
        """Routers on the way."""
        return len(self.links) - 1
