"""Packets to rectangles of tiles: trees of channels that routers replicate (``noc/fork.py``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

from weft_hw.noc.packet import RouterPort
from weft_hw.noc.routing import row_then_columns

from .channel import Channel, Packet

__all__ = ["Branch", "Tree", "TreePacket", "rectangle_of"]

#: What a packet delivers at each tile: (x, y, cycle in which its first flit arrives).
_Deliver = Callable[[int, int, int], None]
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
    """The channels from a tile to all tiles of a rectangle."""

    #: See ``route.Route``.
    gated = False
    routers = 0

    def __init__(
        self,
        channel: Callable[[tuple[str, int, int, str]], Channel],
        x: int,
        y: int,
        rectangle: SimpleNamespace,
    ) -> None:
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

    def send(self, cycle: int, flits: int, deliver: _Deliver) -> None:
        """Sends a packet from ``cycle`` on, in which the sender's channel must be free."""
        TreePacket(self.root, flits, deliver).go_on(cycle)

    @property
    def sender(self) -> Channel:
        """The sender's own channel."""
        return self.root.channel


class TreePacket(Packet):
    """A packet to tiles on one branch of its way.

    At a router it asks for all branches that go on, and goes to all of them at once; after as many
    cycles as it has flits since the first was ready, to those that are, and later to the others.
    """

    __slots__ = ("_begins", "_offered", "_serial", "_to_tiles", "branch", "left")

    def __init__(self, branch: Branch, flits: int, deliver: _Deliver) -> None:
        super().__init__(flits)
        self.branch = branch
        self.left = list(branch.children)
        self._to_tiles = deliver
        self._offered: list[Branch] = []
        self._serial = 0
        self._begins = 0

    def go_on(self, cycle: int) -> None:
        """The head may cross the branch's link from ``cycle`` on."""
        channel, tile = self.branch.channel, self.branch.tile
        self.entered = -1
        self._begins = cycle
        channel.take(self)
        if tile is None:
            channel.expect(self.flits)
            self.fill()
            return
        self.entered = cycle
        self._to_tiles(*tile, cycle)
        channel.release(cycle + self.flits)

    def fill(self) -> None:
        if self.entered >= 0:
            return
        channel, cycle = self.branch.channel, self._begins
        for flit in range(min(self.flits, channel.depth)):
            place = channel.place(self, flit)
            if place is None:
                return
            cycle = max(cycle, place - flit)
        self.entered = cycle
        channel.arrive(self)
        channel.release(cycle + self.flits)

    def asks(self) -> Iterator[tuple[Channel, int]]:
        return ((child.channel, child.port) for child in self.left)

    def fits(self, channel: Channel) -> bool:
        child = self._child(channel)
        return child.tile is not None or channel.has_room(self.flits)

    def _child(self, channel: Channel) -> Branch:
        return next(child for child in self.left if child.channel is channel)

    def granted(self, source: Channel, channel: Channel) -> None:
        """An output is ready; it waits for the others."""
        channel.held = True
        self._offered.append(self._child(channel))
        if len(self._offered) == len(self.left):
            self._go(source)
        elif len(self._offered) == 1:
            self._serial += 1
            source.events.after(self.flits, self._give_up, source, self._serial)

    def _give_up(self, source: Channel, serial: int) -> None:
        if serial == self._serial and self._offered:
            self._go(source)

    def _go(self, source: Channel) -> None:
        """To all outputs that are ready."""
        now = source.events.now
        self._serial += 1
        offered, self._offered = self._offered, []
        self.left = [child for child in self.left if child not in offered]
        if not self.left:
            first = max(0, self.flits - source.depth)
            pops = [now + flit for flit in range(first, self.flits)]
            source.leave(pops, self.flits, whole=True)
        for child in offered:
            TreePacket(child, self.flits, self._to_tiles).go_on(now + 1)
