"""The Weft chip as a `Machine`: everything from `ChipConfig`, memory and clock from `weft.fleet.*`.

This is the only file of the fleet model that knows `weft_hw`. DRAM bandwidth is the smaller of the
memory stacks and the chip's own memory endpoints (`memory_endpoints` managers x one flit per
cycle).
"""

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.presets import preset

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.machines import Link, Machine, VectorCurve, WeftArray
from weft.fleet.quantity import Num

__all__ = ["FORMAT_OF", "endpoint_bandwidth_bytes_per_s", "weft_chip"]

FORMAT_OF = {
    "int8": "int8",
    "int4": "int4",
    "bf16": "bf16",
    "fp8e4m3": "fp8",
    "fp8e5m2": "fp8",
    "mxfp8": "fp8",
}
"""Formats of a configuration, by the names of the fleet model. An array multiplies all that it is
built with at the rate of int8, because a scratchpad row holds its rows of the widest."""

ADDED_RATE = {"int8": 1.0, "fp8": 1.0, "bf16": 0.5, "fp16": 0.5}
"""Rate, relative to int8, of a format that a configuration is priced with and built without.

On rows as wide as they are, half as many bf16 operands: half the rate."""


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

    `formats` overrides the formats built in, to price a chip with others; the machine's notes then
    say so.

    Raises
    ------
    FleetError
        for a format that no chip has.
    """
    chip = preset(config) if isinstance(config, str) else config
    c = constants if constants is not None else default_constants()
    clock = c["unit.n5.clock_ghz"] * 1e9
    built = dict.fromkeys(FORMAT_OF[name] for name in chip.tile.formats)
    asked = tuple(formats or built)
    unknown = [name for name in asked if name not in (*built, *ADDED_RATE)]
    if unknown:
        known = dict.fromkeys((*FORMAT_OF.values(), *ADDED_RATE))
        raise FleetError(f"formats must be among {', '.join(known)}, not {unknown[0]!r}")
    rate = 2.0 * chip.peak_macs_per_cycle * clock
    peaks: dict[str, Num] = {
        name: rate * (1.0 if name in built else ADDED_RATE[name]) for name in asked
    }
    peaks.setdefault("int8", rate)
    stacks = c["weft.fleet.hbm_stacks"]
    ports = endpoint_bandwidth_bytes_per_s(chip, clock)
    dram = stacks * c["weft.fleet.hbm_stack_tb_per_s"] * 1e12
    notes = [
        f"{chip.mesh.cols}x{chip.mesh.rows} tiles of {chip.tile.array_rows}x{chip.tile.array_cols}",
        f"memory endpoints carry {float(np.median(ports)) / 1e9:.0f} GB/s of the stacks' "
        f"{float(np.median(dram)) / 1e9:.0f} GB/s",
    ]
    absent = [name for name in asked if name not in built]
    if absent:
        notes.append(
            f"priced with formats that {chip.name} is built without: {', '.join(absent)} (other "
            "configurations of the tile have them in RTL)"
        )
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
            fill_cycles=chip.tile.array_rows
            + chip.tile.array_cols
            + int(c.number("weft.fleet.pipeline_cycles")),
            port_bytes_per_cycle=chip.mesh.memory_endpoints * chip.flit_bytes,
            compiled_share=c["weft.fleet.compiled_share"],
        ),
        notes=tuple(notes),
    )
