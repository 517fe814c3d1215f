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

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .channel import Channel, Packet
from .timing import TIMING

if TYPE_CHECKING:
    from .wormhole import Wormhole

__all__ = ["Worm"]

_HOP = TIMING.hop_cycles


class Worm(Packet):
    """A packet under way, and what is known of its waits.

    ``grants[l]``: its head takes the register before link ``l``; ``crossed[l]``: it crosses the
    link. ``waits[l]``: (flit, cycle) of later flits that wait there. ``room[l]``: how many of its
    first flits are known to find a place behind link ``l``. ``popped[l]``: how many are known to
    leave the buffer behind it, ``emptied`` buffers have no more to leave. ``tails`` links are known
    to be left by its last flit. ``taken``: of how many flits it is known when the receiver takes
    them. ``needs``: how many of its first flits need places left by others behind a link, the last
    one of which leads to the receiver.
    """

    __slots__ = (
        "begun",
        "crossed",
        "deliver",
        "emptied",
        "grants",
        "last",
        "needs",
        "popped",
        "room",
        "route",
        "tails",
        "taken",
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
        self.last = len(route.links) - 1
        self.needs = min(route.depth, flits)
        self.popped = [0] * self.last
        self.emptied = 0
        self.tails = 0
        self.taken = 0 if route.header_flits else flits

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
        if number == self.last:
            self.crossed.append(cycle + 1)
            self.resolve()
            return
        channel.expect(self.flits)
        self.fill()

    def granted(self, source: Channel, channel: Channel) -> bool:
        now, number, depth = source.events.now, len(self.grants), self.route.depth
        if self.flits > depth:
            # the place of the head is that of a flit behind
            cycle = now + source.credit
            if cycle > self.cycle_of(number - 1, depth):
                self.waits[number - 1].append((depth, cycle))
        self.popped[number - 1] = 1
        source.leave([now], 1, whole=self.flits == 1)
        self.go_on(now)
        return True

    def withdraw(self, channel: Channel) -> None:
        """It goes as soon as it is its turn."""

    def fill(self) -> None:
        """Finds out for which of its first flits the newest buffer has places, and when."""
        number = len(self.grants) - 1
        room, places = self.room[number], self.needs
        if room == places or number == self.last:
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
        crossed, rooms, needs, last = len(self.crossed), self.room, self.needs, self.last
        if crossed <= link:
            return False
        # a place for each of its first flits
        least = flit + 1 if flit < needs else needs
        for number in range(min(link + 1, last)):
            if rooms[number] < least:
                return False
        ahead, places = flit, self.route.depth + 1
        for number in range(link + 1, last + 1):
            ahead -= places
            if ahead < -1:
                return True
            if len(self.grants) <= number:
                return False
            if ahead < 0:
                return True
            if crossed <= number:
                return False
            if number < last and rooms[number] <= ahead and rooms[number] < needs:
                return False
        return ahead < self.taken or ahead < self.route.header_flits - 1

    def resolve(self) -> None:
        """Something has become known: tells the links, the buffers and the receiver."""
        if self.begun is not None and self.knows(0, self.begun[0] - 1):
            count, call = self.begun
            self.begun = None
            call(self.cycle_of(0, count - 1))
        links, flits, last = self.route.links, self.flits, self.last
        for number in range(self.emptied + 1, len(self.grants)):
            if self.popped[number - 1] < flits:
                self._pop(number)
            if self.emptied == number - 1 and self.popped[number - 1] == flits:
                self.emptied = number
        while self.tails <= last and self.knows(self.tails, flits - 1):
            number = self.tails
            self.tails += 1
            links[number].release(self.cycle_of(number, flits - 1) + 1)
        deliver = self.deliver
        if deliver is None or len(self.crossed) <= last:
            return
        if not self.route.header_flits:
            if self.tails > last:
                self.deliver = None
                deliver(self.cycle_of(last, flits - 1) - flits + 1)
            return
        header = self.route.header_flits
        if all(self.room[number] >= min(header, self.needs) for number in range(last)):
            self.deliver = None
            deliver(self.cycle_of(last, header - 1) - header + 1)

    def _pop(self, number: int) -> None:
        """Tells the buffer before a link which flits are known to leave it, and when."""
        first = self.popped[number - 1]
        end = self.flits
        if not self._knows_pop(number, end - 1):
            end = first
            while self._knows_pop(number, end):
                end += 1
            if end == first:
                return
        self.popped[number - 1] = end
        pops = [
            max(self.cycle_of(number - 1, flit) + 1, self.cycle_of(number, flit - 1))
            for flit in range(max(first, end - self.route.depth), end)
        ]
        self.route.links[number - 1].leave(pops, end - first, whole=end == self.flits)

    def _knows_pop(self, number: int, flit: int) -> bool:
        return self.knows(number, flit - 1) and self.knows(number - 1, flit)

    def take(self, flits: int, cycle: int) -> None:
        """The receiver takes the first ``flits`` flits, the last of them in ``cycle``."""
        self.taken = flits
        if cycle > self.cycle_of(self.last, flits - 1):
            self.waits[self.last].append((flits - 1, cycle))
        self.resolve()
