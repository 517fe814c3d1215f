"""Carbon of making things: dies by area and yield, memory, package, server, fabric, building."""

from dataclasses import dataclass

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.machines import Machine
from weft.fleet.money.chip import GPU_NODE, chip_cost
from weft.fleet.quantity import Num

__all__ = ["Embodied", "embodied"]


@dataclass(frozen=True, slots=True)
class Embodied:
    """Kilograms of CO2e to make a fleet, by part."""

    dies_kg: Num
    memory_kg: Num
    packages_kg: Num
    servers_kg: Num
    fabric_kg: Num
    facility_kg: Num

    @property
    def it_kg(self) -> Num:
        """What is replaced with the IT generation."""
        return self.dies_kg + self.memory_kg + self.packages_kg + self.servers_kg + self.fabric_kg

    @property
    def total_kg(self) -> Num:
        return self.it_kg + self.facility_kg


def embodied(
    machine: Machine,
    chips: int,
    site_w: Num,
    constants: Constants | None = None,
    *,
    die_mm2: Num | None = None,
    node: str | None = None,
) -> Embodied:
    """Embodied carbon of `chips` chips with their servers, and of a site of `site_w`.

    A die carries its share of the wafer, dead neighbours included (area over yield).
    """
    c = constants if constants is not None else default_constants()
    if chips < 1:
        raise FleetError(f"chips must be at least 1, not {chips}")
    process = node or GPU_NODE.get(machine.name, "n5")
    one = chip_cost(
        machine,
        c,
        die_mm2=die_mm2,
        node=process,
        volume=1.0 if machine.kind == "weft" else None,
        price_usd=None if machine.kind == "weft" else 0.0,
    )
    fab = c[f"carbon.{process}.die_kg_per_cm2"]
    lost = c["money.any.package_yield"]
    return Embodied(
        dies_kg=chips * one.die_mm2 / 100.0 * fab / (one.yield_share * lost),
        memory_kg=chips * machine.memory_bytes / 1e9 * c["carbon.any.hbm_kg_per_gb"] / lost,
        packages_kg=chips * c["carbon.any.package_kg"],
        servers_kg=chips * c[f"carbon.{machine.kind}.server_kg_per_chip"],
        fabric_kg=chips * c["carbon.any.fabric_kg_per_chip"],
        facility_kg=site_w / 1e3 * c["carbon.any.facility_kg_per_kw"],
    )
