"""Partial sums: tiles that share a block of the result, each with its own operands along K.

Every tile of a group computes its sums of a block and sends them, as they are in the accumulators,
to one of the group. That one adds them up by a microprogram, in the order of K, does to the sums
what the task's epilogue says, if it has one, and stores the result. A block is cut into pieces by
rows; the tiles of the group take turns to add one up::

    tile 0   MATMUL ... VECTOR (piece 0 to its slot)                 RUN -> STORE to memory
                        VECTOR (piece 1) -> STORE to tile 1  -.   .->
    tile 1   MATMUL ... VECTOR (piece 0) -> STORE to tile 0  ---'
                        VECTOR (piece 1 to its slot)          `----> RUN -> STORE to memory

The tile that adds has room for all partial sums of all its pieces, so nobody waits to send. What
says that partial sums have arrived are the semaphores that joins of engines leave free: those of a
tile's pieces are told apart, those of a piece are counted.

It takes a vector processor: a VECTOR command adds to accumulators only a vector that all rows
share, and MATMUL begins with what it finds in them or with nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_hw.isa import Engine, Opcode, VectorOutput

from .along_k import adding_program
from .drain import VectorOperands, stream
from .fetch import Fetch
from .layout import layout_of
from .program import Step
from .regions import Region, Regions
from .share import FREE_SEMAPHORES
from .sums_drain import SumsDrain
from .task import Blocking, GemmTask, Infeasible, Part, ceil_div, split
from .walk import Block

__all__ = ["PartialSums"]

#: Cycles of the program that adds, for each partial sum of a vector: a load of two scratchpad rows
#: and an addition.
_ADD_CYCLES = 3
#: Cycles that a packet takes to the next tiles, and rows that it carries.
_HOP_CYCLES, _PACKET_ROWS = 16, 8


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows [first, first + rows) of a block. ``adder``: place in the group of the tile that adds
    them up; ``start``: scratchpad row there of the first partial sums, each ``size`` rows;
    ``semaphores``: what is given there when those of the group's tiles arrive.
    """

    block: Block
    first: int
    rows: int
    adder: int
    start: int
    size: int
    semaphores: tuple[int, ...]


