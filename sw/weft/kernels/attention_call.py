"""A call of attention, checked: sizes, buffers, microprograms with their scalars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from weft_hw.formats.table import Format

from ..compiler.attention_task import Matrix
from ..compiler.layout import layout_of
from . import vector
from .formats import OperandType, format_of

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..microcode import Program

__all__ = ["PROBABILITY_SCALE", "AttentionCall", "AttentionShape", "Head", "attention_programs_of"]

#: Of int8 probabilities: 1 is 127.
PROBABILITY_SCALE = 127.0


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """``depth`` columns of queries and keys, ``width`` of values, in each of ``heads``."""

    batch: int
    queries: int
    keys: int
    heads: int
    depth: int
    width: int


@dataclass(frozen=True, slots=True)
class Head:
    """One head of one image. ``mask``: with pitch 0 one row for all queries."""

    name: tuple[int, int]
    queries: Matrix
    keys: Matrix
    values: Matrix
    out: Matrix
    mask: Matrix | None


@dataclass(frozen=True, slots=True)
class AttentionCall:
    """``buffers``: q, k, v and perhaps mask. ``scale``: of sums; ``factor``: of results."""

    device: Device
    kind: OperandType
    shape: AttentionShape
    buffers: dict[str, DeviceBuffer]
    out: DeviceBuffer
    out_format: Format
    scale: float
    factor: float
    causal: bool

    @property
    def mask_format(self) -> Format:
        """Of the mask; fp32 if there is none."""
        if "mask" not in self.buffers:
            return Format.FP32
        return format_of(self.device.config, self.buffers["mask"].dtype, "mask")

    def programs(self) -> dict[str, Program]:
        """``softmax``, ``finish`` and, unless operands are bf16, ``quantise``."""
        return attention_programs_of(
            self.device.config.tile.array_cols,
            "mask" in self.buffers,
            self.causal,
            self.shape.keys <= self.device.config.tile.array_cols,
            self.kind.format,
            self.out_format,
        )

    def scalars(self, name: str, program: Program) -> dict[str, float | int]:
        """Scalars of one of the programs."""
        quantised = 1.0 if self.kind.is_float else PROBABILITY_SCALE
        values: dict[str, float | int] = {
            "scale": self.scale,
            "row_offset": self.shape.keys - self.shape.queries,
            "factor": quantised if name == "quantise" else self.factor,
        }
        return {scalar: values[scalar] for scalar in program.scalars}

    def heads(self) -> Iterator[Head]:
        """All heads, image by image."""
        shape, buffers = self.shape, self.buffers
        for image in range(shape.batch):
            mask = self._mask(image)
            for head in range(shape.heads):
                yield Head(
                    (image, head),
                    self._matrix(buffers["q"], image, head, shape.depth),
                    self._matrix(buffers["k"], image, head, shape.depth),
                    self._matrix(buffers["v"], image, head, shape.width),
                    self._matrix(self.out, image, head, shape.width),
                    mask,
                )

    def _matrix(self, buffer: DeviceBuffer, image: int, head: int, columns: int) -> Matrix:
        """A head's columns of one image."""
        code = format_of(self.device.config, buffer.dtype, "operand")
        of = layout_of(self.device.config, code).bytes_of
        pitch = of(buffer.shape[2])
        address = buffer.address + image * buffer.shape[1] * pitch + of(head * columns)
        return Matrix(address, pitch, code)

    def _mask(self, image: int) -> Matrix | None:
        mask, code = self.buffers.get("mask"), self.mask_format
        if mask is None:
            return None
        row = layout_of(self.device.config, code).bytes_of(self.shape.keys)
        each = {1: 0, 2: row, 3: self.shape.queries * row}[mask.ndim]
        return Matrix(mask.address + image * each, row if mask.ndim == 3 else 0, code)


@lru_cache(maxsize=64)
def attention_programs_of(
    lanes: int, mask: bool, causal: bool, one_block: bool, code: Format, out: Format
) -> dict[str, Program]:
    """The microprograms of attention by name."""
    found = {
        "softmax": vector.softmax(
            lanes, scale=True, mask=mask, causal=causal, one_block=one_block, fast=True
        ),
        "finish": vector.scale(saturate=out not in (Format.FP32, Format.BF16)),
    }
    if code is not Format.BF16:
        found["quantise"] = vector.scale(saturate=True)
    return found
