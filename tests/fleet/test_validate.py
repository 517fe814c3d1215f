"""Validation: targets met with one constant set, no constant per row, bands that cover."""

import csv
import json
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from weft.cli import validate as cli
from weft.fleet.constants import default_constants
from weft.fleet.errors import FleetError
from weft.fleet.validate import collect, collectives, gemm, training
from weft.fleet.validate.data import rows_of
from weft.fleet.validate.fit import GROUPS, fit_group
from weft.fleet.validate.report import as_dict, render

TABLES = Path(str(resources.files("weft.fleet") / "data" / "tables"))


@pytest.fixture(scope="module")
def tables():
    return {t.key: t for t in collect()}


@pytest.mark.parametrize(
    "key",
    [
        "gemm_a100",
        "gemm_h100",
        "all_reduce",
        "korthikanti",
        "megatron_sc21",
        "llama3_mfu",
        "llama3_gpu_hours",
        "llama3_goodput",
    ],
)
def test_targets_are_met(tables, key):
    """A change of the model or its constants loses accuracy without anybody noticing."""
    table = tables[key]
    assert table.passed, f"{key}: mean {table.errors().mean():.3f} max {table.errors().max():.3f}"


def test_hold_outs_are_separate_and_as_good(tables):
    """The model fits what it was shown and nothing else."""
    for key in ("gemm_a100", "all_reduce", "korthikanti", "megatron_sc21"):
        table = tables[key]
        held, fitted = table.errors("hold-out"), table.errors("fit")
        assert held.size
        assert fitted.size
        assert held.mean() < table.target_mean + 0.005
    assert tables["llama3_mfu"].errors("fit").size == 0


def test_every_model_beats_its_baseline(tables):
    """A model is worse than one line of arithmetic."""
    for table in tables.values():
        if table.key in {"gemm_a100", "gemm_h100", "all_reduce", "korthikanti", "megatron_sc21"}:
            assert table.errors().mean() < 0.6 * table.errors(baseline=True).mean(), table.key


def test_bands_cover_rows_not_used_for_fitting(tables):
    """Bands are decoration: far too narrow or too wide."""
    held = [r.inside for t in tables.values() for r in t.rows if r.role == "hold-out"]
    assert 0.80 <= np.mean(held) <= 0.97
    for table in tables.values():
        for row in table.rows:
            assert row.p5 < row.predicted < row.p95


def test_fewer_constants_than_rows_they_are_fitted_on():
    """Somebody fits a constant per row."""
    c = default_constants()
    cases = dict(
        pair for module in (gemm, collectives, training) for pair in module.cases_by_table(c)
    )
    for group in GROUPS:
        rows = sum(x.role == "fit" for t in group.tables for x in cases[t])
        assert 2 * len(group.priors) <= rows, group.name


@pytest.mark.parametrize("name", ["training", "all_reduce_h200"])
def test_frozen_constants_are_what_the_fit_gives(name):
    """A frozen constant was edited by hand."""
    c = default_constants()
    group = next(g for g in GROUPS if g.name == name)
    cases = [
        x
        for module in (collectives, training)
        for table, found in module.cases_by_table(c)
        if table in group.tables
        for x in found
        if x.role == "fit"
    ]
    for key, value in fit_group(group, cases, c).items():
        assert value == pytest.approx(c[key], rel=0.02), key


def test_predictions_do_not_see_the_measurement(tmp_path):
    """A prediction is read from the row it is judged by."""
    rows = rows_of("gemm_measured")
    for row in rows:
        row["time_ms"] = str(10 * float(row["time_ms"]))
    with (tmp_path / "gemm_measured.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    given = {t.key: t for t in collect(folder=tmp_path)}
    own = {t.key: t for t in collect()}
    assert set(given) == {"gemm_a100", "gemm_h100"}
    for key, table in given.items():
        assert [r.predicted for r in table.rows] == [r.predicted for r in own[key].rows]
        assert {r.role for r in table.rows} == {"hold-out"}
        assert not table.passed


def test_unconfirmed_rows_judge_nothing():
    """A row from memory is used as truth."""
    with (TABLES / "llm_training_tables.csv").open(newline="") as stream:
        raw = list(csv.DictReader(stream))
    assert any(r["confidence"] == "unconfirmed" for r in raw)
    assert all(r["confidence"] != "unconfirmed" for r in rows_of("llm_training_tables"))


@pytest.mark.parametrize(
    ("key", "factor", "table"),
    [
        ("gpu.a100_sxm.peak_bf16_tflops", 2.0, "gemm_a100"),  # the sparse peak
        ("gpu.h100_sxm.hbm_bandwidth_tb_per_s", 0.5, "gemm_h100"),
        ("gpu.h200_sxm.scaleup_gb_per_s", 0.5, "all_reduce"),
        ("train.any.framework_slowdown", 3.0, "korthikanti"),
        ("reliability.gpu.interruptions_per_chip_year", 3.0, "llama3_goodput"),
    ],
)
def test_a_planted_error_is_caught(key, factor, table):
    """The targets are so loose that a wrong constant passes."""
    c = default_constants()
    wrong = c.replace({key: c[key] * factor})
    found = {t.key: t for t in collect(wrong)}
    assert not found[table].passed


def test_json_and_text(tables):
    """The printed table lacks roles, baselines or coverage."""
    data = as_dict(list(tables.values()))
    assert json.loads(json.dumps(data)) == data
    first = data["tables"][0]
    assert {"all", "fit", "hold_out", "baseline", "coverage_hold_out", "rows"} <= first.keys()
    text = render(list(tables.values()), rows=True)
    assert "rows not used for fitting" in text
    assert "hold-out" in text


def test_cli(capsys, tmp_path):
    """Bad input ends in a traceback."""
    import argparse

    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["validate", "--json"])
    assert args.run(args) == 0
    assert json.loads(capsys.readouterr().out)["rows_hold_out"] > 20
    for bad, text in ((tmp_path / "none", "is not a folder"), (tmp_path, "holds no table")):
        args = parser.parse_args(["validate", "--data", str(bad)])
        assert args.run(args) == 2
        err = capsys.readouterr().err
        assert text in err
        assert err.count("\n") == 1
    shutil.copy(TABLES / "collectives_measured.csv", tmp_path)
    args = parser.parse_args(["validate", "--data", str(tmp_path)])
    assert args.run(args) == 0


def test_sizes():
    """MB and MiB are mixed up."""
    assert collectives.size_bytes("64MiB") == 64 * 1024**2
    with pytest.raises(FleetError, match="size must be"):
        collectives.size_bytes("64MB")