class PartialSums:
    """Emits the results of one tile of a group, in place of a ``Drain``.

    Raises
    ------
    Infeasible
        if a tile has no room for the partial sums of its pieces, or too many pieces.
    """

    def __init__(
        self,
        config: ChipConfig,
        task: GemmTask,
        part: Part,
        blocking: Blocking,
        blocks: list[Block],
        regions: Regions,
        add: Callable[..., Step],
    ) -> None:
        self.config, self.task, self.part, self.add = config, task, part, add
        self.regions = regions
        self.lanes = config.tile.array_cols
        self.sums = Format.FP32 if task.is_float else Format.INT32
        self.layout = layout_of(config, self.sums)
        self.wide_rows = self.layout.rows_of(self.lanes)
        self.depth, self.position = len(part.group), part.position
        self.last_vector: dict[int, Step] = {}
        self.pieces = self._pieces(blocks, blocking)
        self.drain: SumsDrain | None = None
        if task.epilogue is not None:
            # results have the second half of the region
            regions.out.rows //= 2
            own = Region(regions.out.base + regions.out.rows, regions.out.rows)
            self.drain = SumsDrain(config, task, part, own, add)
        self.fetch = Fetch(config, task, part, add)
        #: place in a region -> the step after which it is free
        self.freed: dict[int, Step] = {}
        self.places = 0
        #: own pieces of which this tile's sums are in their slots
        self.waiting: list[tuple[_Piece, Step]] = []

    def _pieces(self, blocks: list[Block], blocking: Blocking) -> dict[Block, list[_Piece]]:
        cut = [
            (block, first, rows)
            for block in blocks
            for first, rows in split(block.m, ceil_div(block.m, blocking.pieces))
        ]
        each = ceil_div(len(cut), self.depth)
        if each > FREE_SEMAPHORES:
            raise Infeasible
        count = FREE_SEMAPHORES // each
        region = self.regions.partial
        used = [0] * self.depth
        found: dict[Block, list[_Piece]] = {block: [] for block in blocks}
        for number, (block, first, rows) in enumerate(cut):
            turn, adder = divmod(number, self.depth)
            size = rows * ceil_div(block.n, self.lanes) * self.wide_rows
            own = tuple(1 << 16 - FREE_SEMAPHORES + turn * count + at for at in range(count))
            found[block].append(
                _Piece(block, first, rows, adder, region.base + used[adder], size, own)
            )
            used[adder] += self.depth * size
        if max(used) > region.rows:
            raise Infeasible
        return found

    def emit(self, number: int, block: Block, accumulators: int, needs: list[Step]) -> None:
        """The sums of ``block``, whose last operation is ``number``, on their way to the tiles that
        add them up, after what this tile adds up of the block before.
        """
        self.finish()
        bias = self._bias(block)
        bias_row = None
        if bias is not None:
            bias_row = bias[1]
            needs = [*needs, bias[2]]
        for piece in self.pieces[block]:
            if piece.adder == self.position:
                slot = piece.start + self.position * piece.size
                vector = self._read(piece, accumulators, slot, bias_row, needs)
                self.waiting.append((piece, vector))
            else:
                place, row, before = self._place(self.regions.out, piece.size)
                vector = self._read(piece, accumulators, row, bias_row, [*needs, *before])
                self.freed[place] = self._send(piece, vector, row)
            self.last_vector[number] = vector
        if bias is not None:
            self.freed[bias[0]] = vector

    def finish(self) -> None:
        """Adds up what the tile has been given to add up so far."""
        for piece, vector in self.waiting:
            self._add_up(piece, vector)
        self.waiting = []

    def _bias(self, block: Block) -> tuple[int, int, Step] | None:
        """Place, scratchpad row and load of the bias, which the first tile of the group adds."""
        if self.task.bias_address is None or self.position or self.drain is not None:
            return None
        rows = ceil_div(4 * block.n, self.config.tile.row_bytes)
        place, row, before = self._place(self.regions.vector, rows)
        load = self.fetch.vectors(before, replace(block, column_panel=(block.n0, block.n)), row)
        assert load is not None
        return place, row, load

    def _place(self, region: Region, rows: int) -> tuple[int, int, list[Step]]:
        """A place in a region: its number, first row, and what must be done before."""
        place = self.places
        self.places += 1
        slot, release = region.use(place, (place,), rows)
        before = [] if release is None or release < 0 else [self.freed[release]]
        return place, slot.start, before

    def _read(
        self,
        piece: _Piece,
        accumulators: int,
        row: int,
        bias_row: int | None,
        needs: list[Step],
    ) -> Step:
        """The accumulators of a piece to the scratchpad, rows that touch."""
        groups = ceil_div(piece.block.n, self.lanes)
        return self.add(
            Opcode.VECTOR,
            needs,
            m=piece.rows,
            n=piece.block.n,
            acc_row=accumulators + piece.first,
            acc_stride=piece.block.m,
            out_row=self.layout.unit(row),
            out_stride=self.layout.unit(groups * self.wide_rows),
            output=VectorOutput.INT32.value,
            use_bias=int(bias_row is not None),
            bias_row=bias_row or 0,
        )

    def _send(self, piece: _Piece, vector: Step, row: int) -> Step:
        """Sums from ``row`` on to the tile that adds them up."""
        x, y = self.part.group[piece.adder]
        return self.add(
            Opcode.STORE,
            [vector],
            row_bytes=self.config.tile.row_bytes,
            rows=piece.size,
            local_row=row,
            local_stride=1,
            remote_row=piece.start + self.position * piece.size,
            remote_stride=1,
            remote_signal=self._semaphore(piece, self.position),
            to_tiles=1,
            x_first=x,
            x_last=x,
            y_first=y,
            y_last=y,
        )

    def _semaphore(self, piece: _Piece, position: int) -> int:
        """What the sums of a tile give when they arrive."""
        turn = position - (position > piece.adder)
        return piece.semaphores[turn % len(piece.semaphores)]

    def _add_up(self, piece: _Piece, vector: Step) -> None:
        """Waits for all partial sums of a piece, adds them up and stores the result."""
        block, group = piece.block, range(self.depth)
        others = [self._semaphore(piece, at) for at in group if at != piece.adder]
        count = len(piece.semaphores)
        turns = [sum(others[at : at + count]) for at in range(0, len(others), count)]
        rows = (self.depth - 1) * piece.size
        # all of them arrive by the tile's one port
        delay = _HOP_CYCLES + rows + ceil_div(rows, _PACKET_ROWS)
        needs = [vector]
        for taken in turns[1:]:
            step = self.add(Opcode.NOP, needs, engine=Engine.VECTOR.value)
            step.wait, step.delay_cycles = taken, delay
            needs, delay = [], 0
        place, row, before = self._place(self.regions.out, piece.size)
        step = self._run(piece, row, [*needs, *before])
        step.wait, step.delay_cycles = turns[0], delay
        if self.drain is not None:
            self.freed[place] = self._finish(self.drain, piece, row, step)
            return
        groups, of = ceil_div(block.n, self.lanes), self.layout.bytes_of
        pitch = self.task.out_pitch or of(self.task.n)
        self.freed[place] = self.add(
            Opcode.STORE,
            [step],
            memory_address=self.task.out_address + (block.m0 + piece.first) * pitch + of(block.n0),
            memory_stride=pitch if piece.rows > 1 else of(block.n),
            row_bytes=of(block.n),
            rows=piece.rows,
            local_row=row,
            local_stride=groups * self.wide_rows,
            endpoint=self.part.endpoint,
        )

    def _finish(self, drain: SumsDrain, piece: _Piece, row: int, sums: Step) -> Step:
        """The epilogue of sums from ``row`` on, and stores; the last step that reads the sums."""
        block = piece.block
        rows, columns = (block.m0 + piece.first, piece.rows), (block.n0, block.n)
        own = Block(*rows, *columns, rows, columns)
        needs, operands, place = [sums], 0, None
        size = VectorOperands.of(self.config, self.task, own).rows
        if size:
            place, operands, before = self._place(self.regions.vector, size)
            load = self.fetch.vectors(before, own, operands)
            assert load is not None
            needs.append(load)
        drain.emit(0, own, row, operands, needs, 1)
        last = drain.last_vector[0]
        if place is not None:
            self.freed[place] = last
        return last

    def _run(self, piece: _Piece, row: int, needs: list[Step]) -> Step:
        """Every vector of the piece is a row of the program's matrix, every partial sum but the
        first a column block.
        """
        layout, code = self.layout, self.sums
        vector = layout.units_per_vector
        return self.add(
            Opcode.RUN,
            needs,
            cycles_per_row=_ADD_CYCLES,
            start=adding_program(self.task),
            m=piece.rows * ceil_div(piece.block.n, self.lanes),
            n=(self.depth - 1) * self.lanes,
            **stream(0, code, layout.unit(piece.start), vector, 0),
            **stream(
                1, code, layout.unit(piece.start + piece.size), vector, layout.unit(piece.size)
            ),
            **stream(2, code, layout.unit(row), vector, 0),
        )
