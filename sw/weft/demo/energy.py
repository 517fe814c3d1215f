"""Energy of a run: the hardware's own counts times unit costs at 7 nm (ASAP7) from our synthesis.

Modelled; every unit cost carries its source and range.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..fleet.constants import Constants, default_constants
from .run import DemoRun

__all__ = ["EnergyLine", "energy_of"]

_MAC = {False: "unit.asap7.mac_int8_pj", True: "unit.asap7.mac_int8_in_float_pj"}
_OVERHEAD = "weft.fleet.array_overhead_factor"
_SCRATCHPAD = "unit.asap7.scratchpad_pj_per_byte"
_ACCUMULATOR = "unit.asap7.accumulator_pj_per_byte"
_DRAM = "energy.hbm3e.access_energy_pj_per_bit"
_HOP = "unit.asap7.flit_hop_pj_per_byte"


@dataclass(frozen=True, slots=True)
class EnergyLine:
    """``count`` times ``unit_pj`` (with its range) for one part of the chip."""

    part: str
    count: int
    count_unit: str
    unit_pj: float
    unit_low_pj: float
    unit_high_pj: float
    source: str

    @property
    def energy_nj(self) -> float:
        return self.count * self.unit_pj * 1e-3

    @property
    def low_nj(self) -> float:
        return self.count * self.unit_low_pj * 1e-3

    @property
    def high_nj(self) -> float:
        return self.count * self.unit_high_pj * 1e-3


def _bounds(constants: Constants, key: str) -> tuple[float, float, float, str]:
    entry = constants.quantity(key)
    return entry.value, entry.low, entry.high, entry.source


def energy_of(run: DemoRun) -> list[EnergyLine]:
    """Energy by part. Scratchpad: rows into the array, both ways of every DMA byte. Accumulator:
    read and write of a row of 32-bit lanes for each row through the array. Mesh: flits sent and
    received, each over the mean distance to an endpoint."""
    constants = default_constants()
    counters, tile, mesh = run.counters, run.config.tile, run.config.mesh
    mac, factor = (_bounds(constants, key) for key in (_MAC[tile.has_float], _OVERHEAD))
    scratchpad, accumulator = (_bounds(constants, key) for key in (_SCRATCHPAD, _ACCUMULATOR))
    dram, hop = (_bounds(constants, key) for key in (_DRAM, _HOP))
    steps = counters["array_steps"]
    moved = counters["bytes_loaded"] + counters["bytes_stored"]
    flits = counters["request_flits"] + counters["response_flits"]
    # from the west edge to a column, plus a row or so
    hops = (mesh.cols + 1) / 2 + (mesh.rows - 1) / (2 * mesh.memory_endpoints)

    def line(
        part: str, count: float, unit: str, cost: tuple[float, float, float, str], times: float
    ) -> EnergyLine:
        value, low, high, source = cost
        return EnergyLine(
            part, round(count), unit, value * times, low * times, high * times, source
        )

    return [
        EnergyLine(
            "multiply-accumulate",
            steps * tile.array_rows * tile.array_cols,
            "MACs (padded ones too)",
            mac[0] * factor[0],
            mac[1] * factor[1],
            mac[2] * factor[2],
            f"{mac[3]}; beside the array: {factor[3]}",
        ),
        line("scratchpad", steps * tile.row_bytes + 2 * moved, "bytes", scratchpad, 1.0),
        line("accumulator", 2 * steps * tile.accumulator_row_bytes, "bytes", accumulator, 1.0),
        line("mesh", flits * run.config.flit_bytes * hops, "byte-hops", hop, 1.0),
        line("DRAM (HBM3E)", run.bytes_read + run.bytes_written, "bytes", dram, 8.0),
    ]
