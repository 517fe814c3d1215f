"""Power of one chip while it does a piece of work: counts times energy, plus what is always on.

One function for both kinds. GPU: joules per operation from the board's own limit (a board is sized
to draw its limit at its best matrix product), bytes times energy per bit, an active floor. Weft:
`weft.fleet.energy` (counts times published energy per operation) plus link bits. A board never
draws more than its limit: above it, clocks fall and the work takes longer (`cap_power`).
"""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.energy import weft_energy
from weft.fleet.errors import FleetError
from weft.fleet.machines import Machine
from weft.fleet.operators import OpCost, elementwise, gemm
from weft.fleet.operators.collectives import all_reduce
from weft.fleet.power.cap import cap_power
from weft.fleet.quantity import Num

__all__ = ["PHASES", "ChipPower", "chip_power", "dynamic_energy_j", "phase_power"]

PHASES = ("idle", "gemm", "memory", "collective", "prefill", "decode")
"""`gemm` compute-bound matrix products, `memory` streaming, `collective` waiting for links;
`prefill` and `decode` come from the pass that is given."""

NARROW = ("fp8", "int8", "fp4")


@dataclass(frozen=True, slots=True)
class ChipPower:
    """What one chip draws during a piece of work, after its limit."""

    power_w: Num
    idle_w: Num
    dynamic_w: Num
    uncapped_w: Num
    """What it would draw without a limit."""
    limit_w: Num
    slowdown: Num
    """Time with the limit over time with the board's own (GPU) or none (Weft), at least 1."""
    time_s: Num
    energy_j: Num


def dynamic_energy_j(machine: Machine, work: OpCost, precision: str, c: Constants) -> Num:
    """Joules of `work` above idle power, before any limit."""
    link = work.network_bytes * 8e-12 * c["power.any.link_pj_per_bit"]
    if machine.array is not None:
        parts = weft_energy(machine, work, precision, c)
        dram = work.memory_bytes * 8e-12 * c["power.weft.hbm_pj_per_bit"]
        return parts.logic_j + parts.scratchpad_j + parts.mesh_j + dram + link
    span = machine.board_power_max_w - machine.idle_power_w
    per_op = c["power.gpu.gemm_at_peak_share"] * span / machine.peak("bf16")
    if precision in NARROW:
        per_op = per_op * c["power.gpu.fp8_energy_share"]
    memory = work.memory_bytes * 8e-12 * c["power.gpu.hbm_pj_per_bit"]
    floor = c["power.gpu.active_floor_share"] * span * work.time_s
    return work.flops * per_op + memory + link + floor


def chip_power(
    machine: Machine,
    work: OpCost,
    precision: str = "bf16",
    constants: Constants | None = None,
    *,
    limit_w: Num | None = None,
) -> ChipPower:
    """Power of one chip during `work` (a whole pass, iteration or training step of that chip).

    Parameters
    ----------
    work : OpCost
        Counts and time; `compute_s` and `memory_s` say how much of the time scales with clocks.
    limit_w : Num, optional
        Power limit (default and maximum: the board's).

    Raises
    ------
    InfeasibleError
        for a limit below what the chip needs at its lowest clock.
    """
    c = constants if constants is not None else default_constants()
    if not np.all(np.asarray(work.time_s) > 0):
        raise FleetError(f"work {work.name!r} takes no time; power needs a positive time")
    dynamic = dynamic_energy_j(machine, work, precision, c) / work.time_s
    busy = work.compute_s / (work.compute_s + work.memory_s + 1e-30)
    compute_share = np.clip(np.minimum(busy, work.compute_s / work.time_s), 0.0, 1.0)
    board = machine.board_power_max_w
    uncapped = machine.idle_power_w + dynamic
    if machine.kind == "gpu":
        # measured kernels already ran at the board's limit: no second slowdown for it
        dynamic = np.minimum(dynamic, board - machine.idle_power_w)
    limit = board if limit_w is None else np.minimum(limit_w, board)
    done = cap_power(
        idle_w=machine.idle_power_w,
        dynamic_w=dynamic,
        limit_w=limit,
        compute_share=compute_share,
        constants=c,
        strict=limit_w is not None,
    )
    time = work.time_s * done.slowdown
    return ChipPower(
        power_w=done.power_w,
        idle_w=machine.idle_power_w,
        dynamic_w=done.power_w - machine.idle_power_w,
        uncapped_w=uncapped,
        limit_w=limit,
        slowdown=done.slowdown,
        time_s=time,
        energy_j=done.power_w * time,
    )


def phase_power(
    machine: Machine,
    phase: str,
    constants: Constants | None = None,
    *,
    work: OpCost | None = None,
    precision: str = "bf16",
    limit_w: Num | None = None,
) -> Num:
    """Watts of one chip in a phase of `PHASES`; `prefill` and `decode` need the pass as `work`."""
    c = constants if constants is not None else default_constants()
    if phase not in PHASES:
        raise FleetError(f"phase must be one of {', '.join(PHASES)}, not {phase!r}")
    if phase == "idle":
        return machine.idle_power_w
    if phase == "gemm":
        work = gemm(machine, 8192, 8192, 8192, precision=precision)
    elif phase == "memory":
        work = elementwise(machine, 1e9)
    elif phase == "collective":
        work = all_reduce(machine, 1e9, max(2, min(8, machine.scaleup.chips)))
    if work is None:
        raise FleetError(f"phase {phase!r} needs the work it does; pass work=inference_pass(...)")
    return chip_power(machine, work, precision, c, limit_w=limit_w).power_w
