"""Packets to rectangles of tiles: trees of channels that routers replicate (``noc/fork.py``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace

from weft_hw.noc.packet import RouterPort
from weft_hw.noc.routing import row_then_columns

from .channel import Channel, Packet

__all__ = ["Branch", "Tree", "TreePacket", "rectangle_of"]

#: What a packet delivers at each tile: (x, y, cycle in which its last flit arrives if nothing holds
#: it up, what is to be told the cycle after it is taken).
_Deliver = Callable[[int, int, int, Callable[[int], None]], None]
_STEP = {"EAST": (1, 0), "WEST": (-1, 0), "NORTH": (0, -1), "SOUTH": (0, 1)}
_OPPOSITE = {"EAST": "WEST", "WEST": "EAST", "NORTH": "SOUTH", "SOUTH": "NORTH"}


def rectangle_of(fields: SimpleNamespace) -> SimpleNamespace:
    """The rectangle of a STORE to tiles."""
    names = ("x_first", "y_first", "x_last", "y_last")
    return SimpleNamespace(**{name: getattr(fields, name) for name in names})


class Branch:
    """A channel of a tree, asked for by the input ``port`` of the router before it.

    ``tile`` is (x, y) where it leads to a tile, else None, and ``children`` go on from it.
    """

    __slots__ = ("channel", "children", "port", "tile")

    def __init__(self, channel: Channel, port: int, tile: tuple[int, int] | None) -> None:
        self.channel = channel
        self.port = port
        self.tile = tile
        self.children: list[Branch] = []


class Tree:
    """The channels from a tile to all tiles of a rectangle.

    ``largest``: flits of the largest packet to tiles, for which there must be room wherever one of
    any size goes, and the cycles for which an output may be kept waiting for others.
    """

    #: See ``route.Route``.
    gated = False
    routers = 0

    def __init__(
        self,
        channel: Callable[[tuple[str, int, int, str]], Channel],
        x: int,
        y: int,
        rectangle: SimpleNamespace,
        largest: int,
    ) -> None:
        self.largest = largest
        self._channel = channel
        self._rectangle = rectangle
        self.root = Branch(channel(("in", x, y, "LOCAL")), 0, None)
        self._grow(self.root, x, y, "LOCAL")

    def _grow(self, branch: Branch, x: int, y: int, came_by: str) -> None:
        for name in self._ways(x, y, came_by):
            tile = (x, y) if name == "LOCAL" else None
            channel = self._channel(("out", x, y, name))
            child = Branch(channel, RouterPort[came_by].value, tile)
            branch.children.append(child)
            if tile is None:
                dx, dy = _STEP[name]
                self._grow(child, x + dx, y + dy, _OPPOSITE[name])

    def _ways(self, x: int, y: int, came_by: str) -> Iterator[str]:
        for wanted, port in row_then_columns(x, y, RouterPort[came_by], self._rectangle):
            if wanted:
                yield port.name

    def send(
        self,
        cycle: int,
        flits: int,
        deliver: _Deliver,
        begun: tuple[int, Callable[[int], None]],
        waits: Sequence[tuple[int, int]],
    ) -> None:
        """Sends a packet from ``cycle`` on, in which the sender's channel must be free.

        ``begun`` and ``waits``: see ``route.Route``.
        """
        TreePacket(self, self.root, flits, deliver).start(cycle, begun, dict(waits))

    def watch(self, flit: int, call: Callable[[int], None]) -> None:
        """See ``route.Route``."""
        packet = self.sender.newest
        assert isinstance(packet, TreePacket)
        packet.watch(flit + 1, call)

    @property
    def sender(self) -> Channel:
        """The sender's own channel."""
        return self.root.channel


