"""Products ready to run: from a task in device memory to a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..commands import with_starts
from ..compiler.plan import GemmPlan, plan_gemm
from ..compiler.schedule import restarted
from ..compiler.task import GemmTask
from .operands import Operand, on_device
from .vector.partial import add_partial

if TYPE_CHECKING:
    from ..buffer import DeviceBuffer
    from ..device import Device
    from ..event import Event
    from ..microcode import Program

__all__ = ["PlannedMatmul", "choose_tiles", "place", "plan_task"]


@dataclass(frozen=True, slots=True)
class PlannedMatmul:
    """A product ready to run: its plan, its buffers. ``out`` will hold the result."""

    plan: GemmPlan
    out: DeviceBuffer
    buffers: tuple[DeviceBuffer, ...]
    programs: tuple[Program, ...] = ()
    """Of the RUN commands, whose start is a number of these."""

    def load(self, device: Device) -> Event | None:
        """Submits the loads of programs that the tiles lack, then those of resident operands; None
        if there are none of the latter.
        """
        self._starts(device)
        plan = self.plan
        if len(plan.prologue) == 0:
            return None
        name = f"operands of {plan.name}"
        if device.batches:
            steps = restarted(plan.prologue_steps, ())
            return device.run_steps(steps, name=name, keep=self.buffers, result=None)
        return device.submit(plan.prologue, keep=self.buffers, name=name)

    def run(self, device: Device) -> Event:
        """Submits the product."""
        plan, starts, keep = self.plan, self._starts(device), (*self.buffers, self.out)
        if device.batches:
            steps = restarted(plan.steps, starts)
            return device.run_steps(steps, name=plan.name, keep=keep, result=self.out)
        commands = with_starts(plan.commands, starts) if starts else plan.commands
        return device.submit(commands, keep=keep, result=self.out, name=plan.name)

    def _starts(self, device: Device) -> tuple[int, ...]:
        """Entries of the programs, loaded where they are not."""
        if not self.programs:
            return ()
        return device.programs.require(self.programs, [part.tile for part in self.plan.parts])


def plan_task(
    device: Device,
    task: GemmTask,
    out: DeviceBuffer,
    buffers: tuple[DeviceBuffer, ...],
    tiles: tuple[tuple[int, int], ...] | None,
    *,
    programs: tuple[Program, ...] = (),
    resident: bool = False,
    explain: bool = False,
) -> PlannedMatmul:
    """Plans a task whose operands are ``buffers`` and whose results go to ``out``; ``programs``
    are those of its epilogue.
    """
    plan = plan_gemm(device.config, task, device.target.dram, tiles=tiles, resident=resident)
    if explain:
        print(plan.explain())
    if len(plan.k_lengths) > 1:
        programs = (*programs, _add_partial(integer=not task.is_float))
    return PlannedMatmul(plan, out, buffers, programs)


@lru_cache(maxsize=2)
def _add_partial(*, integer: bool) -> Program:
    return add_partial(integer=integer)


def place(device: Device, operands: Mapping[str, Operand]) -> dict[str, DeviceBuffer]:
    """Operands on the device; arrays are copied."""
    return {name: on_device(device, value) for name, value in operands.items()}


def choose_tiles(device: Device, count: int | None) -> tuple[tuple[int, int], ...] | None:
    """The first ``count`` tiles; None for all.

    Raises
    ------
    TypeError, ValueError
        if ``count`` is no integer, or the mesh has fewer.
    """
    if count is None:
        return None
    mesh = device.config.mesh
    if isinstance(count, bool) or not isinstance(count, int | np.integer):
        raise TypeError(f"tiles must be an integer, not {count!r}")
    if not 1 <= count <= mesh.tiles:
        raise ValueError(f"tiles must be between 1 and {mesh.tiles}, not {count}")
    everywhere = [(x, y) for y in range(mesh.rows) for x in range(mesh.cols)]
    return tuple(everywhere[:count])
