"""The ladder of nodes, costs on nodes that no library stands for, and chips that were built."""

import math

import pytest
from weft.synth.backtest import backtests, built_chips
from weft.synth.ladder import Ladder, compare, stillmaker_energy_factor
from weft.synth.node_costs import NodeCosts
from weft.synth.unit_costs import UnitCost, default_table
from weft.synth.unit_rows import published_rows

TABLE = default_table()


def _row(key, value, spread=2.0):
    return UnitCost(key, value, value / spread, value * spread, "x", "measured", "")


def _table(**energies):
    rows = [_row(f"synth.{lib}.pe.energy_fj.int8_digits_held", e) for lib, e in energies.items()]
    return {row.key: row for row in [*rows, *published_rows()]}


def test_stillmaker_erratum_example():
    new = stillmaker_energy_factor(0.9, (0.8367, -0.4341, 0.1701))
    old = stillmaker_energy_factor(1.3, (3.755, -4.398, 1.975))
    # the target's published 0.4571 and the source's 2.604, ratio 0.1755
    assert new == pytest.approx(0.4571, abs=1e-3)
    assert old == pytest.approx(2.604, abs=1e-3)
    assert new / old == pytest.approx(0.1755, abs=1e-4)


def test_between_two_nodes_the_logarithm_is_linear():
    ladder = Ladder(_table(nangate45=1000.0, asap7=100.0))
    middle = math.sqrt(45 * 7)
    assert ladder.measured("energy", 45, middle) == pytest.approx(10**-0.5)
    assert ladder.measured("energy", middle, 45) == pytest.approx(10**0.5)
    factor = ladder.factor("energy", 45, middle)
    assert factor.low < factor.value < factor.high
    with pytest.raises(ValueError, match="quantity of the ladder must be one of energy, area"):
        ladder.measured("beauty", 45, 7)
    with pytest.raises(ValueError, match="two measured nodes, not 1"):
        Ladder(_table(asap7=100.0)).measured("energy", 45, 7)


def test_two_libraries_of_a_node_count_by_their_mean():
    ladder = Ladder(_table(sky130hd=400.0, ihp130=100.0, asap7=10.0))
    assert ladder.points["energy"][130] == pytest.approx(200.0)


def test_below_7_nm_the_band_holds_measurement_and_claim():
    """A factor that believes one of the two."""
    # 2 nm takes as much as 7 nm here, while the foundries claim 0.70 at N5
    factor = Ladder(_table(asap7=100.0, gt2n_svt=100.0)).factor("energy", 7, 5)
    assert factor.value == pytest.approx(math.sqrt(0.70))
    assert factor.low == pytest.approx(0.60)
    assert factor.high == pytest.approx(1.0)


def test_the_ladder_prints_its_disagreement():
    (both, multiply) = compare(_table(nangate45=2000.0, asap7=125.0))
    # (0.2 + 0.1) pJ at 45 nm over (0.07 + 0.03) at 7 nm
    assert both.published == pytest.approx(3.0)
    assert both.disagreement == pytest.approx(16 / 3 - 1)
    assert not both.inside
    assert multiply.published == pytest.approx(2.857, abs=1e-3)


def test_every_published_step_is_compared_with_ours():
    whats = [item.what for item in compare(TABLE)]
    assert len(whats) == 5
    for words in ("45 to 7 nm", "7 to 2 nm", "2 over 7 nm"):
        assert any(words in what for what in whats)


def test_a_node_without_library_takes_its_neighbours_row():
    n5 = NodeCosts(TABLE, "n5").cost("pe", "area_um2")
    asap7 = TABLE["synth.asap7.pe.area_um2"]
    factor = Ladder(TABLE).factor("area", 7, 5)
    assert n5.value == pytest.approx(asap7.value * factor.value)
    assert n5.high == pytest.approx(asap7.high * factor.high)
    here = NodeCosts(TABLE, "asap7").cost("pe", "area_um2")
    assert (here.value, here.low) == (asap7.value, asap7.low)


def test_sram_stops_shrinking():
    steps = [NodeCosts(TABLE, node).cost("sram", "area_um2_per_bit") for node in ("n5", "n3e")]
    assert steps[0] == steps[1]
    assert steps[0].value == pytest.approx(0.03)
    energies = [NodeCosts(TABLE, n).sram_pj_per_byte().value for n in ("asap7", "n3e")]
    assert energies[1] == pytest.approx(0.9 * energies[0])


def test_unknown_nodes_and_blocks_are_named():
    with pytest.raises(ValueError, match=r"node must be among osu018, .*n3e.*, not 'n1'"):
        NodeCosts(TABLE, "n1")
    with pytest.raises(ValueError, match=r"the table has no cpu\.area_um2: measure it with weft"):
        NodeCosts(TABLE, "asap7").cost("cpu", "area_um2")


def test_a_built_chip_by_hand():
    """A matrix unit of 65,536 int8 elements on the 28 nm of the ladder."""
    first = backtests(TABLE)[0]
    assert (first.chip.chip, first.chip.macs, first.chip.quantity) == ("TPU v1", 65536, "area")
    row = TABLE["synth.nangate45.pe.area_um2"].value
    expected = 65536e-6 * row * Ladder(TABLE).measured("area", 45, 28)
    assert first.modelled.value == pytest.approx(expected)
    assert first.error == pytest.approx(expected / 79.4 - 1)


def test_a_chip_has_the_floating_point_that_its_peak_says():
    """Floating point in every element of a chip whose FP16 peak is half of its int8 peak."""
    found = next(t for t in backtests(TABLE) if t.chip.chip == "MTIA v1" and t.chip.unit == "mm2")
    assert (found.chip.macs, found.chip.float_macs) == (2**16, 2**15)
    area, floating, bit = (
        TABLE[f"synth.asap7.{key}"].value
        for key in ("pe.area_um2", "pe_float.area_um2", "sram.area_um2_per_bit")
    )
    expected = 2**16 * area + 2**15 * floating + 136 * 2**23 * bit
    assert found.modelled.value == pytest.approx(expected * 1e-6)


def test_every_figure_of_a_built_chip_is_judged():
    tests = backtests(TABLE)
    assert len(tests) == len(built_chips()) == 18
    assert {test.chip.chip for test in tests} >= {"TPU v1", "MTIA v1", "Gemmini", "RedMulE"}
    for test in tests:
        assert test.chip.source
        assert 0 < test.modelled.low <= test.modelled.value <= test.modelled.high
        # an order of magnitude would be a unit wrong
        assert 0.1 < test.modelled.value / test.chip.published < 10
