"""Attention whose scores stay in the tiles."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from ..compiler.attention import attention_programs
from ..compiler.attention_task import AttentionTask, Job, Program, largest_block
from ..compiler.program import Step
from ..compiler.task import ceil_div
from .attention_call import AttentionCall
from .scalars import scalar_bits

if TYPE_CHECKING:
    from .. import microcode
    from ..event import Event

__all__ = ["fused_block", "submit_fused"]


def fused_block(call: AttentionCall) -> int:
    """Queries that a tile can work on at once with all keys of a head; 0 if they do not fit."""
    nowhere = {name: Program(0) for name in call.programs()}
    task = _task(call, nowhere, call.shape.queries)
    block = largest_block(call.device.config, task, call.mask_format, call.shape.queries)
    return ceil_div(call.shape.queries, ceil_div(call.shape.queries, block)) if block else 0


def submit_fused(call: AttentionCall, block: int) -> Event:
    """All heads, ``block`` queries at a time, shared out among all tiles."""
    device = call.device
    config = device.config
    tiles = [(x, y) for y in range(config.mesh.rows) for x in range(config.mesh.cols)]
    programs = call.programs()
    starts = device.programs.require(list(programs.values()), tiles)
    ready = {
        name: _placed(call, name, program, start)
        for (name, program), start in zip(programs.items(), starts, strict=True)
    }
    jobs = [
        Job(
            head.name,
            first,
            min(block, call.shape.queries - first),
            head.queries,
            head.keys,
            head.values,
            head.out,
            head.mask,
        )
        for head in call.heads()
        for first in range(0, call.shape.queries, block)
    ]
    share = ceil_div(len(jobs), len(tiles))
    parts = [jobs[first : first + share] for first in range(0, len(jobs), share)]
    found = attention_programs(config, _task(call, ready, block), parts, tiles)
    steps = [step for turn in zip_longest(*found) for step in turn if isinstance(step, Step)]
    keep = (*call.buffers.values(), call.out)
    return device.run_steps(steps, name="attention", keep=keep, result=call.out)


def _task(call: AttentionCall, programs: dict[str, Program], block: int) -> AttentionTask:
    shape = call.shape
    return AttentionTask(
        format=call.kind.format,
        keys=shape.keys,
        depth=shape.depth,
        width=shape.width,
        block=block,
        out_format=call.out_format,
        softmax=programs["softmax"],
        finish=programs["finish"],
        quantise=programs.get("quantise"),
        has_mask="mask" in call.buffers,
    )


def _placed(call: AttentionCall, name: str, program: microcode.Program, start: int) -> Program:
    values = call.scalars(name, program)
    return Program(
        start=start,
        scalars=tuple(scalar_bits(values[scalar]) for scalar in program.scalars),
        row_cycles=max(1, program.per_block),
        offset=program.scalars.index("row_offset") if "row_offset" in program.scalars else None,
    )
