"""What becomes of accumulators: a VECTOR or RUN command for each piece of a block, and a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode, VectorOutput

from .layout import layout_of
from .program import Step
from .regions import Region
from .task import GemmTask, Infeasible, Part, ceil_div, split
from .walk import Block

__all__ = ["Drain", "VectorOperands"]

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
        self.pieces = 0

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
        stride = self._rows_of(block.n)
        rows = self.region.rows
        places = min(_PLACES, rows // stride)
        if places == 0:
            raise Infeasible
        largest = rows // (places * stride)
        largest = min(largest, ceil_div(block.m, pieces))
        for first, length in split(block.m, largest):
            slot, release = self.region.use(self.pieces, (self.pieces,), length * stride)
            held = list(needs)
            if release is not None and release >= 0:
                held.append(self.stores[release])
            emit = self._vector if self.task.epilogue is None else self._run
            vector = emit(held, block, first, length, accumulators, operands, slot.start)
            self._store(vector, block, first, length, slot.start)
            self.last_vector[number] = vector

    def _rows_of(self, columns: int) -> int:
        """Scratchpad rows of a result row; whole vectors are written."""
        return self.layout.rows_of(ceil_div(columns, self.lanes) * self.lanes)

    def _offsets(self, block: Block, first: int, operands: int) -> tuple[int, int, int]:
        """Rows of bias and scale, unit of the residual, for a piece that begins with row ``first``
        of the block; 0 for what there is not.
        """
        found = VectorOperands.of(self.config, self.task, block)
        group = (block.n0 - block.column_panel[0]) // self.lanes
        down = block.m0 + first - block.row_panel[0]
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

    def _vector(
        self,
        needs: list[Step],
        block: Block,
        first: int,
        rows: int,
        accumulators: int,
        operands: int,
        out_row: int,
    ) -> Step:
        task = self.task
        bias, scale, residual = self._offsets(block, first, operands)
        added = task.residual_address is not None
        output = VectorOutput.INT32 if task.wide_results else VectorOutput.INT8
        return self.add(
            Opcode.VECTOR,
            needs,
            m=rows,
            n=block.n,
            acc_row=accumulators + first,
            acc_stride=block.m,
            out_row=self.layout.unit(out_row),
            out_stride=self.layout.unit(self._rows_of(block.n)),
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

    def _run(
        self,
        needs: list[Step],
        block: Block,
        first: int,
        rows: int,
        accumulators: int,
        operands: int,
        out_row: int,
    ) -> Step:
        task, epilogue = self.task, self.task.epilogue
        assert epilogue is not None
        bias, scale, residual = self._offsets(block, first, operands)
        sums = Format.FP32 if task.is_float else Format.INT32
        out, added = self.layout, self.residual
        out_stride = out.unit(self._rows_of(block.n))
        added_stride = added.stride_of(block.column_panel[1])
        known: dict[str, tuple[Format, int, int, int, int]] = {
            "acc": (sums, accumulators + first, 1, block.m, 1),
            "out": (task.out_format, out.unit(out_row), out_stride, out.units_per_vector, 0),
            "bias": (Format.FP32, bias, 0, self.wide_rows, 0),
            "scale": (Format.FP32, scale, 0, self.wide_rows, 0),
            "residual": (task.residual_format, residual, added_stride, added.units_per_vector, 0),
        }
        fields = {"m": rows, "n": block.n}
        for number, name in enumerate(epilogue.streams):
            fields |= stream(number, *known[name])
        fields |= {f"scalar{number}": bits for number, bits in enumerate(epilogue.scalars)}
        return self.add(Opcode.RUN, needs, cycles_per_row=epilogue.row_cycles, **fields)

    def _store(self, vector: Step, block: Block, first: int, rows: int, local_row: int) -> None:
        task, of = self.task, self.layout.bytes_of
        pitch = task.out_pitch or of(task.n)
        self.stores[self.pieces] = self.add(
            Opcode.STORE,
            [vector],
            memory_address=task.out_address + (block.m0 + first) * pitch + of(block.n0),
            memory_stride=pitch if rows > 1 else of(block.n),
            row_bytes=of(block.n),
            rows=rows,
            local_row=local_row,
            local_stride=self._rows_of(block.n),
            endpoint=self.part.endpoint,
        )
        self.pieces += 1


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
