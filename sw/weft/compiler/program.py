"""Programs as steps with dependencies, and the semaphores that enforce these.

A kernel lists steps in ring order and says which earlier steps each needs. ``link`` turns needs
into semaphores: one for each ordered pair of engines of a tile. An engine finishes its commands in
order, so needing a step of another engine means needing all before it, too; a step therefore waits
only for a step later than any its engine has waited for, and only such steps signal. Every signal
is taken by exactly one wait: programs leave all semaphores zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from weft_hw.isa import ENGINE_OF, Engine, Opcode

from ..commands import as_array, pack

__all__ = ["SEMAPHORE_OF", "Step", "bits_of", "encode", "furthest", "link", "receivers"]

#: (signalling engine, waiting engine) -> semaphore.
SEMAPHORE_OF = {
    pair: number
    for number, pair in enumerate(
        (source, target) for source in Engine for target in Engine if source is not target
    )
}


@dataclass(slots=True, eq=False)
class Step:
    """One command before it has semaphores. ``needs`` lists earlier steps of the same tile;
    ``row_cycles``, of a RUN command, is what a row of a vector is thought to take;
    ``delay_cycles`` how long after its needs what it waits for from other tiles is thought to come;
    ``streams``, of a load, the loads that share its endpoint (0: as many as tiles that use it).
    """

    opcode: Opcode
    tile: tuple[int, int]
    fields: dict[str, int]
    needs: tuple[Step, ...] = ()
    row_cycles: int = 0
    delay_cycles: int = 0
    streams: int = field(init=False, default=0)
    engine: Engine = field(init=False)
    position: int = field(init=False, default=-1)
    """Place among its engine's steps; set by ``link``."""
    wait: int = field(init=False, default=0)
    signal: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        named = self.fields.get("engine")
        self.engine = ENGINE_OF[self.opcode] if named is None else Engine(named)


def bits_of(mask: int) -> list[int]:
    """Semaphores of a mask."""
    return [bit for bit in range(16) if mask >> bit & 1]


def receivers(step: Step) -> list[tuple[int, int]]:
    """Tiles to which a step sends."""
    fields = step.fields
    if not fields.get("to_tiles"):
        return []
    return [
        (x, y)
        for y in range(fields["y_first"], fields["y_last"] + 1)
        for x in range(fields["x_first"], fields["x_last"] + 1)
    ]


def furthest(step: Step) -> int:
    """Routers from a tile to the last one to which it sends."""
    x, y = step.tile
    fields = step.fields
    return max(abs(fields["x_first"] - x), abs(fields["x_last"] - x)) + max(
        abs(fields["y_first"] - y), abs(fields["y_last"] - y)
    )


def link(steps: Iterable[Step]) -> None:
    """Gives the steps, in ring order, their wait and signal masks.

    Raises
    ------
    ValueError
        if a step needs one that does not come before it.
    """
    done: dict[tuple[tuple[int, int], Engine], list[Step]] = {}
    waited: dict[tuple[tuple[int, int], Engine, Engine], int] = {}
    for step in steps:
        mine = done.setdefault((step.tile, step.engine), [])
        step.position = len(mine)
        mine.append(step)
        latest: dict[Engine, int] = {}
        for need in step.needs:
            if need.position < 0 or need.tile != step.tile:
                raise ValueError("step must need only earlier steps of its own tile")
            if need.engine is not step.engine:
                latest[need.engine] = max(latest.get(need.engine, -1), need.position)
        for source, position in latest.items():
            key = (step.tile, source, step.engine)
            if position > waited.get(key, -1):
                waited[key] = position
                bit = 1 << SEMAPHORE_OF[source, step.engine]
                step.wait |= bit
                done[step.tile, source][position].signal |= bit


def encode(steps: Iterable[Step]) -> np.ndarray:
    """The commands of linked steps, (n, 64) uint8."""
    return as_array(
        pack(step.opcode, tile=step.tile, wait=step.wait, signal=step.signal, **step.fields)
        for step in steps
    )
