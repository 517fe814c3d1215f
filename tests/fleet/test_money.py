"""Money: die, yield, chip, ownership, breakeven, supply."""

import math
import warnings

import numpy as np
import pytest
from weft.fleet.constants import default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import gpu
from weft.fleet.money import (
    breakeven_volume,
    capital_recovery,
    chip_cost,
    die_yield,
    dies_per_wafer,
    supply_limit,
    tco,
    training_run_usd,
    usd_per_million_tokens,
    weft_die_area,
)
from weft.fleet.power import site_power
from weft.fleet.weft_chip import weft_chip

C = default_constants()
H100 = gpu("h100_sxm", C)
WEFT = weft_chip("fleet", C)
DIE = weft_die_area("fleet", C).total_mm2


def test_yield_and_dies_by_hand():
    """A formula is mistyped: negative binomial, and dies of a 300 mm wafer."""
    killers = C["money.n5.defects_per_cm2"] * (1 - C["money.any.repairable_share"])
    assert die_yield(100.0, "n5", C) == pytest.approx((1 + killers / 3) ** -3)
    assert die_yield(1e-6, "n5", C) == pytest.approx(1.0)
    assert die_yield(800.0, "n5", C) < die_yield(400.0, "n5", C)
    count = dies_per_wafer(814.0, C)
    assert 55 <= count <= 70
    assert dies_per_wafer(100.0, C) == pytest.approx(math.pi * 294**2 / 4 / 102.0, rel=0.1)
    with pytest.raises(FleetError, match="die_mm2 must be positive"):
        dies_per_wafer(0.0, C)
    with pytest.raises(FleetError, match="node must be one of n7, n5, n3"):
        die_yield(100.0, "n1", C)


def test_chip_account_adds_up():
    """A part is lost, or NRE is not spread."""
    one = chip_cost(WEFT, C, die_mm2=DIE, volume=1e5)
    parts = one.die_usd + one.memory_usd + one.packaging_usd + one.test_usd + one.scrap_usd
    assert one.manufacturing_usd == pytest.approx(parts)
    assert one.nre_usd == pytest.approx(C["money.weft.nre_usd"] / 1e5)
    many = chip_cost(WEFT, C, die_mm2=DIE, volume=1e6)
    assert many.total_usd < one.total_usd
    bought = chip_cost(H100, C)
    assert bought.total_usd == pytest.approx(C["money.gpu.h100_sxm.price_usd"])
    for text, call in (
        ("needs die_mm2", lambda: chip_cost(WEFT, C, volume=1.0)),
        ("positive volume", lambda: chip_cost(WEFT, C, die_mm2=DIE)),
    ):
        with pytest.raises(FleetError, match=text):
            call()


def test_area_follows_the_configuration():
    """The estimate ignores the configuration, or a die beyond the exposure field passes."""
    small = weft_die_area("quad", C)
    assert small.macs_mm2 < 0.1 * weft_die_area("fleet", C).macs_mm2
    drawn = C.sample(500, seed=1)
    low, high = np.percentile(weft_die_area("fleet", drawn).total_mm2, (5, 95))
    assert low < DIE < high
    assert high / low > 1.15
    dear = C.replace({"unit.n5.mac_int8_um2": 900.0})
    with pytest.raises(InfeasibleError, match="one exposure field is 858 mm2"):
        weft_die_area("fleet", dear)


def test_capital_recovery_by_hand():
    """The annuity is wrong: 10 % over 5 years is 26.38 cents a year; no interest is one fifth."""
    assert capital_recovery(0.1, 5.0) == pytest.approx(0.26380, abs=1e-5)
    assert capital_recovery(0.0, 5.0) == pytest.approx(0.2)
    with pytest.raises(FleetError, match="must be positive"):
        capital_recovery(0.1, 0.0)


