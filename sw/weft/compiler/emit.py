"""Steps of one tile: loads ahead of the array, results drained behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial

from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode

from .drain import Drain, VectorOperands
from .fetch import Fetch, Load
from .layout import layout_of
from .partial import PartialSums
from .program import Step
from .regions import Slot, a_rows_of, accumulator_rows_of, b_rows_of, regions_of
from .send import Exchange
from .share import Line, Sharing
from .task import Blocking, GemmTask, Part, ceil_div
from .walk import Operation, walk

__all__ = ["TileProgram", "tile_program"]

#: Accumulator rows that are worth a vector and a store command of their own.
_PIECE_ROWS = 32


@dataclass(frozen=True, slots=True)
class TileProgram:
    """``prologue``: loads of resident operands, for an earlier submission. ``steps``: the rest, in
    ring order.
    """

    part: Part
    blocking: Blocking
    prologue: list[Step]
    steps: list[Step]


def tile_program(
    config: ChipConfig,
    task: GemmTask,
    part: Part,
    blocking: Blocking,
    lookahead: int,
    sharing: Sharing | None = None,
    everyone: Mapping[str, int] | None = None,
) -> TileProgram:
    """The steps of one tile, each need earlier in the list.

    ``task`` has only the operands along K of ``part``. ``lookahead`` is how many operations ahead
    operands are asked for at most. ``sharing``: what the tile shares with others; ``everyone``: see
    ``Exchange``.

    Raises
    ------
    Infeasible
        if the blocking does not fit the tile's memories.
    """
    return _Emitter(config, task, part, blocking).emit(lookahead, sharing, everyone)


class _Emitter:
    def __init__(
        self,
        config: ChipConfig,
        task: GemmTask,
        part: Part,
        blocking: Blocking,
    ) -> None:
        self.config, self.task, self.part, self.blocking = config, task, part, blocking
        self.lanes = config.tile.array_cols
        self.layout = layout_of(config, task.format)
        self.regions = regions_of(config, task, part, blocking)
        self.blocks, self.operations = walk(config, task, part, blocking)
        self.steps: list[Step] = []
        self.loaded: dict[Slot, Step] = {}
        self.matmuls: dict[int, Step] = {}
        self.fetch = Fetch(config, task, part, self._add)
        self.drain: Drain | PartialSums = (
            PartialSums(config, task, part, blocking, self.blocks, self.regions, self._add)
            if part.group
            else Drain(config, task, part, self.regions.out, self._add)
        )
        # the block that is cut up at the end, its pieces, and the one before
        self.tail = len(self.blocks) - 2 - blocking.tail_m - blocking.tail_n
        # block -> first accumulator row, and the block that must be drained before, if any
        self.accumulators = accumulator_rows_of(config, self.blocks, self.tail)
        # block -> number of its last operation
        self.end_of_block = {op.block: at for at, op in enumerate(self.operations) if op.last}

    def emit(
        self, lookahead: int, sharing: Sharing | None, everyone: Mapping[str, int] | None
    ) -> TileProgram:
        slots, loads = self._place()
        prologue: list[Step] = []
        if self.blocking.resident:
            for load in (load for load in loads if load.kind != "vector"):
                self._emit_load(load)
            prologue, self.steps = self.steps, []
            self.loaded.clear()
            loads = [load for load in loads if load.kind == "vector"]
        exchange = None
        if sharing is not None:
            exchange = Exchange(
                self.config, self.task, self.part, self._lines(sharing), loads,
                self.regions.out, self._add, everyone,
            )  # fmt: skip
            exchange.begin()
        waiting = 0
        for number, operation in enumerate(self.operations):
            ahead = number + min(lookahead, number + 1)
            while waiting < len(loads):
                load = loads[waiting]
                if load.use > ahead or load.release >= number:
                    break
                if exchange is not None and load in exchange.place:
                    exchange.send(load, self.matmuls.get(load.release))
                else:
                    self._emit_load(load)
                waiting += 1
            self._emit_matmul(number, operation, slots[number])
            if exchange is not None:
                self.matmuls[number].wait = exchange.arrivals.get(number, 0)
                exchange.give(number, self.matmuls[number])
            if operation.last:
                self._emit_results(number, operation.block, slots[number][2])
        if isinstance(self.drain, PartialSums):
            self.drain.finish()
        return TileProgram(self.part, self.blocking, prologue, self.steps)

    def _lines(self, sharing: Sharing) -> dict[str, Line]:
        """Those of the tile. What does not stay comes more often."""
        return sharing.lines(self.part.tile, "b" if self.blocking.m_outer else "a")

    def _place(self) -> tuple[list[tuple[Slot, Slot, Slot | None]], list[Load]]:
        """Slots (a, b, vector operands) of every operation, and the loads in order of use."""
        slots, loads = [], []
        task, regions = self.task, self.regions
        a_rows = cache(partial(a_rows_of, self.config, task))
        b_rows = cache(partial(b_rows_of, self.config, task))
        vectors = (task.bias_address, task.scale_address, task.residual_address)
        has_vectors = vectors != (None, None, None) and not self.part.group
        for number, operation in enumerate(self.operations):
            block = self.blocks[operation.block]
            row_panel, column_panel = block.row_panel, block.column_panel
            wanted: list[tuple[str, tuple[object, ...], int]] = [
                (
                    "a",
                    (row_panel, operation.k0, operation.k),
                    a_rows(row_panel[1], operation.k),
                ),
                (
                    "b",
                    (column_panel, operation.k0, operation.k),
                    b_rows(operation.k, column_panel[1]),
                ),
            ]
            if operation.last and has_vectors:
                rows = VectorOperands.of(self.config, task, block).rows
                key: tuple[object, ...] = (
                    column_panel,
                    row_panel if task.residual_address is not None else None,
                )
                wanted.append(("vector", key, rows))
            found: list[Slot] = []
            for kind, key, size in wanted:
                slot, release = getattr(regions, kind).use(number, key, size)
                found.append(slot)
                if release is not None:
                    loads.append(
                        Load(kind, block, operation.k0, operation.k, slot, number, release)
                    )
            slots.append((found[0], found[1], found[2] if len(found) > 2 else None))
        return slots, loads

    def _add(
        self,
        opcode: Opcode,
        needs: list[Step],
        cycles_per_row: int = 0,
        **fields: int,
    ) -> Step:
        step = Step(opcode, self.part.tile, fields, tuple(needs), cycles_per_row)
        self.steps.append(step)
        return step

    def _emit_load(self, load: Load) -> None:
        needs: list[Step] = []
        if load.release >= 0:
            vector = load.kind == "vector"
            needs = [(self.drain.last_vector if vector else self.matmuls)[load.release]]
        step = self.fetch.emit(load, needs, load.slot.start)
        assert step is not None
        self.loaded[load.slot] = step

    def _emit_matmul(
        self, number: int, operation: Operation, slots: tuple[Slot, Slot, Slot | None]
    ) -> None:
        block, layout = self.blocks[operation.block], self.layout
        needs = [self.loaded[slot] for slot in slots[:2] if slot in self.loaded]
        accumulators, before = self.accumulators[operation.block]
        if operation.k0 == 0 and before >= 0:
            needs.append(self.drain.last_vector[self.end_of_block[before]])
        a_stride = layout.stride_of(operation.k)
        down = block.m0 - block.row_panel[0]
        across = (block.n0 - block.column_panel[0]) // self.lanes
        fields = {
            "m": block.m,
            "k": operation.k,
            "n": block.n,
            "a_row": layout.unit(slots[0].start) + down * a_stride,
            "a_stride": a_stride,
            "w_row": layout.unit(slots[1].start) + across * layout.units_per_vector,
            "w_stride": layout.stride_of(block.column_panel[1]),
            "acc_row": accumulators,
            "acc_stride": block.m,
            "accumulate": int(operation.k0 > 0),
            "format": self.task.format.value,
        }
        if self.task.scaled:
            tile, scales = self.config.tile, layout_of(self.config, Format.INT8)
            a_scales = slots[0].start + block.row_panel[1] * layout.rows_of(operation.k)
            w_scales = slots[1].start + operation.k * layout.rows_of(block.column_panel[1])
            fields |= {
                "scaled": 1,
                "a_scale_row": a_scales + down // tile.row_bytes,
                "a_scale_stride": ceil_div(block.row_panel[1], tile.row_bytes),
                "w_scale_row": scales.unit(w_scales) + across,
                "w_scale_stride": scales.stride_of(block.column_panel[1]),
            }
        self.matmuls[number] = self._add(Opcode.MATMUL, needs, **fields)

    def _emit_results(self, number: int, block_number: int, operands: Slot | None) -> None:
        block = self.blocks[block_number]
        pieces = 1
        if block_number >= self.tail:
            # what the array no longer hides is stored while the rest is still being drained
            groups = ceil_div(block.n, self.lanes)
            pieces = min(self.blocking.tail_pieces, block.m * groups // _PIECE_ROWS)
        needs = [self.matmuls[number]]
        if operands is not None:
            needs.append(self.loaded[operands])
        accumulators = self.accumulators[block_number][0]
        if isinstance(self.drain, PartialSums):
            self.drain.emit(number, block, accumulators, needs)
            return
        at = operands.start if operands else 0
        self.drain.emit(number, block, accumulators, at, needs, max(1, pieces))