class TreePacket(Packet):
    """A packet to tiles on one branch of its way.

    At a router it asks for all branches that go on. As soon as all offer themselves it goes to all
    of them at once; if some have offered and others not for ``Tree.largest`` cycles, to those that
    do, and in a further pass to the others. ``times`` are the cycles in which its flits cross the
    link.
    """

    __slots__ = (
        "_begun",
        "_left",
        "_offers",
        "_patience",
        "_since",
        "_to_tiles",
        "_tree",
        "_waits",
        "branch",
        "times",
    )

    def __init__(self, tree: Tree, branch: Branch, flits: int, deliver: _Deliver) -> None:
        super().__init__(flits)
        self.branch = branch
        self.times: list[int] = []
        self._tree = tree
        self._to_tiles = deliver
        self._left = list(branch.children)
        self._offers: list[Branch] = []
        self._patience = tree.largest
        self._since = 0
        self._begun: tuple[int, Callable[[int], None]] | None = None
        self._waits: dict[int, int] = {}

    # --- onto a link --------------------------------------------------------------------------

    def start(
        self, cycle: int, begun: tuple[int, Callable[[int], None]], waits: dict[int, int]
    ) -> None:
        """From the sender into the first router, from ``cycle`` on."""
        channel = self.branch.channel
        self._begun, self._waits = begun, waits
        self._since = cycle
        channel.take(self)
        channel.expect(self.flits)
        self.fill()

    def fill(self) -> None:
        times, channel = self.times, self.branch.channel
        if len(times) == self.flits:
            return
        while len(times) < self.flits:
            flit = len(times)
            place = channel.place(self, flit)
            if place is None:
                break
            earliest = times[-1] + 1 if times else self._since
            times.append(max(earliest, place, self._waits.get(flit, 0)))
        self._tell()
        if len(times) == self.flits:
            self.entered = times[0]
            channel.arrive(self)
            channel.release(times[-1] + 1)

    def watch(self, flits: int, call: Callable[[int], None]) -> None:
        """``call`` is given the cycle in which the last of so many flits leaves the sender."""
        self._begun = flits, call
        self._tell()

    def _tell(self) -> None:
        if self._begun is not None and len(self.times) >= self._begun[0]:
            count, call = self._begun
            self._begun = None
            call(self.times[count - 1])

    def _go_on(self, times: list[int]) -> None:
        """Its flits cross the link out of a router in these cycles."""
        channel, tile = self.branch.channel, self.branch.tile
        self.times, self.entered = times, times[0]
        channel.take(self)
        if tile is None:
            channel.expect(self.flits)
            channel.arrive(self)
            channel.release(times[-1] + 1)
        else:
            self._to_tiles(*tile, times[-1], channel.release)

    # --- out of the buffer behind it ----------------------------------------------------------

    def asks(self) -> Iterator[tuple[Channel, int]]:
        return ((child.channel, child.port) for child in self._left)

    def room_from(self, channel: Channel) -> int | None:
        if self._child(channel).tile is not None:
            return 0
        return channel.room_from(self._tree.largest)

    def _child(self, channel: Channel) -> Branch:
        return next(child for child in self._left if child.channel is channel)

    def granted(self, source: Channel, channel: Channel) -> bool:
        """An output offers itself; it may be taken back until the others do."""
        child, events = self._child(channel), source.events
        if child not in self._offers:
            if not self._offers:
                self._since = events.now
                events.last(events.now + self._patience, self._decide, source)
            self._offers.append(child)
            events.last(events.now, self._decide, source)
        return False

    def withdraw(self, channel: Channel) -> None:
        self._offers.remove(self._child(channel))
        if not self._offers:
            self._patience -= channel.events.now - self._since

    def _decide(self, source: Channel) -> None:
        """To all outputs that offer themselves, if it need not wait for the others."""
        now, offers = source.events.now, self._offers
        final = len(offers) == len(self._left)
        if not offers or not (final or now >= self._since + self._patience):
            return
        self._left = [child for child in self._left if child not in offers]
        self._offers = []
        self._patience = self._tree.largest
        leaves = [now]
        for time in self.times[1:]:
            leaves.append(max(leaves[-1], time) + 1)
        for child in self._left:
            child.channel.forget(child.port)
        for child in offers:
            child.channel.served(child.port)
        if final:
            source.leave(leaves, self.flits, whole=True)
        else:
            # it is shown again
            source.ask_from(leaves[-1] + 1)
        for child in offers:
            packet = TreePacket(self._tree, child, self.flits, self._to_tiles)
            packet._go_on([cycle + 1 for cycle in leaves])
