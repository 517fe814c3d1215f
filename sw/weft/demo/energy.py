"""Energy of a run: the hardware's own counts times published energies per operation.

Modelled, at 7 nm: no synthesis of this chip is in it. Every unit cost carries its source and range.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..fleet.constants import Constants, default_constants
from .run import DemoRun

__all__ = ["EnergyLine", "energy_of"]

_MULTIPLY = "energy.7nm.int8_multiply_pj"
_ADD = "energy.7nm.int32_add_pj"
_OVERHEAD = "weft.fleet.logic_overhead_factor"
_SRAM = "energy.7nm.sram_32_kb_read_pj"
_DRAM = "energy.hbm3e.access_energy_pj_per_bit"
_HOP = "energy.12_nm_floonoc_0_8_v_post_layout.router_hop_pj_per_byte_hop"
#: Bytes of the access that ``_SRAM`` is for.
_SRAM_BYTES = 8


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
    multiply, add, factor = (_bounds(constants, key) for key in (_MULTIPLY, _ADD, _OVERHEAD))
    sram, dram, hop = (_bounds(constants, key) for key in (_SRAM, _DRAM, _HOP))
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
            (multiply[0] + add[0]) * factor[0],
            (multiply[1] + add[1]) * factor[1],
            (multiply[2] + add[2]) * factor[2],
            f"{multiply[3]}; clock tree and registers: {factor[3]}",
        ),
        line("scratchpad", steps * tile.row_bytes + 2 * moved, "bytes", sram, 1 / _SRAM_BYTES),
        line("accumulator", 2 * steps * tile.accumulator_row_bytes, "bytes", sram, 1 / _SRAM_BYTES),
        line("mesh", flits * run.config.flit_bytes * hops, "byte-hops", hop, 1.0),
        line("DRAM (HBM3E)", run.bytes_read + run.bytes_written, "bytes", dram, 8.0),
    ]