def test_ownership_adds_up_and_moves_the_right_way():
    """A yearly part is lost; electricity or load has no effect."""
    power = site_power(H100, 1024, 560.0, C)
    cost = tco(H100, 1024, power, C)
    assert sum(cost.parts().values()) == pytest.approx(cost.usd_per_year)
    assert cost.energy_usd_per_year == pytest.approx(power.site_w / 1e3 * 8766 * 0.08)
    assert cost.usd_per_chip_hour == pytest.approx(cost.usd_per_year / 1024 / 8766)
    own = site_power(WEFT, 2048, 300.0, C)
    ours = tco(WEFT, 2048, own, C, die_mm2=DIE)
    assert ours.nre_capex_usd == pytest.approx(C["money.weft.nre_usd"])
    shared = tco(WEFT, 2048, own, C, die_mm2=DIE, volume=204_800)
    assert shared.nre_capex_usd == pytest.approx(C["money.weft.nre_usd"] / 100)
    assert ours.capex_usd - shared.capex_usd == pytest.approx(0.99 * C["money.weft.nre_usd"])
    dear = tco(H100, 1024, power, C, electricity_usd_per_kwh=0.16)
    assert dear.energy_usd_per_year == pytest.approx(2 * cost.energy_usd_per_year)
    token = usd_per_million_tokens(cost, 1e6)
    idle = usd_per_million_tokens(tco(H100, 1024, power, C, load_factor=0.4), 1e6)
    assert idle == pytest.approx(2 * token)
    run = training_run_usd(cost, 1e6)
    assert run == pytest.approx(1e6 * cost.usd_per_chip_hour / C["money.any.load_factor"])
    for text, call in (
        ("use the same number", lambda: tco(H100, 8, power, C)),
        ("load_factor", lambda: tco(H100, 1024, power, C, load_factor=0.0)),
        ("must not be negative", lambda: tco(H100, 1024, power, C, electricity_usd_per_kwh=-1)),
        ("tokens_per_s must be positive", lambda: usd_per_million_tokens(cost, 0.0)),
        ("chip_hours must be positive", lambda: training_run_usd(cost, -1.0)),
    ):
        with pytest.raises(FleetError, match=text):
            call()


def test_breakeven_pays_back_exactly():
    """At the volume given, NRE is not paid back; or silicon that saves nothing has a volume."""
    volume = breakeven_volume(3e8, 0.4, 0.5, 2e4)
    assert volume * (0.5 - 0.4) * 2e4 == pytest.approx(3e8)
    with pytest.raises(InfeasibleError, match="no volume pays back"):
        breakeven_volume(3e8, 0.5, 0.4, 2e4)


def test_supply_binds_and_refuses():
    """Supply never binds: lead time first, then the scarcer of memory and packages."""
    assert supply_limit(WEFT, 20, C, die_mm2=DIE).binding == "lead_time"
    later = supply_limit(WEFT, 104, C, die_mm2=DIE)
    assert later.binding == "hbm"
    assert later.chips == pytest.approx(later.hbm_chips)
    scarce = C.replace({"money.supply.cowos_wafers_per_year": 1e4})
    assert supply_limit(WEFT, 104, scarce, die_mm2=DIE).binding == "packaging"
    with pytest.raises(InfeasibleError, match="hbm allows") as error:
        supply_limit(WEFT, 104, C, die_mm2=DIE, wanted=10**8)
    nearest = int(error.value.nearest.split("=")[1])
    assert supply_limit(WEFT, 104, C, die_mm2=DIE, wanted=nearest).chips >= nearest


def test_old_prices_warn():
    """Prices of another year pass silently."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old = C.warn_old_prices("2026-11", C.keys("money.n5"))
    assert "money.n5.wafer_usd" in old
    assert caught


def test_draws():
    """Arrays of draws do not pass through ownership."""
    drawn = C.sample(400, seed=5)
    machine = gpu("h100_sxm", drawn)
    cost = tco(machine, 1024, site_power(machine, 1024, 560.0, drawn), drawn)
    assert np.shape(cost.usd_per_year) == (400,)
    centre = tco(H100, 1024, site_power(H100, 1024, 560.0, C), C).usd_per_year
    assert np.median(cost.usd_per_year) == pytest.approx(centre, rel=0.05)
