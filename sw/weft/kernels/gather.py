"""Rows of a table by a list of indices on the device: embeddings."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from ..buffer import bytes_of
from ..compiler.gather import GatherTask, gather_programs
from ..compiler.program import Step
from .loads import require_tensor_loads
from .operands import Operand, check_operand, on_device, result_buffer

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event

__all__ = ["gather"]

#: A row is one row of a transfer, whose bytes are a 16-bit field.
_LARGEST_ROW_BYTES = 65_535


def gather(
    device: Device, table: Operand, indices: Operand, *, out: DeviceBuffer | None = None
) -> Event:
    """``table[indices]`` for a table (R, N) of any dtype and indices (M,) of int32; the event's
    ``wait()`` gives the buffer (M, N).

    The device checks indices: one that is negative or not below R ends the work with a
    ``DeviceError`` of status INDEX, before anything is read there.

    Raises
    ------
    TypeError, ValueError
        for operands of the wrong kind, dtype or shape, and a chip without ``tensor_loads``.
    """
    device.require_open()
    require_tensor_loads(device.config, "gathers")
    table = check_operand(device, table, "table", None, None)
    if table.ndim != 2:
        raise ValueError(f"table must have 2 dimensions, not shape {table.shape}")
    indices = check_operand(device, indices, "indices", np.int32, 1)
    row_bytes = bytes_of(table.shape[1:], table.dtype)
    if row_bytes > _LARGEST_ROW_BYTES:
        raise ValueError(
            f"table must have rows of at most {_LARGEST_ROW_BYTES} bytes, not {row_bytes}; split it"
        )
    shape = (indices.shape[0], table.shape[1])
    apart = {"table": table, "indices": indices}
    out = result_buffer(device, out, shape, table.dtype, "a row for each index", apart=apart)
    placed, chosen = on_device(device, table), on_device(device, indices)
    task = GatherTask(
        rows=shape[0],
        row_bytes=row_bytes,
        limit=table.shape[0],
        table_address=placed.address,
        index_address=chosen.address,
        out_address=out.address,
    )
    mesh = device.config.mesh
    tiles = [(x, y) for y in range(mesh.rows) for x in range(mesh.cols)]
    parts = gather_programs(device.config, task, tiles)
    steps = [step for turn in zip_longest(*parts) for step in turn if isinstance(step, Step)]
    return device.run_steps(steps, name="gather", keep=(placed, chosen, out), result=out)
