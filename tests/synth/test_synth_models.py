"""The memory model, the ladder and the table."""

import pytest
from weft.synth.chip_estimate import estimate_chip
from weft.synth.errors import LibertyError
from weft.synth.ladder import PUBLISHED, compare, stillmaker_energy_factor
from weft.synth.memory_model import Macro, fit_memories
from weft.synth.unit_costs import UnitCost, default_table, read_table, write_table
from weft_hw.presets import preset


def _macro(words, width, mux):
    read = 5 + width * (0.2 + 0.02 * mux * (words / mux) ** 0.5)
    return Macro(
        "m", words, width, mux, 1000 + 50 * width + 3 * words * width, 1.0, read, 1.2 * read, ""
    )


def test_the_fit_finds_what_made_the_macros():
    sizes = [(64, 64, 4), (256, 48, 4), (512, 64, 4), (1024, 8, 4), (2048, 64, 4), (4096, 16, 8)]
    fit = fit_memories([_macro(*size) for size in sizes])
    assert fit.read_pj(1024, 32) == pytest.approx(_macro(1024, 32, 4).read_pj)
    assert fit.area_um2(1024, 32) == pytest.approx(_macro(1024, 32, 4).area_um2)
    assert max(fit.left_out_error.values()) < 1e-6


def test_too_few_macros():
    with pytest.raises(LibertyError, match="at least 5 macros with power, not 1"):
        fit_memories([_macro(64, 64, 4)])


def test_stillmaker_erratum_example():
    new = stillmaker_energy_factor(0.9, (0.8367, -0.4341, 0.1701))
    old = stillmaker_energy_factor(1.3, (3.755, -4.398, 1.975))
    # the target's published 0.4571 and the source's 2.604, ratio 0.1755
    assert new == pytest.approx(0.4571, abs=1e-3)
    assert old == pytest.approx(2.604, abs=1e-3)
    assert new / old == pytest.approx(0.1755, abs=1e-4)


def test_the_ladder_prints_disagreement():
    (first, *_) = compare({"nangate45": 2000.0, "asap7": 125.0})
    assert first.measured == 16.0
    assert first.disagreement == pytest.approx(16 / PUBLISHED[0].factor - 1)
    assert not first.inside


def test_the_table_of_the_project_is_whole():
    table = default_table()
    for node in ("osu018", "sky130hd", "ihp130", "nangate45", "asap7", "gt2n_svt"):
        row = table[f"synth.{node}.pe.energy_fj.digits_held"]
        assert row.kind == "measured"
        assert len(row.library_sha256) == 64
        assert "opensta" in row.tools


def test_the_table_round_trips_and_damage_is_named(tmp_path):
    path = tmp_path / "table.csv"
    rows = list(default_table().values())
    write_table(rows, path)
    assert list(read_table(path).values()) == rows
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace(",", ",x", 1)]))
    with pytest.raises(ValueError, match=r"table\.csv:2: value, low and high must be numbers"):
        read_table(path)


def _flat_table(area_um2, energy_fj):
    def row(key, value, unit):
        return UnitCost(key, value, value / 2, value * 2, unit, "measured", "", "asap7", "", "")

    rows = []
    for block in ("pe", "lane", "router"):
        rows.append(row(f"synth.asap7.{block}.area_um2", area_um2, "um2"))
        rows.append(row(f"synth.asap7.{block}.frequency_ghz", 2.0 if block == "pe" else 1.0, "GHz"))
    for key in ("pe.energy_fj.digits_held", "pe.energy_fj.zeros_held", "lane.energy_fj.digits"):
        rows.append(row(f"synth.asap7.{key}", energy_fj, "fJ"))
    for key in ("lane.energy_fj.zeros", "router.energy_fj.idle"):
        rows.append(row(f"synth.asap7.{key}", 0.0, "fJ"))
    return {row.key: row for row in rows}


def test_a_chip_is_counts_times_unit_costs():
    estimate = estimate_chip(preset("base"), _flat_table(100.0, 1000.0), "asap7", 1.0)
    parts = {line.part: line for line in estimate.lines}
    assert estimate.frequency_ghz == 1.0
    assert estimate.limited_by == "lane"
    assert estimate.peak_tops == pytest.approx(0.512)
    # 256 elements of 100 um2, 256 MACs of 1 pJ each ns
    assert parts["processing elements"].area_mm2 == pytest.approx((0.0256, 0.0128, 0.0512))
    assert parts["processing elements"].power_w == pytest.approx((0.256, 0.128, 0.512))
    assert parts["memories (bits)"].count == (256 + 64) * 8192


def test_a_chip_needs_its_rows():
    with pytest.raises(ValueError, match="the table has no lane, pe, router of asap7: measure it"):
        estimate_chip(preset("base"), {}, "asap7", 0.5)
    with pytest.raises(ValueError, match="utilisation must be from 0 to 1, not 2"):
        estimate_chip(preset("base"), {}, "asap7", 2)
