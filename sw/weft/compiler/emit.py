"""Steps of one tile: loads ahead of the array, results drained behind it."""

from __future__ import annotations

from dataclasses import dataclass

from weft_hw.config import ChipConfig
from weft_hw.isa import Opcode, VectorOutput

from .program import Step
from .regions import Slot, regions_of
from .task import Blocking, GemmTask, Infeasible, Part, ceil_div, split
from .walk import Block, Operation, walk

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


@dataclass(slots=True)
class _Load:
    """Operands to fetch: before operation ``use``, after operation ``release``."""

    kind: str
    block: Block
    k0: int
    k: int
    slot: Slot
    use: int
    release: int


def tile_program(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking, lookahead: int
) -> TileProgram:
    """The steps of one tile, each need earlier in the list.

    ``lookahead`` is how many operations ahead operands are asked for at most.

    Raises
    ------
    Infeasible
        if the blocking does not fit the tile's memories.
    """
    return _Emitter(config, task, part, blocking).emit(lookahead)


class _Emitter:
    def __init__(self, config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking) -> None:
        self.config, self.task, self.part, self.blocking = config, task, part, blocking
        self.width, self.lanes = config.tile.array_rows, config.tile.array_cols
        self.wide_rows = config.tile.accumulator_row_bytes // config.tile.row_bytes
        self.out_rows_per_lane_group = self.wide_rows if task.out_bytes == 4 else 1
        self.regions = regions_of(config, task, part, blocking)
        self.blocks, self.operations = walk(config, task, part, blocking)
        self.steps: list[Step] = []
        self.loaded: dict[Slot, Step] = {}
        self.matmuls: dict[int, Step] = {}
        self.last_vector: dict[int, Step] = {}
        self.stores: dict[int, Step] = {}
        self.pieces = 0
        # the block that is cut up at the end, its pieces, and the one before
        self.tail = len(self.blocks) - 2 - blocking.tail_m - blocking.tail_n
        # block -> number of its last operation
        self.end_of_block = {op.block: at for at, op in enumerate(self.operations) if op.last}

    def emit(self, lookahead: int) -> TileProgram:
        slots, loads = self._place()
        prologue: list[Step] = []
        if self.blocking.resident:
            for load in (load for load in loads if load.kind != "vector"):
                self._emit_load(load)
            prologue, self.steps = self.steps, []
            self.loaded.clear()
            loads = [load for load in loads if load.kind == "vector"]
        waiting = 0
        for number, operation in enumerate(self.operations):
            ahead = number + min(lookahead, number + 1)
            while waiting < len(loads):
                load = loads[waiting]
                if load.use > ahead or load.release >= number:
                    break
                self._emit_load(load)
                waiting += 1
            self._emit_matmul(number, operation, slots[number])
            if operation.last:
                self._emit_results(number, operation.block, slots[number][2])
        return TileProgram(self.part, self.blocking, prologue, self.steps)

    def _place(self) -> tuple[list[tuple[Slot, Slot, Slot | None]], list[_Load]]:
        """Slots (a, b, vector operands) of every operation, and the loads in order of use."""
        slots, loads = [], []
        task, regions = self.task, self.regions
        for number, operation in enumerate(self.operations):
            block = self.blocks[operation.block]
            row_panel, column_panel = block.row_panel, block.column_panel
            wanted: list[tuple[str, tuple[object, ...], int]] = [
                (
                    "a",
                    (row_panel, operation.k0, operation.k),
                    row_panel[1] * ceil_div(operation.k, self.width),
                ),
                (
                    "b",
                    (column_panel, operation.k0, operation.k),
                    operation.k * self._groups(column_panel[1]),
                ),
            ]
            rows = sum(self._vector_rows(block))
            if operation.last and rows:
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
                        _Load(kind, block, operation.k0, operation.k, slot, number, release)
                    )
            slots.append((found[0], found[1], found[2] if len(found) > 2 else None))
        return slots, loads

    def _groups(self, columns: int) -> int:
        """Lane groups (accumulator rows side by side) that hold so many columns."""
        return ceil_div(columns, self.lanes)

    def _vector_rows(self, block: Block) -> tuple[int, int, int]:
        """Scratchpad rows of bias, scale and residual for a block's panels."""
        columns = block.column_panel[1]
        packed = ceil_div(4 * columns, self.config.tile.row_bytes)
        return (
            packed if self.task.bias_address is not None else 0,
            packed if self.task.scale_address is not None else 0,
            block.row_panel[1] * self._groups(columns)
            if self.task.residual_address is not None
            else 0,
        )

    def _add(self, opcode: Opcode, needs: list[Step], **fields: int) -> Step:
        step = Step(opcode, self.part.tile, fields, tuple(needs))
        self.steps.append(step)
        return step

    def _transfer(
        self, needs: list[Step], address: int, stride: int, row_bytes: int, rows: int, local: int
    ) -> Step:
        """A load whose rows lie one after the other in the scratchpad."""
        return self._add(
            Opcode.LOAD,
            needs,
            memory_address=address,
            memory_stride=stride if rows > 1 else row_bytes,
            row_bytes=row_bytes,
            rows=rows,
            local_row=local,
            local_stride=ceil_div(row_bytes, self.config.tile.row_bytes),
            endpoint=self.part.endpoint,
        )

    def _emit_load(self, load: _Load) -> None:
        task, block, start = self.task, load.block, load.slot.start
        rows, columns = block.row_panel, block.column_panel
        needs: list[Step] = []
        if load.release >= 0:
            vector = load.kind == "vector"
            needs = [(self.last_vector if vector else self.matmuls)[load.release]]
        if load.kind == "a":
            address = task.a_address + rows[0] * task.k + load.k0
            step = self._transfer(needs, address, task.k, load.k, rows[1], start)
        elif load.kind == "b":
            address = task.b_address + load.k0 * task.n + columns[0]
            step = self._transfer(needs, address, task.n, columns[1], load.k, start)
        else:
            bias, scale, _ = self._vector_rows(block)
            size = 4 * columns[1]
            if task.bias_address is not None:
                address = task.bias_address + 4 * columns[0]
                step = self._transfer(needs, address, size, size, 1, start)
            if task.scale_address is not None:
                address = task.scale_address + 4 * columns[0]
                step = self._transfer(needs, address, size, size, 1, start + bias)
            if task.residual_address is not None:
                address = task.residual_address + rows[0] * task.n + columns[0]
                local = start + bias + scale
                step = self._transfer(needs, address, task.n, columns[1], rows[1], local)
        self.loaded[load.slot] = step

    def _accumulator(self, block: int) -> int:
        """First accumulator row of a block: halves take turns, so that one drains while the other
        fills.
        """
        return block % 2 * (self.config.tile.accumulator_rows // 2)

    def _emit_matmul(
        self, number: int, operation: Operation, slots: tuple[Slot, Slot, Slot | None]
    ) -> None:
        block = self.blocks[operation.block]
        needs = [self.loaded[slot] for slot in slots[:2] if slot in self.loaded]
        before = operation.block - 2
        if operation.k0 == 0 and before >= 0:
            needs.append(self.last_vector[self.end_of_block[before]])
        a_stride = ceil_div(operation.k, self.width)
        b_stride = self._groups(block.column_panel[1])
        self.matmuls[number] = self._add(
            Opcode.MATMUL,
            needs,
            m=block.m,
            k=operation.k,
            n=block.n,
            a_row=slots[0].start + (block.m0 - block.row_panel[0]) * a_stride,
            a_stride=a_stride,
            w_row=slots[1].start + (block.n0 - block.column_panel[0]) // self.lanes,
            w_stride=b_stride,
            acc_row=self._accumulator(operation.block),
            acc_stride=block.m,
            accumulate=int(operation.k0 > 0),
        )

    def _emit_results(self, number: int, block_number: int, operands: Slot | None) -> None:
        block, task, out = self.blocks[block_number], self.task, self.regions.out
        stride = self._groups(block.n) * self.out_rows_per_lane_group
        largest = out.rows // (2 * stride) if 2 * stride <= out.rows else out.rows // stride
        if largest == 0:
            raise Infeasible
        if block_number >= self.tail:
            # what the array no longer hides is stored while the rest is still being drained
            pieces = min(self.blocking.tail_pieces, block.m * self._groups(block.n) // _PIECE_ROWS)
            largest = min(largest, ceil_div(block.m, max(1, pieces)))
        bias, scale, residual = self._vector_rows(block)
        at = operands.start if operands else 0
        group = (block.n0 - block.column_panel[0]) // self.lanes
        residual_stride = self._groups(block.column_panel[1])
        for first, rows in split(block.m, largest):
            slot, release = out.use(self.pieces, (self.pieces,), rows * stride)
            needs = [self.matmuls[number]]
            if operands is not None:
                needs.append(self.loaded[operands])
            if release is not None and release >= 0:
                needs.append(self.stores[release])
            vector = self._add(
                Opcode.VECTOR,
                needs,
                m=rows,
                n=block.n,
                acc_row=self._accumulator(block_number) + first,
                acc_stride=block.m,
                out_row=slot.start,
                out_stride=stride,
                output=(VectorOutput.INT32 if task.out_bytes == 4 else VectorOutput.INT8).value,
                use_bias=int(bias > 0),
                bias_row=at + group * self.wide_rows if bias else 0,
                scale_row=at + bias + group * self.wide_rows if scale else 0,
                use_residual=int(residual > 0),
                residual_row=at
                + bias
                + scale
                + (block.m0 + first - block.row_panel[0]) * residual_stride
                + group
                if residual
                else 0,
                residual_stride=residual_stride if residual else 0,
                zero_point=task.zero_point,
                clamp_min=task.clamp_min,
                clamp_max=task.clamp_max,
            )
            self.stores[self.pieces] = self._add(
                Opcode.STORE,
                [vector],
                memory_address=task.out_address
                + ((block.m0 + first) * task.n + block.n0) * task.out_bytes,
                memory_stride=(task.n if rows > 1 else block.n) * task.out_bytes,
                row_bytes=block.n * task.out_bytes,
                rows=rows,
                local_row=slot.start,
                local_stride=stride,
                endpoint=self.part.endpoint,
            )
            self.pieces += 1
            self.last_vector[number] = vector
