"""What becomes of accumulators: a VECTOR or RUN command for each piece of a block, and a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode, VectorOutput
from weft_hw.vector.microcode import STRIP

from .cost import strip_rows
from .layout import layout_of
from .program import Step
from .regions import Region
from .task import GemmTask, Infeasible, Part, ceil_div, split
from .walk import Block

__all__ = ["Drain", "Piece", "VectorOperands"]

#: Pieces of results that the region for them has room for: one is drained, one stored, and others
#: wait for memory's answer.
_PLACES = 4


@dataclass(frozen=True, slots=True)
class VectorOperands:
    """Scratchpad rows of bias, scale and residual of a block's panels, one after the other."""

    bias: int
    scale: int
    residual: int

    @classmethod
    def of(cls, config: ChipConfig, task: GemmTask, block: Block) -> VectorOperands:
        columns = block.column_panel[1]
        packed = ceil_div(4 * columns, config.tile.row_bytes)
        residual = layout_of(config, task.residual_format)
        return cls(
            bias=packed if task.bias_address is not None else 0,
            scale=packed if task.scale_address is not None else 0,
            residual=block.row_panel[1] * residual.rows_of(columns)
            if task.residual_address is not None
            else 0,
        )

    @property
    def rows(self) -> int:
        return self.bias + self.scale + self.residual


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows and vectors (groups of columns) of a block that one command drains. ``turned``: by the
    turned program, strips of vectors one after the other.
    """

    first: int
    rows: int
    group: int
    groups: int
    turned: bool = False


@dataclass(frozen=True, slots=True)
class _Rows:
    """First accumulator row of a block, scratchpad rows of its vector operands and of a piece's
    results.
    """

    accumulators: int
    operands: int
    out: int


class Drain:
    """Emits results of one tile. ``last_vector``: operation -> the step that last read its block's
    accumulators and vector operands.
    """

    def __init__(
        self,
        config: ChipConfig,
        task: GemmTask,
        part: Part,
        region: Region,
        add: Callable[..., Step],
    ) -> None:
        self.config, self.task, self.part, self.region, self.add = config, task, part, region, add
        self.lanes = config.tile.array_cols
        self.wide_rows = config.tile.accumulator_row_bytes // config.tile.row_bytes
        self.layout = layout_of(config, task.out_format)
        self.residual = layout_of(config, task.residual_format)
        self.last_vector: dict[int, Step] = {}
        self.stores: dict[int, Step] = {}
        self.count = 0

    def emit(
        self,
        number: int,
        block: Block,
        accumulators: int,
        operands: int,
        needs: list[Step],
        pieces: int,
    ) -> None:
        """The results of ``block``, whose last operation is ``number``, in at least ``pieces``.

        ``accumulators``: its first accumulator row; ``operands``: scratchpad row of its vector
        operands.

        Raises
        ------
        Infeasible
            if a row of results does not fit the region.
        """
        for piece in self._pieces(block, pieces):
            size = piece.rows * self._rows_of(piece)
            slot, release = self.region.use(self.count, (self.count,), size)
            held = list(needs)
            if release is not None and release >= 0:
                held.append(self.stores[release])
            rows = _Rows(accumulators, operands, slot.start)
            emit = self._vector if self.task.epilogue is None else self._run
            vector = emit(held, block, piece, rows)
            self._store(vector, block, piece, rows.out)
            self.last_vector[number] = vector

    def _pieces(self, block: Block, least: int) -> list[Piece]:
        """The block in pieces, several of which fit the region."""
        groups = ceil_div(block.n, self.lanes)
        epilogue = self.task.epilogue
        across = groups // STRIP * STRIP
        if epilogue is None or not epilogue.turned_cycles:
            across = 0
        elif epilogue.turned_cycles * block.m >= epilogue.row_cycles * strip_rows(block.m):
            across = 0
        found = []
        if across:
            found += self._across(block.m, across, least)
        if across < groups:
            found += self._down(block.m, across, groups - across, least)
        return found

    def _down(self, rows: int, group: int, groups: int, least: int) -> list[Piece]:
        """Vectors from ``group`` on in pieces of rows."""
        width = self._rows_of(Piece(0, 1, group, groups))
        places = min(_PLACES, self.region.rows // width)
        if places == 0:
            raise Infeasible
        largest = min(self.region.rows // (places * width), ceil_div(rows, least))
        # strips that are not full take as long as full ones
        unit = STRIP if largest >= STRIP else 1
        return [Piece(at, size, group, groups) for at, size in split(rows, largest, unit)]

    def _across(self, rows: int, groups: int, least: int) -> list[Piece]:
        """All vectors, a number of whole strips of them, in pieces of them, and, where a strip's
        rows do not fit, of rows.
        """
        width = self._rows_of(Piece(0, 1, 0, STRIP))
        room = self.region.rows // _PLACES // width
        if room == 0:
            return self._down(rows, 0, groups, least)
        strips = max(1, min(room // rows, ceil_div(groups // STRIP, least)))
        return [
            Piece(first, size, group, wide, turned=True)
            for group, wide in split(groups, strips * STRIP, STRIP)
            for first, size in split(rows, room // strips)
        ]

    def _rows_of(self, piece: Piece) -> int:
        """Scratchpad rows of a result row; whole vectors are written."""
        return self.layout.rows_of(piece.groups * self.lanes)

    def _offsets(self, block: Block, piece: Piece, operands: int) -> tuple[int, int, int]:
        """Rows of bias and scale, unit of the residual, where a piece of the block begins; 0 for
        what there is not.
        """
        found = VectorOperands.of(self.config, self.task, block)
        group = (block.n0 - block.column_panel[0]) // self.lanes + piece.group
        down = block.m0 + piece.first - block.row_panel[0]
        residual = (
            self.residual.unit(operands + found.bias + found.scale)
            + down * self.residual.stride_of(block.column_panel[1])
            + group * self.residual.units_per_vector
        )
        return (
            operands + group * self.wide_rows if found.bias else 0,
            operands + found.bias + group * self.wide_rows if found.scale else 0,
            residual if found.residual else 0,
        )

    def _columns(self, block: Block, piece: Piece) -> int:
        """Columns of a piece; the last group of a block may be cut."""
        start = piece.group * self.lanes
        return min(block.n - start, piece.groups * self.lanes)

    def _vector(self, needs: list[Step], block: Block, piece: Piece, rows: _Rows) -> Step:
        task = self.task
        bias, scale, residual = self._offsets(block, piece, rows.operands)
        added = task.residual_address is not None
        output = VectorOutput.INT32 if task.wide_results else VectorOutput.INT8
        return self.add(
            Opcode.VECTOR,
            needs,
            m=piece.rows,
            n=block.n,
            acc_row=rows.accumulators + piece.first,
            acc_stride=block.m,
            out_row=self.layout.unit(rows.out),
            out_stride=self.layout.unit(self._rows_of(piece)),
            output=output.value,
            use_bias=int(task.bias_address is not None),
            bias_row=bias,
            scale_row=scale,
            use_residual=int(added),
            residual_row=residual,
            residual_stride=self.residual.stride_of(block.column_panel[1]) if added else 0,
            zero_point=task.zero_point,
            clamp_min=task.clamp_min,
            clamp_max=task.clamp_max,
        )

    def _sums(self, block: Block, piece: Piece, first: int) -> tuple[Format, int, int, int, int]:
        """The stream of sums of a piece, whose block's begin with accumulator row ``first``; as the
        other streams of ``_run``.
        """
        code = Format.FP32 if self.task.is_float else Format.INT32
        return code, first + piece.group * block.m + piece.first, 1, block.m, 1

    def _run(self, needs: list[Step], block: Block, piece: Piece, rows: _Rows) -> Step:
        task, epilogue = self.task, self.task.epilogue
        assert epilogue is not None
        bias, scale, residual = self._offsets(block, piece, rows.operands)
        out, added = self.layout, self.residual
        out_stride = out.unit(self._rows_of(piece))
        added_stride = added.stride_of(block.column_panel[1])
        # format, first unit, strides from row to row and from vector to vector, accumulator
        known: dict[str, tuple[Format, int, int, int, int]] = {
            "acc": self._sums(block, piece, rows.accumulators),
            "out": (task.out_format, out.unit(rows.out), out_stride, out.units_per_vector, 0),
            "bias": (Format.FP32, bias, 0, self.wide_rows, 0),
            "scale": (Format.FP32, scale, 0, self.wide_rows, 0),
            "residual": (task.residual_format, residual, added_stride, added.units_per_vector, 0),
        }
        fields = {"m": piece.rows, "n": self._columns(block, piece)}
        if piece.turned:
            fields = {"m": piece.groups, "n": piece.rows * self.lanes, "start": 1}
        for number, name in enumerate(epilogue.streams):
            code, row, row_stride, block_stride, where = known[name]
            if piece.turned:
                row_stride, block_stride = block_stride, row_stride
            fields |= stream(number, code, row, row_stride, block_stride, where)
        fields |= {f"scalar{number}": bits for number, bits in enumerate(epilogue.scalars)}
        cycles = epilogue.turned_cycles if piece.turned else epilogue.row_cycles
        return self.add(Opcode.RUN, needs, cycles_per_row=cycles, **fields)

    def _store(self, vector: Step, block: Block, piece: Piece, local_row: int) -> None:
        task, of = self.task, self.layout.bytes_of
        pitch = task.out_pitch or of(task.n)
        size = of(self._columns(block, piece))
        column = block.n0 + piece.group * self.lanes
        self.stores[self.count] = self.add(
            Opcode.STORE,
            [vector],
            memory_address=task.out_address + (block.m0 + piece.first) * pitch + of(column),
            memory_stride=pitch if piece.rows > 1 else size,
            row_bytes=size,
            rows=piece.rows,
            local_row=local_row,
            local_stride=self._rows_of(piece),
            endpoint=self.part.endpoint,
        )
        self.count += 1


def stream(
    number: int, code: Format, row: int, row_stride: int, block_stride: int, accumulator: int = 0
) -> dict[str, int]:
    """The fields of a stream of a RUN command."""
    return {
        f"stream{number}_row": row,
        f"stream{number}_row_stride": row_stride,
        f"stream{number}_block_stride": block_stride,
        f"stream{number}_format": code.value,
        f"stream{number}_accumulator": accumulator,
    }
