"""Runs a microprogram over the rows of device buffers, on all tiles."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

from ..buffer import DeviceBuffer, bytes_of
from ..compiler.program import Step
from ..compiler.rowwise import RowStream, RowTask, row_programs
from .formats import format_of
from .operands import check_apart, on_device
from .scalars import scalar_bits

if TYPE_CHECKING:
    from ..device import Device
    from ..event import Event
    from ..microcode import Program
    from .operands import Operand

__all__ = ["run_rows"]


def run_rows(
    device: Device,
    program: Program,
    operands: Mapping[str, Operand],
    out: DeviceBuffer,
    *,
    m: int,
    n: int,
    scalars: Mapping[str, float | int] | None = None,
    row_scalar: str | None = None,
) -> Event:
    """Starts ``program`` over M x N matrices; the event's ``wait()`` gives ``out``.

    ``operands``: what the program's streams read, by name: M x N values each (of any shape), or N
    that all rows share. ``out``: what its one target writes. ``scalars``: by name; floats become
    fp32, integers int32. ``row_scalar`` names one to which each command's first row is added.

    Raises
    ------
    TypeError, ValueError
        for names that are not the program's, dtypes that the chip lacks, sizes that do not fit.
    """
    given = {**operands, **{name: out for name in program.written}}
    if set(given) != set(program.streams):
        raise ValueError(
            f"{program.name} must get the streams {', '.join(program.streams)}, "
            f"not {', '.join(given) or 'none'}"
        )
    values = dict(scalars or {})
    if set(values) != set(program.scalars):
        raise ValueError(
            f"{program.name} must get the scalars {', '.join(program.scalars) or 'none'}, "
            f"not {', '.join(values) or 'none'}"
        )
    streams, buffers = [], []
    for number, name in enumerate(program.streams):
        buffer = on_device(device, given[name])
        if buffer is not out:
            check_apart(out, buffer, name, in_place=True)
        buffers.append(buffer)
        shared = buffer.size == n and m > 1
        if not shared and buffer.size != m * n:
            raise ValueError(
                f"{name} must have {m} x {n} values or {n} for all rows, not shape {buffer.shape}"
            )
        streams.append(
            RowStream(
                number=number,
                format=format_of(device.config, buffer.dtype, name),
                address=buffer.address,
                pitch=bytes_of((n,), buffer.dtype),
                read=name in operands,
                written=name in program.written,
                shared=shared,
            )
        )
    config = device.config
    tiles = [(x, y) for y in range(config.mesh.rows) for x in range(config.mesh.cols)]
    (start,) = device.programs.require([program], tiles)
    task = RowTask(
        m=m,
        n=n,
        start=start,
        streams=tuple(streams),
        scalars=tuple(scalar_bits(values[name]) for name in program.scalars),
        row_scalar=None if row_scalar is None else program.scalars.index(row_scalar),
        row_cycles=max(1, program.row_cycles(8, n, config.tile.array_cols) // 8),
    )
    parts = row_programs(config, task, tiles)
    # tiles take turns in the ring, so that all begin soon
    steps = [step for turn in zip_longest(*parts) for step in turn if isinstance(step, Step)]
    return device.run_steps(steps, name=program.name, keep=(*buffers, out), result=out)
