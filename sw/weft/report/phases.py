"""Where the cycles of a graph of kernels go: for each kernel its window, its ceiling, and how much
of its vector work runs beside products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Opcode
from weft_sim.dram import Dram

from ..commands import unpack
from ..compiler.cost import array_cycles
from ..event import Event
from .timeline import Span

__all__ = ["PHASE_HEADINGS", "Phase", "phase_rows", "phases_of", "summary_of"]

PHASE_HEADINGS = ("phase", "times", "cycles", "ceiling", "share", "vector", "beside array")
_LOOPS = ("more_1", "more_2", "more_3")


@dataclass(frozen=True, slots=True)
class Phase:
    """A kernel on one tile. ``[start, end)``: cycles of the engine that does its work: matmul of a
    product, from its first command's start to its last one's end, else vector, else load and store.
    ``ceiling``: of a product, the least cycles for its array work or for its bytes at the memory's
    rate, whichever is more; 0 of other kernels. ``hidden``: of the vector engine's ``vector``
    cycles, those in which the array works, be it for another kernel.
    """

    name: str
    start: int
    end: int
    ceiling: int
    vector: int
    hidden: int

    @property
    def cycles(self) -> int:
        return self.end - self.start


def phases_of(
    config: ChipConfig, dram: Dram, events: Sequence[Event], spans: Sequence[Span]
) -> list[Phase]:
    """The kernels that ``events`` stand for, in order, from what the engines did (``spans_of``).
    Of chips with one tile.
    """
    rate = min(dram.bytes_per_cycle or config.flit_bytes, config.flit_bytes)
    by_index = {span.index: span for span in spans}
    array = [(span.start, span.end) for span in spans if span.engine == "matmul"]
    found = []
    for event in events:
        mine = [by_index[index] for index in event.indices.tolist() if index in by_index]
        if not mine:
            continue
        engines = {span.engine for span in mine}
        main = next((name for name in ("matmul", "vector") if name in engines), None)
        window = [span for span in mine if main is None or span.engine == main]
        vector = [(span.start, span.end) for span in mine if span.engine == "vector"]
        array_work, moved = _work(config, event)
        ceiling = max(array_work, -(-moved // rate)) if main == "matmul" else 0
        found.append(
            Phase(
                event.name,
                min(span.start for span in window),
                max(span.end for span in window),
                ceiling,
                sum(end - start for start, end in vector),
                _common(vector, array),
            )
        )
    return found


def _work(config: ChipConfig, event: Event) -> tuple[int, int]:
    """Array cycles of a kernel's commands, and bytes that they move to and from memory."""
    rows, lanes, array, moved = config.tile.array_rows, config.tile.array_cols, 0, 0
    for row in event.commands:
        command = unpack(row)
        fields = command.fields
        if command.opcode is Opcode.MATMUL:
            array += array_cycles(fields["m"], fields["k"], fields["n"], rows, lanes)
        elif command.opcode in (Opcode.LOAD, Opcode.GATHER, Opcode.STORE):
            repeats = np.prod([1 + fields.get(loop, 0) for loop in _LOOPS])
            moved += fields["rows"] * fields["row_bytes"] * int(repeats)
    return array, moved


def _common(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> int:
    """Cycles in both of two lists of ranges; those of ``other`` do not overlap."""
    starts, ends = (np.array([pair[side] for pair in other], np.int64) for side in (0, 1))
    if not len(starts):
        return 0
    return sum(
        int(np.maximum(0, np.minimum(ends, high) - np.maximum(starts, low)).sum())
        for low, high in one
    )


def phase_rows(phases: Sequence[Phase]) -> list[tuple[str, ...]]:
    """A table by ``PHASE_HEADINGS``: kernels of one name together, with means; what takes longest
    comes first.
    """
    rows: list[tuple[str, ...]] = []
    kernels: dict[str, list[Phase]] = {}
    for phase in phases:
        kernels.setdefault(phase.name, []).append(phase)
    for name, own in sorted(kernels.items(), key=lambda one: -sum(o.cycles for o in one[1])):
        cycles, ceiling, vector, hidden = (
            sum(getattr(phase, field) for phase in own) / len(own)
            for field in ("cycles", "ceiling", "vector", "hidden")
        )
        rows.append(
            (
                name,
                str(len(own)),
                f"{cycles:,.0f}",
                f"{ceiling:,.0f}" if ceiling else "",
                f"{ceiling / cycles:.0%}" if ceiling else "",
                f"{vector:,.0f}" if vector else "",
                f"{hidden / vector:.0%}" if vector else "",
            )
        )
    return rows


def summary_of(phases: Sequence[Phase], spans: Sequence[Span]) -> str:
    """How long the array and the vector engine worked, and how much of that at the same time."""
    total = max(span.end for span in spans) - min(span.start for span in spans)
    array = sum(span.end - span.start for span in spans if span.engine == "matmul")
    vector, hidden = (sum(getattr(one, name) for one in phases) for name in ("vector", "hidden"))
    return (
        f"{total:,} cycles; the array works in {array / total:.1%} of them, the vector engine in "
        f"{vector / total:.1%}, {hidden / max(1, vector):.1%} of that beside the array"
    )
