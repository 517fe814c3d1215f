"""Loads of one tile: panels of operands with their scales, bias, requantisation scale, residual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from weft_hw.config import ChipConfig
from weft_hw.isa import Opcode

from .drain import VectorOperands
from .image import image_loads
from .layout import SCALED_OPERANDS, layout_of
from .program import Step
from .regions import Slot, scale_groups
from .task import GemmTask, Part, ceil_div
from .walk import Block

__all__ = ["Fetch", "Load"]

#: (start, length) of a panel's rows or columns.
_Panel = tuple[int, int]


@dataclass(slots=True, eq=False)
class Load:
    """Operands (``a``, ``b``, or vectors of a block) to fetch: before operation ``use``, after
    operation ``release`` (-1: any time).
    """

    kind: str
    block: Block
    k0: int
    k: int
    slot: Slot
    use: int
    release: int


class Fetch:
    """Emits LOAD commands. In all methods ``needs`` is what frees the rows from ``start`` on."""

    def __init__(
        self, config: ChipConfig, task: GemmTask, part: Part, add: Callable[..., Step]
    ) -> None:
        self.config, self.task, self.part, self.add = config, task, part, add
        self.layout = layout_of(config, task.format)

    def emit(self, load: Load, needs: list[Step], start: int) -> Step | None:
        """What ``load`` is for; the last step, if any."""
        block = load.block
        if load.kind == "vector":
            return self.vectors(needs, block, start)
        if load.kind == "a":
            return self.left(needs, block.row_panel, load.k0, load.k, start)
        return self.right(needs, block.column_panel, load.k0, load.k, start)

    def left(self, needs: list[Step], panel: _Panel, k0: int, k: int, start: int) -> Step | None:
        """Operands [k0, k0 + k) of rows of ``a``, then their scales."""
        task, of = self.task, self.layout.bytes_of
        if task.image is not None:
            bits, step = self.config.host.address_bits, None
            for fields in image_loads(
                task.image, self.layout, task.a_address, bits, panel, (k0, k), start
            ):
                step = self.add(Opcode.LOAD, needs, endpoint=self.part.endpoint, **fields)
            return step
        first, rows = panel
        pitch = task.a_pitch or of(task.k)
        address = task.a_address + first * pitch + of(k0)
        step = self._transfer(needs, address, pitch, of(k), rows, start)
        if task.a_scales_address is not None:
            local = start + rows * self.layout.rows_of(k)
            return self._scales(needs, task.a_scales_address, task.m, panel, k0, k, local)
        return step

    def right(self, needs: list[Step], panel: _Panel, k0: int, k: int, start: int) -> Step:
        """Rows [k0, k0 + k) of columns of ``b``, then their scales."""
        task, of = self.task, self.layout.bytes_of
        first, columns = panel
        if task.b_transposed:
            pitch = task.b_pitch or of(task.k)
            return self.add(
                Opcode.LOAD,
                needs,
                memory_address=task.b_address + first * pitch + of(k0),
                memory_stride=pitch,
                row_bytes=of(k),
                rows=columns,
                local_row=start,
                local_stride=self.layout.rows_of(columns),
                endpoint=self.part.endpoint,
                transpose=self.layout.bits.bit_length() - 3,
            )
        pitch = task.b_pitch or of(task.n)
        address = task.b_address + k0 * pitch + of(first)
        step = self._transfer(needs, address, pitch, of(columns), k, start)
        if task.b_scales_address is not None:
            local = start + k * self.layout.rows_of(columns)
            return self._scales(needs, task.b_scales_address, task.n, panel, k0, k, local)
        return step

    def vectors(self, needs: list[Step], block: Block, start: int) -> Step | None:
        """Bias, scale and residual of a block's panels; the last load, if any."""
        task, rows, columns = self.task, block.row_panel, block.column_panel
        found = VectorOperands.of(self.config, task, block)
        size = 4 * columns[1]
        last = None
        if task.bias_address is not None:
            address = task.bias_address + 4 * columns[0]
            last = self._transfer(needs, address, size, size, 1, start)
        if task.scale_address is not None:
            address = task.scale_address + 4 * columns[0]
            last = self._transfer(needs, address, size, size, 1, start + found.bias)
        if task.residual_address is not None:
            of = layout_of(self.config, task.residual_format).bytes_of
            pitch = task.residual_pitch or of(task.n)
            address = task.residual_address + rows[0] * pitch + of(columns[0])
            local = start + found.bias + found.scale
            last = self._transfer(needs, address, pitch, of(columns[1]), rows[1], local)
        return last

    def _scales(
        self, needs: list[Step], base: int, whole: int, panel: _Panel, k0: int, k: int, local: int
    ) -> Step:
        """A byte for each row or column of a panel and group of operands."""
        address = base + k0 // SCALED_OPERANDS * whole + panel[0]
        return self._transfer(needs, address, whole, panel[1], scale_groups(self.task, k), local)

    def _transfer(
        self, needs: list[Step], address: int, stride: int, row_bytes: int, rows: int, local: int
    ) -> Step:
        """A load whose rows lie one after the other in the scratchpad."""
        return self.add(
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
