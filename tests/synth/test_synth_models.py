"""The memory model, the unit-cost table and how it is collected."""

import json
from dataclasses import replace

import pytest
from weft.synth import collect as collecting
from weft.synth.collect import FULL_NODES, JOBS, collect
from weft.synth.errors import FlowError, LibertyError
from weft.synth.memory_model import Macro, fit_memories
from weft.synth.nodes import NODES
from weft.synth.unit_costs import UnitCost, default_table, read_table, write_table
from weft.synth.unit_rows import (
    UNIT_NODES,
    merged_rows,
    published_rows,
    unit_rows,
    whole_table,
)

TABLE = default_table()


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


def test_the_table_of_the_project_is_whole():
    for node in ("osu018", "sky130hd", "ihp130", "nangate45", "asap7", "gt2n_svt"):
        row = TABLE[f"synth.{node}.pe.energy_fj.int8_digits_held"]
        assert row.kind == "measured"
        assert len(row.library_sha256) == 64
        assert "opensta" in row.tools
    blocks = {key.split(".")[2] for key in TABLE if key.startswith("synth.asap7.")}
    assert blocks >= {job.block for job in JOBS}
    assert all(row.source for row in TABLE.values())


def test_the_table_prices_everything_that_the_fleet_counts():
    for node in UNIT_NODES:
        for cost in (
            "mac_int8_pj", "mac_int4_pj", "mac_bf16_pj", "mac_fp8e4m3_pj", "mac_mxfp8_pj",
            "mac_int8_um2", "mac_float_um2", "vector_add_pj", "vector_requantise_pj",
            "scratchpad_pj_per_byte", "accumulator_pj_per_byte", "flit_hop_pj_per_byte",
            "load_pj_per_byte", "store_pj_per_byte", "command_pj", "idle_leakage_w_per_mm2",
            "idle_clock_w_per_mm2_ghz", "clock_ghz",
        ):  # fmt: skip
            row = TABLE[f"unit.{node}.{cost}"]
            assert 0 < row.low <= row.value <= row.high
    assert TABLE["published.dram.hbm3e_pj_per_byte"].value == pytest.approx(27.5)


def test_the_unit_costs_follow_from_the_table():
    """A table whose unit costs were made from other measurements than it has."""
    made = {row.key: row for row in unit_rows(TABLE)}
    kept = {key: row for key, row in TABLE.items() if key.startswith("unit.")}
    assert set(made) == set(kept)
    for key, row in kept.items():
        assert row.value == pytest.approx(made[key].value, rel=2e-3), key
    for row in published_rows():
        assert TABLE[row.key] == row


def test_a_block_measured_again_takes_its_old_place():
    """Rows of other blocks lost or moved, unit costs of other blocks made from rounded rows."""
    kept = merged_rows(TABLE, [])
    assert [row.key for row in kept] == [
        key for key, row in TABLE.items() if key.startswith("synth.") and row.kind == "measured"
    ]
    (old,) = [row for row in kept if row.key == "synth.asap7.load.energy_fj.digits"]
    again = [replace(row, value=row.value * 0.5, low=row.low * 0.5)
             for row in kept if row.key.startswith("synth.asap7.load.")]  # fmt: skip
    added = replace(old, key="synth.asap7.new.area_um2")
    rows = merged_rows(TABLE, [*again, added])
    assert [row.key for row in rows] == [*(row.key for row in kept), added.key]
    table = {row.key: row for row in whole_table(rows, None, TABLE)}
    changed = {key for key, row in table.items() if key in TABLE and row != TABLE[key]}
    assert {row.key for row in again} <= changed
    derived = {key.split(".")[2] for key in changed if key.startswith("unit.")}
    # LOAD is now the slowest of the clocked blocks there
    assert derived == {"load_pj_per_byte", "command_pj", "clock_ghz"}


