"""Serving and node power against published rows: targets, hold-outs, frozen constants, bugs."""

import csv
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from weft.fleet.constants import default_constants
from weft.fleet.money import validation as money
from weft.fleet.power import validation as power
from weft.fleet.serving import calibrate, iteration
from weft.fleet.serving import validation as serving

TABLES = Path(str(resources.files("weft.fleet") / "data" / "tables"))
C = default_constants()


@pytest.fixture(scope="module")
def tables():
    found = serving.tables(C) + power.tables(C) + money.tables(C)
    return {t.key: t for t in found}


@pytest.mark.parametrize(
    ("key", "held_out"),
    [
        ("mlperf_llama2_offline", 0.05),
        ("mlperf_llama2_server", 0.06),
        ("node_wall_power", 0.05),
    ],
)
def test_targets_are_met_with_room(tables, key, held_out):
    """A change loses accuracy without anybody noticing."""
    table = tables[key]
    assert table.passed
    assert table.errors("fit").size
    assert table.errors("hold-out").size
    assert table.errors("hold-out").mean() <= held_out
    assert table.errors().mean() < table.errors(baseline=True).mean()


def test_bands_cover_rows_not_used_for_fitting(tables):
    """Bands that are decoration: too narrow, or so wide that they say nothing."""
    held = [r for t in tables.values() for r in t.rows if r.role == "hold-out"]
    assert np.mean([r.inside for r in held]) >= 0.85
    for row in held:
        assert (row.p95 - row.p5) / row.predicted < 0.3, row.name


def test_estimates_are_no_hold_outs(tables):
    """Analysts' estimates decide the coverage of measured rows."""
    for key in ("gpu_hour_cost", "gpu_making_cost"):
        assert {r.role for r in tables[key].rows} == {"estimate"}
        assert tables[key].errors().mean() < 0.15


def test_frozen_node_constants_are_what_the_fit_gives():
    """Frozen constants drift from their fit."""
    fitted = calibrate.refit(power, C, evaluations=300)
    for key, value in fitted.items():
        assert value == pytest.approx(C[key], rel=0.03), key


def test_frozen_serving_constants_are_at_the_optimum():
    """Frozen constants drift from their fit: any step away fits worse."""
    cases = [x for x in calibrate.fit_cases(serving, C) if x.role == "fit"]
    pick = [x for x in cases if "HPE" in x.name or "8x4" in x.name or "ASUS" in x.name]

    def loss(c):
        errors = [np.log(float(x.predict(c)) / x.measured) for x in pick]
        return float(np.sum(np.square(errors)))

    best = loss(C)
    for key in serving.GROUP.priors:
        for step in (-0.08, 0.08):
            assert loss(C.replace({key: C[key] + step})) > best * 0.98, key


def test_predictions_do_not_see_the_measurement(tmp_path):
    """A prediction copies its row; other rows are hold-outs."""
    for name in ("mlperf_inference", "mlperf_power"):
        shutil.copy(TABLES / f"{name}.csv", tmp_path)
    for name, column in (("mlperf_inference", "value"), ("mlperf_power", "wall_power")):
        path = tmp_path / f"{name}.csv"
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            row[column] = str(2 * float(row[column]))
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows[:6])
    for module in (serving, power):
        own = {r.name: r.predicted for t in module.tables(C) for r in t.rows}
        for table in module.tables(C, tmp_path):
            for row in table.rows:
                assert row.role == "hold-out"
                assert row.predicted == pytest.approx(own[row.name])
                assert row.error == pytest.approx(-0.5, abs=0.06)
    assert money.tables(C, tmp_path) == []


def test_other_accelerators_are_judged_apart(tmp_path):
    """A row of another GPU lands among the H100 rows, or stops validation."""
    source = (TABLES / "mlperf_inference.csv").read_text().splitlines()
    row = source[1].replace("H100-SXM-80GB", "H200-SXM-141GB")
    odd = source[1].replace("NVIDIA H100-SXM-80GB", "Unknown 9000")
    (tmp_path / "mlperf_inference.csv").write_text("\n".join([source[0], row, odd]) + "\n")
    found = serving.tables(C, tmp_path)
    assert [t.key for t in found] == ["mlperf_llama2_other_gpus"]
    assert found[0].target_mean is None
    assert len(found[0].rows) == 1


@pytest.mark.parametrize(
    ("key", "factor", "module", "table"),
    [
        ("power.host.base_w", 0.3, power, "node_wall_power"),
        ("power.mlperf_maxq.gptj_limit_w", 2.0, power, "node_wall_power"),
        ("serving.gpu.framework_slowdown", 8.0, serving, "mlperf_llama2_offline"),
        ("gpu.h100_sxm.scaleup_gb_per_s", 0.3, serving, "mlperf_llama2_offline"),
    ],
)
def test_a_planted_error_in_a_constant_is_caught(key, factor, module, table):
    """Validation passes whatever the constants say."""
    wrong = C.replace({key: C[key] * factor})
    errors = [
        abs(float(case.predict(wrong)) / case.measured - 1)
        for name, cases in module.cases_by_table(C)
        if name == table
        for case in cases[:8]
    ]
    assert np.mean(errors) > 0.08


def test_a_planted_bug_in_the_engine_is_caught(monkeypatch):
    """Validation passes without the tensor-parallel traffic: 4-GPU boards then look like 8."""
    real = iteration.all_reduce

    def free(machine, size, chips, **options):
        return real(machine, 0.0 * size, chips, **options)

    monkeypatch.setattr(iteration, "all_reduce", free)
    fresh = default_constants()
    small = serving.predict_tokens_per_s("h100_sxm", 4, 1, "Offline", fresh)
    assert small / 10350 > 1.12
