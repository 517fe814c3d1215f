"""The Weft chip as a `Machine`: everything from `ChipConfig`, memory and clock from `weft.fleet.*`.

This is the only file of the fleet model that knows `weft_hw`. DRAM bandwidth is the smaller of the
memory stacks and the chip's own memory endpoints (`memory_endpoints` managers x one flit per
cycle).
"""

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.presets import preset

from weft.fleet.constants import Constants, default_constants
from weft.fleet.machines import Link, Machine, VectorCurve, WeftArray
from weft.fleet.quantity import Num

__all__ = ["endpoint_bandwidth_bytes_per_s", "weft_chip"]

RATE_BY_PRECISION = {"int8": 1.0, "fp8": 1.0, "bf16": 0.5, "fp16": 0.5}
"""Multiply-accumulates per processing element and cycle, relative to int8.

A bf16 operand is two bytes wide and a scratchpad row holds half as many: half rate on the same
rows. Formats that the configuration does not build are left out."""


def endpoint_bandwidth_bytes_per_s(config: ChipConfig, clock_hz: Num) -> Num:
    """Bytes per second that the chip's memory endpoints can move one way."""
    return config.mesh.memory_endpoints * config.flit_bytes * clock_hz


def weft_chip(
    config: ChipConfig | str = "fleet",
    constants: Constants | None = None,
    *,
    formats: tuple[str, ...] | None = None,
) -> Machine:
    """The chip of a configuration (or preset name) as a `Machine`.

    `formats` overrides the formats built in, to price a chip that the hardware does not offer yet;
    the machine's notes then say so.
    """
    chip = preset(config) if isinstance(config, str) else config
    c = constants if constants is not None else default_constants()
    clock = c["weft.fleet.clock_ghz"] * 1e9
    built = tuple(formats or chip.tile.formats)
    rate = 2.0 * chip.peak_macs_per_cycle * clock
    peaks: dict[str, Num] = {f: rate * RATE_BY_PRECISION[f] for f in built}
    peaks.setdefault("int8", rate)
    stacks = c["weft.fleet.hbm_stacks"]
    ports = endpoint_bandwidth_bytes_per_s(chip, clock)
    dram = stacks * c["weft.fleet.hbm_stack_tb_per_s"] * 1e12
    notes = [
        f"{chip.mesh.cols}x{chip.mesh.rows} tiles of {chip.tile.array_rows}x{chip.tile.array_cols}",
        f"memory endpoints carry {float(np.median(ports)) / 1e9:.0f} GB/s of the stacks' "
        f"{float(np.median(dram)) / 1e9:.0f} GB/s",
    ]
    absent = [f for f in built if f not in chip.tile.formats]
    if absent:
        notes.append(f"assumes formats this configuration does not build yet: {', '.join(absent)}")
    return Machine(
        name=f"weft_{chip.name}",
        kind="weft",
        peak_flops=peaks,
        memory_bytes=stacks * c["weft.fleet.hbm_stack_gb"] * 1e9,
        memory_bandwidth_bytes_per_s=np.minimum(ports, dram),
        compute_units=chip.mesh.tiles,
        gemm={},
        vector=VectorCurve(
            memory_fraction=c["weft.fleet.memory_fraction"],
            softmax_fraction=c["weft.fleet.softmax_memory_fraction"],
            overhead_s=c["weft.fleet.vector_overhead_us"] * 1e-6,
        ),
        scaleup=Link(
            bandwidth_bytes_per_s=c["weft.fleet.scaleup_gb_per_s"] * 1e9,
            latency_s=c["weft.fleet.scaleup_latency_us"] * 1e-6,
            chips=int(c.number("weft.fleet.scaleup_chips")),
            efficiency=c["weft.fleet.scaleup_efficiency"],
            ramp_s=c["weft.fleet.scaleup_ramp_us"] * 1e-6,
            half_size_bytes=c["weft.fleet.scaleup_half_size_mb"] * 1e6,
        ),
        scaleout=Link(
            bandwidth_bytes_per_s=c["weft.fleet.scaleout_gb_per_s"] * 1e9,
            latency_s=c["net.any.scaleout_latency_us"] * 1e-6,
            chips=0,
            efficiency=c["net.any.scaleout_efficiency"],
        ),
        board_power_max_w=c["weft.fleet.board_power_max_w"],
        idle_power_w=c["weft.fleet.static_power_w"],
        array=WeftArray(
            tiles=chip.mesh.tiles,
            rows=chip.tile.array_rows,
            cols=chip.tile.array_cols,
            clock_hz=clock,
            scratchpad_bytes=chip.tile.scratchpad_kib * 1024,
            accumulator_bytes=chip.tile.accumulator_kib * 1024,
            command_cycles=c["weft.fleet.command_cycles"],
        ),
        notes=tuple(notes),
    )
