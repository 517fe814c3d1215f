"""The bill of a part of a fleet: money by part from `weft.fleet.money`, carbon by part."""

from dataclasses import dataclass

from weft.fleet.carbon import CarbonBreakdown, Supply, carbon
from weft.fleet.constants import Constants
from weft.fleet.machines import Machine
from weft.fleet.money import CostBreakdown, tco, usd_per_million_tokens, weft_die_area
from weft.fleet.power import PowerBreakdown
from weft.fleet.quantity import Num
from weft.fleet.scenarios.chips import design
from weft.fleet.scenarios.specs import ChipSpec, SiteSpec

__all__ = ["Bill", "bill", "die_area_mm2"]


@dataclass(frozen=True, slots=True)
class Bill:
    """Money and carbon of `chips` chips and what belongs to them."""

    cost: CostBreakdown
    connected_w: Num
    """What the operator contracts: every chip at its limit, times the provision margin."""
    idle_site_w: Num
    emissions: CarbonBreakdown

    @property
    def capex_usd(self) -> Num:
        return self.cost.capex_usd

    @property
    def usd_per_year(self) -> Num:
        return self.cost.usd_per_year

    @property
    def one_off_usd_per_year(self) -> Num:
        """What own design adds per year, whatever the number of chips."""
        it = self.cost.it_usd_per_year + self.cost.maintenance_usd_per_year
        return it * self.cost.nre_capex_usd / self.cost.it_capex_usd

    @property
    def carbon(self) -> dict[str, Num]:
        """Kilograms of CO2e: per year by part (the last three are the same energy counted three
        ways), and to build."""
        e = self.emissions
        return {
            "embodied, per year": e.embodied_kg_per_year,
            "operation by location, per year": e.location_kg_per_year,
            "operation by market, per year": e.market_kg_per_year,
            "operation hour by hour, per year": e.hourly_kg_per_year,
            "embodied, once": e.embodied_kg,
        }

    @property
    def carbon_kg_per_year(self) -> Num:
        """Location-based operation and the yearly share of what was built."""
        return self.emissions.total_location_kg_per_year

    @property
    def capex_parts(self) -> dict[str, Num]:
        """Dollars of capital by part."""
        names = ("chips", "nre", "servers", "fabric", "storage", "facility")
        return {name: getattr(self.cost, f"{name}_capex_usd") for name in names}

    @property
    def yearly_parts(self) -> dict[str, Num]:
        """Dollars per year by part."""
        return self.cost.parts()

    def usd_per_million_tokens(self, tokens_per_s: Num) -> Num:
        """Dollars per million tokens of a site that delivers `tokens_per_s` while in use."""
        return usd_per_million_tokens(self.cost, tokens_per_s)


def die_area_mm2(spec: ChipSpec, c: Constants) -> Num:
    """Die area of a Weft design; wider arithmetic takes more area than the int8 array."""
    if any(name in ("bf16", "fp16") for name in spec.formats or ()):
        own = c.replace({"unit.n5.mac_int8_um2": c["unit.n5.mac_float_um2"]})
        own.used = c.used
        return weft_die_area(design(spec), own).total_mm2
    return weft_die_area(design(spec), c).total_mm2


def bill(
    spec: ChipSpec,
    machine: Machine,
    at: SiteSpec,
    site: PowerBreakdown,
    connected_w: Num,
    idle_site_w: Num,
    c: Constants,
) -> Bill:
    """Money and carbon of a part of a fleet at its mean power."""
    own = machine.kind == "weft"
    area = die_area_mm2(spec, c) if own else None
    node = "n3" if spec.process in ("n3e", "n2") else spec.process
    cost = tco(
        machine,
        site.chips,
        site,
        c,
        provisioned_w=connected_w,
        electricity_usd_per_kwh=c[at.electricity] if at.electricity else None,
        volume=float(spec.volume or spec.count) if own else None,
        die_mm2=area,
        node=node if own else None,
    )
    supply = Supply(
        grid_g_per_kwh=c[at.grid] if at.grid else None,
        renewable_share=at.renewable_share,
        matched_share=at.matched_share,
        storage_share=at.storage_share,
    )
    emissions = carbon(
        machine, site.chips, site, c, supply=supply, die_mm2=area, node=node if own else None
    )
    return Bill(cost, connected_w, idle_site_w, emissions)
