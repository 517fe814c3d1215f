"""Energy of a Weft chip from counts: MACs, scratchpad, mesh and DRAM bytes, and static power.

`energy = counts x unit costs`; every unit cost is a constant with a source. The node factor takes
7 nm figures to N5. Own synthesis replaces the logic and SRAM rows when it exists.
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


def mac_energy_pj(c: Constants, precision: str) -> Num:
    """pJ of one multiply-accumulate at N5, bare operators (7 nm table x node factor)."""
    node = c["node.energy_n7_to_n5_factor"]
    if precision == "int8":
        bare = c["energy.7nm.int8_multiply_pj"] + c["energy.7nm.int32_add_pj"]
    elif precision == "fp8":
        bare = c["energy.7nm.int8_multiply_pj"] + c["weft.fleet.fp32_add_pj"]
    else:
        bare = c["weft.fleet.bf16_multiply_pj"] + c["weft.fleet.fp32_add_pj"]
    return bare * node


def weft_energy(machine: Machine, work: OpCost, precision: str, c: Constants) -> EnergyBreakdown:
    """Joules of `work` on a Weft chip.

    Scratchpad: every MAC of an `R x C` array takes `1/C` of an activation byte from a scratchpad
    row; a read and a write per DRAM byte come on top. Mesh: DRAM bytes travel `noc_hops` hops.
    """
    if machine.array is None:
        raise TypeError(f"weft_energy needs a Weft machine, not {machine.name}")
    width = 1.0 if precision in ("int8", "fp8") else 2.0
    macs = work.flops / 2.0
    logic = macs * mac_energy_pj(c, precision) * c["weft.fleet.logic_overhead_factor"]
    sram_pj = c["energy.7nm.sram_32_kb_read_pj"] / 8.0 * c["weft.fleet.sram_node_factor"]
    touched = macs * width / machine.array.cols + 2.0 * work.memory_bytes
    hop = c["energy.12_nm_floonoc_0_8_v_post_layout.router_hop_pj_per_byte_hop"]
    mesh = work.memory_bytes * hop * c["weft.fleet.noc_hops"]
    dram = work.memory_bytes * 8.0 * c["energy.hbm3e.access_energy_pj_per_bit"]
    return EnergyBreakdown(
        logic_j=logic * 1e-12,
        scratchpad_j=touched * sram_pj * 1e-12,
        mesh_j=mesh * 1e-12,
        dram_j=dram * 1e-12,
        static_j=machine.idle_power_w * work.time_s,
    )
