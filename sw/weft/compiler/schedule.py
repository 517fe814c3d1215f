"""One program out of the programs of several kernels, so that engines go from one to the next
without a fence: weights are loaded while a kernel before still works, the first blocks of a product
computed while the last results of the one before are drained.

Inside a kernel steps need what its author says; steps of different kernels need each other where
their footprints meet. All engines but the loading one keep the order of the kernels; loads go as
early as what they overwrite allows, so that one that waits for a result does not hold up those
behind it. Times are those of ``cost.Timing``, which decide about the order only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from weft_hw.config import ChipConfig
from weft_hw.isa import Engine, Opcode

from .cost import Timing
from .footprint import Footprints, Place, footprint
from .program import Step

__all__ = ["copied", "joined", "restarted", "scheduled"]

#: Loads that are looked at for the next one.
_WINDOW = 48
#: Kernels that a step may be ahead of.
_KERNELS = 3


def restarted(steps: Sequence[Step], starts: Sequence[int]) -> list[Step]:
    """Linked steps, unlinked, in which every RUN, whose start is the number of a program, begins at
    that program's entry.
    """
    found = copied(steps)
    for step in found:
        step.wait = step.signal = 0
        if step.opcode is Opcode.RUN:
            step.fields["start"] = starts[step.fields.get("start", 0)]
    return found


def copied(steps: Sequence[Step]) -> list[Step]:
    """The same steps as new objects."""
    twin: dict[Step, Step] = {}
    for step in steps:
        needs = tuple(twin[need] for need in step.needs)
        twin[step] = new = Step(
            step.opcode, step.tile, dict(step.fields), needs, step.row_cycles, step.delay_cycles
        )
        new.wait, new.signal = step.wait, step.signal
    return list(twin.values())


def joined(config: ChipConfig, kernels: Iterable[Sequence[Step]]) -> list[Step]:
    """The kernels' steps one after the other, with needs that make up for fences, and for the order
    of loads. Steps of one tile, and new: their needs are changed.
    """
    found: list[Step] = []
    recent: list[Footprints] = []
    # last steps of the kernels that have left the window
    settled: tuple[Step, ...] = ()
    last: list[tuple[Step, ...]] = []
    half = None
    for kernel in kernels:
        half = _take_turns(config, kernel, half)
        _explain_order(kernel)
        mine = Footprints.of(config, kernel)
        ends = _ends(kernel)
        window = Footprints.joined(recent[-_KERNELS:])
        if len(last) > _KERNELS:
            settled = last[-_KERNELS - 1]
        for number, step in enumerate(kernel):
            loads = step.engine is Engine.LOAD
            others = [other for other in window.met_by(mine, number) if other is not step]
            if loads:
                others += [
                    other
                    for other in mine.met_by(mine, number)
                    if other.engine is Engine.LOAD and mine.place[other] < number
                ]
            step.needs += settled
            step.needs += tuple(o for o in others if loads or o.engine is not step.engine)
        for step in ends:
            # so that who needs these needs all kernels before, too
            step.needs += last[-1] if last else ()
        recent.append(mine)
        last.append(ends)
        found += kernel
    return found


def _take_turns(config: ChipConfig, steps: Sequence[Step], half: int | None) -> int | None:
    """Has a kernel begin in the other half of the accumulators than ``half``, in which the one
    before it ended; the half in which it ends.
    """
    rows = config.tile.accumulator_rows // 2
    used = [(name, step.fields) for step in steps for name in _accumulators(step)]
    if not used:
        return half
    whole = all(
        one.first // rows == (one.end - 1) // rows
        for step in steps
        for one in footprint(config, step)
        if one.place is Place.ACCUMULATOR
    )
    name, fields = used[0]
    if whole and half == fields[name] // rows:
        for name, fields in used:
            fields[name] = (fields[name] + rows) % (2 * rows)
    name, fields = used[-1]
    return fields[name] // rows


def _accumulators(step: Step) -> list[str]:
    """Fields of a step that are accumulator rows."""
    if step.opcode in (Opcode.MATMUL, Opcode.VECTOR):
        return ["acc_row"]
    return [
        name.replace("_accumulator", "_row")
        for name, value in step.fields.items()
        if name.endswith("_accumulator") and value
    ]


def _ends(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The last step of each engine, and loads that no other step needs."""
    needed = {need for step in steps for need in step.needs}
    final = {step.engine: step for step in steps}
    return tuple(
        step
        for step in steps
        if final[step.engine] is step or (step.engine is Engine.LOAD and step not in needed)
    )


def _explain_order(steps: Sequence[Step]) -> None:
    """Needs that the order of the load engine stands for: who needs a load needs those before it,
    and a load what those before it needed.
    """
    place = {step: number for number, step in enumerate(steps)}
    loads: list[Step] = []
    taken = dict.fromkeys(Engine, 0)
    inherited: dict[Engine, Step] = {}
    for step in steps:
        if step.engine is Engine.LOAD:
            for need in step.needs:
                before = inherited.get(need.engine)
                if need.engine is not Engine.LOAD and (
                    before is None or place[before] < place[need]
                ):
                    inherited[need.engine] = need
            step.needs += tuple(inherited.values())
            loads.append(step)
            continue
        wanted = {need for need in step.needs if need.engine is Engine.LOAD}
        count = max((n for n, load in enumerate(loads, 1) if load in wanted), default=0)
        step.needs += tuple(loads[taken[step.engine] : count])
        taken[step.engine] = max(taken[step.engine], count)


def scheduled(steps: Sequence[Step], timing: Timing) -> list[Step]:
    """The steps in ring order: by the time at which each is thought to start."""
    waiting = {engine: [step for step in steps if step.engine is engine] for engine in Engine}
    free = dict.fromkeys(Engine, 0)
    place = {step: number for number, step in enumerate(steps)}
    users: dict[Step, list[Step]] = {step: [] for step in steps}
    missing: dict[Step, int] = {}
    ready = dict.fromkeys(steps, 0)
    for step in steps:
        needs = set(step.needs)
        missing[step] = len(needs)
        for need in needs:
            users[need].append(step)
    found: list[Step] = []
    while len(found) < len(steps):
        start, _, step = min(
            (max(free[engine], ready[step]), place[step], step)
            for engine, queue in waiting.items()
            for step in queue[: _WINDOW if engine is Engine.LOAD else 1]
            if not missing[step]
        )
        waiting[step.engine].remove(step)
        busy, after, _ = timing.cycles(step)
        free[step.engine] = start + busy
        for user in users[step]:
            missing[user] -= 1
            ready[user] = max(ready[user], start + busy + after)
        found.append(step)
    return found
