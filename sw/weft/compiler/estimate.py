"""Modelled cycles of a program: closed forms for each command, dependencies between them.

A planner's model, to compare plans; the cycle model is the one to believe.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from weft_hw.isa import Engine, Opcode

from .cost import Timing
from .program import Step, bits_of, receivers

__all__ = ["Estimate", "estimate", "timed"]

#: Tiles of a row that get the same of its endpoint.
_FAIR_TILES = 2


@dataclass(slots=True)
class Estimate:
    """Modelled cycles of one tile's program. ``starts``: of each step; ``bus_cycles``: of the
    busiest endpoint.
    """

    cycles: int = 0
    array_cycles: int = 0
    bus_cycles: int = 0
    starts: list[int] = field(default_factory=list)


def estimate(steps: Iterable[Step], timing: Timing, tile: tuple[int, int]) -> Estimate:
    """Of ``tile``, when others do what is among ``steps``."""
    found = timed(steps, timing)
    own = found[tile]
    own.cycles = max(one.cycles for one in found.values())
    return own


def timed(steps: Iterable[Step], timing: Timing) -> dict[tuple[int, int], Estimate]:
    """Runs steps of tiles, each tile's in ring order, against the closed forms. A wait for what no
    step gives takes no time.
    """
    return _Run(list(steps), timing).finish()


@dataclass(slots=True)
class _Engine:
    """Steps of an engine; how many were dispatched and when, how many have started, when it is
    free, when its last write so far is seen, when steps ended.
    """

    steps: list[Step] = field(default_factory=list)
    dispatched: list[int] = field(default_factory=list)
    at: int = 0
    free: int = 0
    visible: int = 0
    ends: list[int] = field(default_factory=list)
    queued: bool = False


@dataclass(slots=True)
class _Tile:
    """Steps of a tile; how many are dispatched, when the last one was; when semaphores were given;
    when what it is sent is through.
    """

    dispatched: int
    steps: list[Step] = field(default_factory=list)
    engines: tuple[_Engine, ...] = field(default_factory=lambda: tuple(_Engine() for _ in Engine))
    sent: int = 0
    given: dict[int, deque[int]] = field(default_factory=dict)
    received: int = 0


class _Run:
    """Steps in the order in which they start."""

    def __init__(self, steps: list[Step], timing: Timing) -> None:
        self.timing = timing
        self.early = _first_loads(steps, timing)
        self.begin = timing.first_dispatch_cycles
        self.between = timing.dispatch_cycles * timing.tiles
        self.tiles: dict[tuple[int, int], _Tile] = {}
        self.starts: dict[Step, int] = {}
        self.ends: dict[Step, int] = {}
        #: needs that have not started, and who needs a step
        self.missing: dict[Step, int] = {}
        self.users: dict[Step, list[Step]] = {}
        #: what steps wait for; to whom they send, and which semaphores
        self.waits: dict[Step, list[int]] = {}
        self.sends: dict[Step, tuple[Sequence[_Tile], Sequence[int]]] = {}
        #: of each endpoint, when its bus is free, and cycles in use
        self.bus_free: Counter[int] = Counter()
        self.bus_used: Counter[int] = Counter()
        self.heap: list[tuple[int, int, Step]] = []
        self.count = 0
        for step in steps:
            tile = self._tile(step.tile)
            tile.steps.append(step)
            tile.engines[step.engine.value].steps.append(step)
            needs = [self.users[need] for need in step.needs if need in self.users]
            for users in needs:
                users.append(step)
            self.users[step] = []
            self.missing[step] = len(needs)
            if step.wait:
                self.waits[step] = bits_of(step.wait)
            if step.fields.get("to_tiles"):
                others = [self._tile(place) for place in receivers(step)]
                signals = bits_of(step.fields["remote_signal"])
                self.sends[step] = others, signals
                for other in others:
                    for bit in signals:
                        other.given.setdefault(bit, deque())

    def _tile(self, place: tuple[int, int]) -> _Tile:
        if place not in self.tiles:
            self.tiles[place] = _Tile(self.begin)
        return self.tiles[place]

    def finish(self) -> dict[tuple[int, int], Estimate]:
        for tile in self.tiles.values():
            self._dispatch(tile)
        while self.heap:
            start, _, step = heappop(self.heap)
            now = self._ready(step)
            if now > start:
                # something it needs was taken meanwhile
                self._push(now, step)
            else:
                self._begin(step, start)
        busiest = max(self.bus_used.values(), default=0)
        return {
            place: Estimate(
                cycles=max(busiest, *(engine.visible for engine in tile.engines)),
                array_cycles=sum(
                    self.timing.cycles(step)[0]
                    for step in tile.engines[Engine.MATMUL.value].steps
                    if step.opcode is Opcode.MATMUL
                ),
                bus_cycles=busiest,
                starts=[self.starts[step] for step in tile.steps],
            )
            for place, tile in self.tiles.items()
            if tile.steps
        }

    def _dispatch(self, tile: _Tile) -> None:
        """Steps for which their engine has room, those before them first."""
        depth = self.timing.config.tile.command_queue_depth
        while tile.sent < len(tile.steps):
            engine = tile.engines[tile.steps[tile.sent].engine.value]
            when = tile.dispatched + self.between
            oldest = len(engine.dispatched) - depth
            if oldest >= 0:
                if oldest >= len(engine.ends):
                    return
                # the queue has room again when its oldest command is done
                when = max(when, engine.ends[oldest])
            engine.dispatched.append(when)
            tile.dispatched = when
            tile.sent += 1
            self._consider(tile, engine)

    def _consider(self, tile: _Tile, engine: _Engine) -> None:
        """The next step of an engine, if it is known when it can start."""
        if engine.queued or engine.at >= len(engine.dispatched):
            return
        step = engine.steps[engine.at]
        if self.missing[step]:
            return
        for bit in self.waits.get(step, ()):
            if bit in tile.given and not tile.given[bit]:
                return
        engine.queued = True
        self._push(self._ready(step), step)

    def _push(self, start: int, step: Step) -> None:
        self.count += 1
        heappush(self.heap, (start, self.count, step))

    def _ready(self, step: Step) -> int:
        """When a step can start, as things are."""
        tile = self.tiles[step.tile]
        engine = tile.engines[step.engine.value]
        ready = 0
        for need in step.needs:
            end = self.ends.get(need, 0)
            if end > ready:
                ready = end
        ready += step.delay_cycles
        for bit in self.waits.get(step, ()):
            if bit in tile.given:
                ready = max(ready, tile.given[bit][0])
        if step in self.sends:
            # a tile takes what it is sent one after the other
            ready = max(ready, *(other.received for other in self.sends[step][0]))
        return max(ready, engine.free, engine.dispatched[engine.at])

    def _begin(self, step: Step, start: int) -> None:
        tile = self.tiles[step.tile]
        engine = tile.engines[step.engine.value]
        engine.queued = False
        engine.at += 1
        for bit in self.waits.get(step, ()):
            if bit in tile.given:
                tile.given[bit].popleft()
        busy, after, bus = self.timing.cycles(step)
        if step in self.early:
            busy = max(busy, self.begin + self.early[step] - start)
        engine.free = start + busy
        end = max(start + busy + after, engine.visible + busy)
        if bus:
            endpoint = step.fields["endpoint"]
            used = bus * (step.streams or self.timing.share)
            self.bus_used[endpoint] += used
            self.bus_free[endpoint] = max(self.bus_free[endpoint], start) + used
            end = max(end, self.bus_free[endpoint] + after)
        engine.visible = end
        engine.ends.append(end)
        self.starts[step], self.ends[step] = start, end
        for user in self.users[step]:
            self.missing[user] -= 1
            other = self.tiles[user.tile]
            self._consider(other, other.engines[user.engine.value])
        others, signals = self.sends.get(step, ((), ()))
        for other in others:
            other.received = start + busy
            for bit in signals:
                other.given[bit].append(start + busy + after)
            for one in other.engines:
                self._consider(other, one)
        self._consider(tile, engine)
        self._dispatch(tile)


def _first_loads(steps: list[Step], timing: Timing) -> dict[Step, int]:
    """Of the loads that all tiles of a row ask for at once, when they are through, in cycles from
    the first.

    Where requests from further tiles meet those of a tile, they take turns: of four tiles the
    nearest gets half of them, the two furthest an eighth each, until the others have all they asked
    for. A tile that stands for a row is the furthest.
    """
    together = timing.sharing.sides > 0
    if timing.share <= _FAIR_TILES and not together:
        return {}
    first: dict[tuple[int, int], list[Step]] = defaultdict(list)
    for step in steps:
        mine = first[step.tile]
        if step.opcode is Opcode.LOAD and not step.needs:
            if len(mine) < timing.config.tile.command_queue_depth:
                mine.append(step)
    totals: Counter[int] = Counter()
    for step in (step for mine in first.values() for step in mine):
        bus = timing.bus_cycles(step)[1]
        totals[step.fields["endpoint"]] += bus * (step.streams or timing.share)
    furthest = max(tile[0] for tile in first) if together else timing.share - 1
    found = {}
    for tile, mine in first.items():
        wanted = [timing.bus_cycles(step) for step in mine]
        all_requests = sum(requests for requests, _ in wanted)
        all_cycles = sum(bus for _, bus in wanted)
        place = tile[0] if together else furthest
        turns = 2 ** min(place + 1, furthest)
        asked = 0
        for step, (requests, _) in zip(mine, wanted, strict=True):
            asked += requests
            served = asked * turns * all_cycles // all_requests
            found[step] = min(served, totals[step.fields["endpoint"]])
    return found
