"""Products priced as the compiler plans them: table, interpolation, and what it is compared to."""

import math
from dataclasses import replace

import pytest
from weft.bench.fleet_plans import fill_cycles, planned
from weft.fleet import default_constants, weft_chip
from weft.fleet.errors import FleetError
from weft.fleet.operators import gemm
from weft.fleet.operators.gemm_weft import weft_gemm_counts, weft_tile_cycles
from weft.fleet.operators.weft_plans import TABLE, as_compiled, plan_ratios
from weft.fleet.validate.data import rows_of
from weft_hw.array.matmul import window_cycles
from weft_hw.presets import preset

ARRAY = weft_chip("fleet").array


def counts(share: float, m: int, k: int, n: int, batch: int = 1):
    array = replace(ARRAY, compiled_share=share)
    closed = weft_gemm_counts(array, m, k, n, 1.0, 1.0, batch)
    return closed, as_compiled(array, closed, m, k, n, batch)


@pytest.mark.parametrize("name", ["fleet", "nano", "ecp5", "base8"])
def test_closed_form_is_the_hardware_s_own(name):
    """The fleet model and the matmul engine disagree on what an array takes."""
    config = preset(name)
    array = weft_chip(name).array
    assert array.fill_cycles == fill_cycles(config)
    rows, cols = array.rows, array.cols
    for m, k, n in ((1, 1, 1), (rows, rows, cols), (3 * rows, 5 * rows + 1, 2 * cols - 1)):
        cycles = weft_tile_cycles(m, k, n, rows, cols, array.fill_cycles)
        assert cycles == window_cycles(config.tile, m=m, k=k, n=n)


@pytest.mark.parametrize("number", [0, 20, 40, 62])
def test_a_planned_shape_is_priced_as_planned(number):
    """At a point of the grid, nothing is interpolated."""
    row = rows_of(TABLE)[number]
    closed, found = counts(1.0, int(row["m"]), int(row["k"]), int(row["n"]))
    assert found.cycles == pytest.approx(float(row["cycles"]), rel=1e-9)
    assert found.memory_bytes == pytest.approx(
        max(float(row["memory_bytes"]), closed.memory_bytes), rel=1e-9
    )
    assert found.macs == closed.macs


def test_the_share_goes_from_the_closed_form_to_the_plan_geometrically():
    closed, none = counts(0.0, 256, 4096, 4096)
    _, half = counts(0.5, 256, 4096, 4096)
    _, whole = counts(1.0, 256, 4096, 4096)
    assert none == closed
    assert half.cycles == pytest.approx(math.sqrt(closed.cycles * whole.cycles))
    assert half.memory_bytes == pytest.approx(math.sqrt(closed.memory_bytes * whole.memory_bytes))
    assert whole.cycles > closed.cycles


def test_between_and_beyond_the_planned_shapes():
    low, high = plan_ratios(256, 4096, 4096), plan_ratios(1024, 4096, 4096)
    between = plan_ratios(512, 4096, 4096)
    assert between[0] == pytest.approx(math.sqrt(low[0] * high[0]))
    assert between[1] == pytest.approx(math.sqrt(low[1] * high[1]))
    assert plan_ratios(1e6, 1, 1) == plan_ratios(16384, 1024, 1024)


def test_a_plan_never_beats_the_closed_form():
    for row in rows_of(TABLE):
        assert min(plan_ratios(int(row["m"]), int(row["k"]), int(row["n"]))) >= 1.0


def test_products_on_chip_are_the_closed_form_and_batches_have_weights_of_their_own():
    """A fused product reads no memory; four products read four times the weights."""
    c = default_constants()
    compiled = weft_chip("fleet", c)
    closed = weft_chip("fleet", c.replace({"weft.fleet.compiled_share": 0.0}))
    shape = {"m": 128, "k": 1024, "n": 1024, "precision": "int8"}
    fused = [gemm(chip, **shape, resident=True).time_s for chip in (compiled, closed)]
    assert fused[0] == fused[1]
    assert gemm(compiled, **shape).time_s > gemm(closed, **shape).time_s
    four = counts(1.0, 128, 1024, 1024, batch=4)[1]
    assert four.macs == 4 * 128 * 1024 * 1024
    ratio = four.memory_bytes / weft_gemm_counts(ARRAY, 128, 1024, 1024, 1.0, 1.0, 4).memory_bytes
    assert ratio == pytest.approx(plan_ratios(128, 1024, 4096)[1])


@pytest.mark.parametrize("size", [(1, 1024, 1024), (1024, 1024, 4096), (4096, 4096, 1024)])
def test_the_table_is_that_of_today_s_compiler(size):
    """Within a third; when the compiler changes: python -m weft.bench.fleet_plans."""
    row = next(r for r in rows_of(TABLE) if tuple(int(r[x]) for x in "mkn") == size)
    cycles, moved = planned(preset("fleet"), *size)
    assert cycles == pytest.approx(float(row["cycles"]), rel=1 / 3)
    assert moved == pytest.approx(float(row["memory_bytes"]), rel=1 / 3)


def test_formats_of_a_configuration_by_their_rate():
    """What a chip is built with runs at the rate of int8; what it is only priced with does not."""
    base = weft_chip("base")
    assert base.peak("bf16") == base.peak("fp8") == base.peak("int4") == base.peak("int8")
    assert not any("priced with" in note for note in base.notes)
    fleet = weft_chip("fleet", formats=("int8", "fp8", "bf16"))
    assert fleet.peak("bf16") == fleet.peak("int8") / 2
    assert any("fleet is built without: fp8, bf16" in note for note in fleet.notes)
    with pytest.raises(FleetError, match=r"formats must be among int8, .*, not 'fp64'"):
        weft_chip("fleet", formats=("fp64",))
