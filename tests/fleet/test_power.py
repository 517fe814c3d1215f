"""Power: phases, capping, node and site accounts, limits, swings."""

import numpy as np
import pytest
from weft.fleet.constants import default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import gpu
from weft.fleet.models import model
from weft.fleet.operators import gemm
from weft.fleet.power import (
    cap_power,
    check_site_limit,
    chip_power,
    node_power,
    phase_power,
    power_swing,
    provisioned_power_w,
    site_power,
)
from weft.fleet.weft_chip import weft_chip
from weft.fleet.workload import inference_pass

C = default_constants()
H100 = gpu("h100_sxm", C)
WEFT = weft_chip("fleet", C)


@pytest.mark.parametrize("machine", [H100, gpu("a100_sxm", C), gpu("b200_sxm", C), WEFT])
def test_phases_are_ordered(machine):
    """Phases without effect: idle < waiting < streaming < computing <= board limit."""
    precision = "bf16" if "bf16" in machine.peak_flops else "int8"
    idle, wait, stream, compute = (
        float(phase_power(machine, p, C, precision=precision))
        for p in ("idle", "collective", "memory", "gemm")
    )
    assert idle < min(wait, stream)
    assert max(wait, stream) < compute <= machine.board_power_max_w + 1e-6


def test_phases_match_published_ranges():
    """H200 decode 137-300 W (Ma et al.); an H100 matrix product draws most of 700 W."""
    shape = model("llama3-70b")
    h200 = gpu("h200_sxm", C)
    decode = inference_pass(
        h200, shape, phase="decode", batch=16, context=2048, precision="fp8", tp=4
    )
    assert 137 <= phase_power(h200, "decode", C, work=decode.total, precision="fp8") <= 300
    assert 560 <= phase_power(H100, "gemm", C) <= 700


def test_a_limit_costs_time_only_where_clocks_matter():
    """A power limit without effect on speed, or the same effect on memory-bound work."""
    product = gemm(H100, 8192, 8192, 8192, precision="bf16")
    free, tight = (
        chip_power(H100, product, "bf16", C),
        chip_power(H100, product, "bf16", C, limit_w=400.0),
    )
    assert tight.power_w == pytest.approx(400, abs=1)
    assert 1.05 < tight.slowdown / free.slowdown < 2.0
    assert tight.energy_j < free.energy_j
    stream = gemm(H100, 8, 8192, 8192, precision="bf16")
    loose = chip_power(H100, stream, "bf16", C, limit_w=400.0)
    assert loose.slowdown == pytest.approx(1.0, abs=0.02)
    done = cap_power(idle_w=70.0, dynamic_w=630.0, limit_w=400.0, constants=C)
    expected = (330 / 630) ** (1 / C["power.any.cap_dynamic_exponent"])
    assert done.frequency_share == pytest.approx(expected)
    assert done.slowdown == pytest.approx(1 / expected)
    assert free.slowdown == pytest.approx(1.0)
    part = cap_power(idle_w=70.0, dynamic_w=630.0, limit_w=400.0, compute_share=0.25, constants=C)
    assert part.slowdown == pytest.approx(0.75 + 0.25 / expected)


def test_a_limit_below_idle_is_refused_with_one_that_works():
    """A limit below idle gives a plausible number."""
    product = gemm(H100, 4096, 4096, 4096, precision="bf16")
    with pytest.raises(InfeasibleError, match="not above the chip's idle power of 70 W") as error:
        chip_power(H100, product, "bf16", C, limit_w=50.0)
    nearest = float(error.value.nearest.split("=")[1])
    assert chip_power(H100, product, "bf16", C, limit_w=nearest).slowdown > 1
    with pytest.raises(InfeasibleError, match="at the lowest clock"):
        chip_power(H100, product, "bf16", C, limit_w=80.0)


