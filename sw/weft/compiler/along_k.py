"""A product with some of its operands along K: the task of a tile that shares K with others."""

from __future__ import annotations

from dataclasses import replace

from weft_hw.config import ChipConfig

from .layout import SCALED_OPERANDS, layout_of
from .task import GemmTask, Part

__all__ = ["adding_program", "along_k", "may_split_k"]


def may_split_k(config: ChipConfig, task: GemmTask) -> bool:
    """Whether partial sums of the task can be added up: on chips with a vector processor, 32-bit
    results as they are or with an int32 bias, and what an epilogue makes of int32 sums.

    int8 results of a VECTOR command cannot, because that takes its sums from the accumulators.
    fp32 sums with an epilogue are those of a network's layers: their order of additions, and so
    their bits, should not depend on the number of tiles.
    """
    known = task.wide_results if task.epilogue is None else not task.is_float
    return config.tile.has_float and known and task.image is None


def adding_program(task: GemmTask) -> int:
    """Number of the program that adds up partial sums: it follows those of the epilogue."""
    if task.epilogue is None:
        return 0
    return 2 if task.epilogue.turned_cycles else 1


def along_k(config: ChipConfig, task: GemmTask, part: Part) -> GemmTask:
    """The task with only the operands along K of ``part``, where they lie."""
    if not part.group:
        return task
    of = layout_of(config, task.format).bytes_of
    a_pitch = task.a_pitch or of(task.k)
    b_pitch = task.b_pitch or of(task.k if task.b_transposed else task.n)
    scales = part.k0 // SCALED_OPERANDS
    return replace(
        task,
        k=part.k,
        a_pitch=a_pitch,
        b_pitch=b_pitch,
        a_address=task.a_address + of(part.k0),
        b_address=task.b_address + (of(part.k0) if task.b_transposed else part.k0 * b_pitch),
        a_scales_address=_after(task.a_scales_address, scales * task.m),
        b_scales_address=_after(task.b_scales_address, scales * task.n),
    )


def _after(address: int | None, bytes_: int) -> int | None:
    return None if address is None else address + bytes_
