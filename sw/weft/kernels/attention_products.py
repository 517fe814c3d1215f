"""Attention as products, where the keys of a head do not fit a tile: scores go through memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
from weft_hw.formats.table import Format

from ..compiler.task import Epilogue, GemmTask
from .attention_call import AttentionCall, Head
from .product import plan_task
from .rows import run_rows
from .scalars import scalar_bits

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..event import Event

__all__ = ["submit_products"]


def submit_products(call: AttentionCall) -> Event:
    """Head by head, each on all tiles: scores, softmax, and what weighs the values."""
    device, shape = call.device, call.shape
    size = (shape.queries, shape.keys)
    sums = device.empty(size, np.float32 if call.kind.is_float else np.int32)
    probabilities = device.empty(size, ml_dtypes.bfloat16)
    quantised = call.kind.format is not Format.BF16
    operands = device.empty(size, call.kind.dtype) if quantised else probabilities
    for head in call.heads():
        _scores(call, head, sums)
        _probabilities(call, head, sums, probabilities)
        if quantised:
            program = call.programs()["quantise"]
            run_rows(
                device, program, {"x": probabilities}, operands, m=shape.queries, n=shape.keys,
                scalars=call.scalars("quantise", program),
            )  # fmt: skip
        event = _weigh(call, head, operands)
    return event


def _scores(call: AttentionCall, head: Head, sums: DeviceBuffer) -> None:
    shape = call.shape
    task = GemmTask(
        m=shape.queries, k=shape.depth, n=shape.keys, format=call.kind.format,
        a_address=head.queries.address, a_pitch=head.queries.pitch,
        b_address=head.keys.address, b_pitch=head.keys.pitch, b_transposed=True,
        out_address=sums.address, out_format=Format.FP32 if call.kind.is_float else Format.INT32,
    )  # fmt: skip
    plan_task(call.device, task, sums, tuple(call.buffers.values()), None).run(call.device)


def _probabilities(
    call: AttentionCall, head: Head, sums: DeviceBuffer, probabilities: DeviceBuffer
) -> None:
    shape, program = call.shape, call.programs()["softmax"]
    sources = {"x": sums}
    if head.mask is not None:
        mask, image = call.buffers["mask"], head.name[0]
        sources["mask"] = mask if mask.ndim == 1 else mask[image]
    run_rows(
        call.device, program, sources, probabilities, m=shape.queries, n=shape.keys,
        scalars=call.scalars("softmax", program), row_scalar="row_offset" if call.causal else None,
    )  # fmt: skip


def _weigh(call: AttentionCall, head: Head, operands: DeviceBuffer) -> Event:
    shape, program = call.shape, call.programs()["finish"]
    scalars = call.scalars("finish", program)
    # the program's x is what an epilogue calls acc
    streams = tuple("acc" if name == "x" else name for name in program.streams)
    task = GemmTask(
        m=shape.queries, k=shape.keys, n=shape.width, format=call.kind.format,
        a_address=operands.address, b_address=head.values.address, b_pitch=head.values.pitch,
        out_address=head.out.address, out_pitch=head.out.pitch, out_format=call.out_format,
        epilogue=Epilogue(
            streams=streams,
            scalars=tuple(scalar_bits(scalars[name]) for name in program.scalars),
            row_cycles=program.per_block,
        ),
    )  # fmt: skip
    buffers = (operands, *call.buffers.values())
    planned = plan_task(call.device, task, call.out, buffers, None, programs=(program,))
    return planned.run(call.device)