def test_a_table_from_nothing_begins_with_its_first_rows():
    """``weft synth --all``, which has no table before it: its first rows, and all of them."""
    assert whole_table(merged_rows({}, []), None, {})
    measured = merged_rows(TABLE, [])
    made = {row.key: row for row in whole_table(measured, None)}
    assert all(made[row.key] == row for row in [*measured, *published_rows()])
    # what needs no macros, which are read from the libraries
    assert "unit.asap7.mac_int8_pj" in made


def test_the_table_round_trips_and_damage_is_named(tmp_path):
    path = tmp_path / "table.csv"
    rows = list(TABLE.values())
    write_table(rows, path)
    assert list(read_table(path).values()) == rows
    lines = path.read_text().splitlines()

    def damaged(*changed, message):
        path.write_text("\n".join([lines[0], *changed]))
        with pytest.raises(ValueError, match=message):
            read_table(path)

    numbers = r"table\.csv:2: value, low and high must be numbers"
    damaged(lines[1].replace(",", ",x", 1), message=numbers)
    damaged(lines[1], lines[1], message=r"table\.csv:3: synth.* comes twice")
    guessed = lines[1].replace(",measured,", ",guessed,")
    damaged(guessed, message="kind must be one of measured, modelled, published, not 'guessed'")
    lines[0] = "key,price"
    damaged(message=r"table\.csv:1: columns must be key, value")


class _Result:
    """What ``characterise`` gives, as far as the table looks at it."""


def _collect(monkeypatch, tmp_path, *, fails=(), problems=()):
    """Collects two blocks on one node without mapping; returns (problems, tables kept, calls)."""
    calls, kept = [], []

    class Library:
        sha256 = "0" * 64

    def characterise(block, *arguments, **options):
        calls.append(block)
        if block in fails:
            raise FlowError(f"{block} stopped")
        result = _Result()
        result.problems = list(problems)
        return result

    row = UnitCost("k", 1.0, 1.0, 1.0, "x", "measured", "")
    monkeypatch.setattr(collecting, "characterise", characterise)
    monkeypatch.setattr(collecting, "block_verilog", lambda *a: "module m; endmodule")
    monkeypatch.setattr(collecting, "_rows_of", lambda result, node, rtl: [row])
    monkeypatch.setattr(collecting, "flop_row", lambda *a: row)
    monkeypatch.setattr(type(NODES["asap7"]), "load", lambda self, pdk: Library())
    found = collect(
        [NODES["asap7"]], None, tmp_path, blocks=["pe", "adder"], vectors=64,
        progress=lambda text: None, keep=lambda rows: kept.append(len(rows)),
    )  # fmt: skip
    return found, kept, calls


def test_a_run_that_was_cut_short_goes_on(monkeypatch, tmp_path):
    """Every block is mapped again after an interruption."""
    problems, kept, calls = _collect(monkeypatch, tmp_path)
    assert (problems, kept, calls) == ([], [2, 3], ["pe", "adder"])
    assert _collect(monkeypatch, tmp_path) == ([], [2, 3], [])
    (first, *_) = (tmp_path / "results").glob("asap7_pe_*.json")
    first.unlink()
    assert _collect(monkeypatch, tmp_path)[2] == ["pe"]


def test_one_block_that_fails_leaves_the_others(monkeypatch, tmp_path):
    problems, kept, _ = _collect(monkeypatch, tmp_path, fails=["pe"])
    assert problems == ["asap7 pe: pe stopped"]
    assert kept == [2]
    # what is incomplete is labelled and not kept for good
    problems, *_ = _collect(monkeypatch, tmp_path / "b", problems=["no timing: missing"])
    assert problems == ["asap7 pe: no timing: missing", "asap7 adder: no timing: missing"]
    assert not list((tmp_path / "b").glob("results/*.json"))


def test_every_node_that_is_measured_in_full_is_known():
    assert set(FULL_NODES) <= set(NODES)
    assert json.dumps([job.config.name for job in JOBS])
