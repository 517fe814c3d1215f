"""Carbon: embodied, operational by location, market and hour."""

import numpy as np
import pytest
from weft.fleet.carbon import (
    Supply,
    carbon,
    embodied,
    grams_per_million_tokens,
    operational_kg_per_year,
)
from weft.fleet.constants import default_constants
from weft.fleet.errors import FleetError
from weft.fleet.machines import gpu
from weft.fleet.money import die_yield, weft_die_area
from weft.fleet.power import site_power
from weft.fleet.weft_chip import weft_chip

C = default_constants()
H100 = gpu("h100_sxm", C)
POWER = site_power(H100, 1024, 560.0, C)


def test_embodied_carbon_is_near_what_is_published():
    """A100 with its host share: 318 kg (Chien et al. 2023), within its band; parts add up."""
    made = embodied(gpu("a100_sxm", C), 1, 0.0, C)
    assert 200 < made.it_kg < 450
    assert made.total_kg == pytest.approx(made.it_kg)
    parts = made.dies_kg + made.memory_kg + made.packages_kg + made.servers_kg + made.fabric_kg
    assert made.it_kg == pytest.approx(parts)
    one = embodied(H100, 10, 0.0, C)
    wasted = die_yield(814.0, "n5", C) * C["money.any.package_yield"]
    assert one.dies_kg == pytest.approx(10 * 8.14 * C["carbon.n5.die_kg_per_cm2"] / wasted)
    own = embodied(weft_chip("fleet", C), 1, 0.0, C, die_mm2=weft_die_area("fleet", C).total_mm2)
    assert own.dies_kg < embodied(H100, 1, 0.0, C).dies_kg


def test_embodied_intensity_of_an_hgx_board_is_near_nvidias():
    """0.66 g per exaflop of an HGX H100 (NVIDIA), at peak over five years: within 25 %."""
    made = embodied(H100, 8, 0.0, C)
    board = made.dies_kg + made.memory_kg + made.packages_kg
    exaflops = 8 * H100.peak("fp16") / 1e18 * 5 * 8766 * 3600
    published = C["carbon.gpu.h100_reference_g_per_eflop"]
    assert board * 1e3 / exaflops == pytest.approx(published, rel=0.25)


def test_regions():
    """The region has no effect, or an unknown one passes."""
    us, north = (operational_kg_per_year(1e6, Supply(region=r), C)[0] for r in ("us", "norway"))
    assert north / us == pytest.approx(10 / 390)
    with pytest.raises(FleetError, match="region must be one of us, quebec, norway, poland"):
        Supply(region="moon")


def test_location_and_market():
    """Contracts change the location-based figure, or storage and hours have no effect."""
    kwh = 1e6 / 1e3 * 8766
    plain = operational_kg_per_year(1e6, Supply(), C)
    assert plain[0] == pytest.approx(kwh * 0.390)
    assert plain[0] == plain[1] == plain[2]
    half = operational_kg_per_year(1e6, Supply(renewable_share=0.5), C)
    assert half[0] == pytest.approx(plain[0])
    clean, rest = 25.0, 390 * 1.05
    assert half[1] == pytest.approx(kwh * (0.5 * clean + 0.5 * rest) / 1e3)
    assert half[1] < half[2] < plain[2] * 1.05
    full = operational_kg_per_year(1e6, Supply(renewable_share=1.0), C)
    stored = operational_kg_per_year(1e6, Supply(renewable_share=1.0, storage_share=0.2), C)
    assert stored[1] == full[1] == pytest.approx(kwh * clean / 1e3)
    assert stored[2] < full[2]
    met = 0.7 + 0.2
    assert stored[2] == pytest.approx(kwh * (met * clean + (1 - met) * rest) / 1e3)
    lossy = Supply(renewable_share=0.8, matched_share=0.9, storage_share=1.0)
    assert lossy.covered(0.5) == pytest.approx(0.72 + 0.08 * 0.5)


def test_a_year_and_a_token():
    """Embodied carbon is not spread over life; tokens by hand."""
    total = carbon(H100, 1024, POWER, C)
    expected = total.made.it_kg / 5 + total.made.facility_kg / 20
    assert total.embodied_kg_per_year == pytest.approx(expected)
    assert total.total_location_kg_per_year > total.location_kg_per_year
    assert grams_per_million_tokens(8766 * 3600.0, 1e6) == pytest.approx(1000.0)
    share = total.location_kg_per_year / total.total_location_kg_per_year
    assert 0.7 <= share <= 0.99


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Supply(renewable_share=-0.1), "renewable_share must be in"),
        (lambda: Supply(storage_share=1.5), "storage_share must be in"),
        (lambda: Supply(grid_g_per_kwh=-1.0), "grid_g_per_kwh must not be negative"),
        (lambda: carbon(H100, 8, POWER, C), "use the same number"),
        (lambda: embodied(H100, 0, 1.0, C), "chips must be at least 1"),
        (lambda: grams_per_million_tokens(1.0, 0.0), "tokens_per_s must be positive"),
    ],
)
def test_wrong_values_are_named(make, text):
    """Negative or mismatched inputs pass."""
    with pytest.raises(FleetError, match=text):
        make()


def test_draws():
    """Arrays of draws do not pass through."""
    drawn = C.sample(300, seed=4)
    machine = gpu("h100_sxm", drawn)
    total = carbon(machine, 1024, site_power(machine, 1024, 560.0, drawn), drawn)
    assert np.shape(total.total_market_kg_per_year) == (300,)