def test_node_account_adds_up():
    """A watt is lost or counted twice."""
    node = node_power(H100, 500.0, C)
    parts = node.chips_w + node.host_w + node.nic_w + node.fans_w + node.conversion_w
    assert node.total_w == pytest.approx(parts)
    assert node.chips_w == 4000
    efficiency = C["power.host.psu_efficiency"]
    drawn = node.chips_w + node.host_w + node.nic_w
    assert node.conversion_w == pytest.approx(drawn / efficiency - drawn)
    fed = node_power(H100, 500.0, C, queries_per_s=1e9)
    assert fed.host_w - node.host_w == pytest.approx(C["power.host.cpu_dynamic_w"])
    assert node_power(H100, 500.0, C, cooling="liquid").fans_w < node.fans_w
    with pytest.raises(FleetError, match="cooling must be one of air, liquid"):
        node_power(H100, 500.0, C, cooling="ice")
    with pytest.raises(FleetError, match="must not be negative"):
        node_power(H100, -1.0, C)


def test_site_account_and_the_two_parts_of_pue():
    """PUE as one factor: at low load the fixed part stays and PUE rises."""
    full = site_power(H100, 1024, 700.0, C, pue=1.2)
    assert sum(full.parts().values()) == pytest.approx(full.site_w)
    assert full.pue == pytest.approx(1.2)
    low = site_power(H100, 1024, 200.0, C, pue=1.2)
    assert low.cooling_fixed_w == pytest.approx(full.cooling_fixed_w)
    assert low.cooling_proportional_w < full.cooling_proportional_w
    assert low.pue > 1.22
    assert site_power(H100, 1024, 700.0, C, optics="cpo").fabric_w < full.fabric_w
    assert site_power(H100, 1024, 700.0, C, layers=2).fabric_w < full.fabric_w
    with pytest.raises(FleetError, match="pue must be at least 1"):
        site_power(H100, 8, 700.0, C, pue=0.9)
    with pytest.raises(FleetError, match="optics must be one of"):
        site_power(H100, 8, 700.0, C, optics="mirrors")


def test_provisioned_power_per_gpu_is_near_what_is_published():
    """All-in provisioned 1.73 kW per H100 and 2.10 kW per GB200 (SemiAnalysis), within 20 %."""
    for name, published in (("h100_sxm", 1730), ("gb200", 2100), ("b200_sxm", 2170)):
        machine = gpu(name, C)
        watts = provisioned_power_w(machine, 1024, C) / 1024
        assert watts == pytest.approx(published, rel=0.2), name


def test_site_limit_caps_or_refuses():
    """A site below idle power runs, or one that needs capping does not cap."""
    site = {"pue": 1.15}
    free = site_power(H100, 1024, 700.0, C, **site).site_w
    same = check_site_limit(H100, 1024, 700.0, 1.1 * free, C, **site)
    assert same.site_w == pytest.approx(free)
    capped = check_site_limit(H100, 1024, 700.0, 0.8 * free, C, **site)
    assert capped.site_w == pytest.approx(0.8 * free, rel=0.01)
    with pytest.raises(InfeasibleError, match="1024 idle chips draw") as error:
        check_site_limit(H100, 1024, 700.0, 0.2 * free, C, **site)
    chips = int(error.value.nearest.split()[0])
    assert site_power(H100, chips, 700.0, C, **site).site_w <= 0.2 * free


def test_swings():
    """A synchronous job without swings, or with more than its chips can make."""
    swing = power_swing(H100, 1024, 600.0, 5.0, 0.2, C)
    assert swing.swing_w == pytest.approx(swing.high_w - swing.low_w)
    assert swing.low_w < site_power(H100, 1024, 600.0, C).site_w < swing.high_w
    assert swing.smoothing_energy_j == pytest.approx(swing.swing_w * 0.16 * 5.0)
    assert power_swing(H100, 1024, 600.0, 5.0, 0.0, C).smoothing_energy_j == 0


def test_draws():
    """Arrays of draws do not pass through a site."""
    drawn = C.sample(400, seed=5)
    machine = gpu("h100_sxm", drawn)
    site = site_power(machine, 1024, 600.0, drawn)
    assert np.shape(site.site_w) == (400,)
    low, high = np.percentile(site.site_w, (5, 95))
    assert low < site_power(H100, 1024, 600.0, C).site_w < high
