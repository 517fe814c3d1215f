"""Energy of a Weft chip from counts: MACs, local memory, mesh and DRAM bytes, and static power.

`energy = counts x unit costs`; every unit cost is a constant with a source. Those of the chip
itself come from our own synthesis (`weft.fleet.silicon`).
"""

from dataclasses import dataclass

from weft.fleet.constants import Constants
from weft.fleet.machines import Machine
from weft.fleet.operators.cost import OpCost
from weft.fleet.quantity import Num

__all__ = ["EnergyBreakdown", "weft_energy"]


@dataclass(frozen=True, slots=True)
class EnergyBreakdown:
    """Joules of a piece of work, by part."""

    logic_j: Num
    scratchpad_j: Num
    mesh_j: Num
    dram_j: Num
    static_j: Num

    @property
    def total_j(self) -> Num:
        """The sum of the parts."""
        return self.logic_j + self.scratchpad_j + self.mesh_j + self.dram_j + self.static_j


def mac_energy_pj(c: Constants, precision: str, *, integer_only: bool) -> Num:
    """pJ of one multiply-accumulate in a processing element at N5, its registers and clock in it:
    from gates under real activations. An array that has floating point too takes more for int8."""
    if precision == "int8":
        return c["unit.n5.mac_int8_pj" if integer_only else "unit.n5.mac_int8_in_float_pj"]
    return c["unit.n5.mac_fp8e4m3_pj" if precision == "fp8" else "unit.n5.mac_bf16_pj"]


def weft_energy(machine: Machine, work: OpCost, precision: str, c: Constants) -> EnergyBreakdown:
    """Joules of `work` on a Weft chip.

    Logic: multiply-accumulates, and what else of the tile is clocked for them. Local memory: every
    MAC of an `R x C` array takes `1/C` of an activation from a scratchpad row and reads and writes
    `1/R` of an accumulator; a read and a write per DRAM byte come on top. Mesh: DRAM bytes go
    through a DMA engine and travel `noc_hops` hops.
    """
    if machine.array is None:
        raise TypeError(f"weft_energy needs a Weft machine, not {machine.name}")
    width = 1.0 if precision in ("int8", "fp8") else 2.0
    macs = work.flops / 2.0
    integer_only = set(machine.peak_flops) <= {"int8", "int4"}
    mac = mac_energy_pj(c, precision, integer_only=integer_only)
    logic = macs * mac * c["weft.fleet.array_overhead_factor"]
    touched = macs * width / machine.array.cols + 2.0 * work.memory_bytes
    accumulated = macs * 8.0 / machine.array.rows
    local = (
        touched * c["unit.n5.scratchpad_pj_per_byte"]
        + accumulated * c["unit.n5.accumulator_pj_per_byte"]
    )
    hops = c["unit.n5.flit_hop_pj_per_byte"] * c["weft.fleet.noc_hops"]
    mesh = work.memory_bytes * (hops + c["unit.n5.load_pj_per_byte"])
    dram = work.memory_bytes * 8.0 * c["energy.hbm3e.access_energy_pj_per_bit"]
    return EnergyBreakdown(
        logic_j=logic * 1e-12,
        scratchpad_j=local * 1e-12,
        mesh_j=mesh * 1e-12,
        dram_j=dram * 1e-12,
        static_j=machine.idle_power_w * work.time_s,
    )
