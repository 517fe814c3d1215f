"""The table, the histogram and the going on of the model's bench, without a simulator."""

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from weft.bench import kept, model
from weft.bench.kept import Kept
from weft.bench.points import PointRow, measure
from weft.cli import main

ROW = PointRow(
    seed=0,
    preset="nano",
    program="1x2x3 int8",
    latency_cycles=100,
    bytes_per_cycle=None,
    stall_probability=0.0,
    model_cycles=10_000,
    rtl_cycles=10_000,
    same_bytes=True,
)


def row(seed: int, cycles: int, preset: str = "nano") -> PointRow:
    """A point of 10,000 cycles of which the model says ``cycles``."""
    return dataclasses.replace(ROW, seed=seed, model_cycles=cycles, preset=preset)


def test_table_counts_every_point_of_its_preset() -> None:
    rows = [row(i, 10_000 + off) for i, off in enumerate((0, 0, 1, -40, 200))]
    rows += [row(9, 15_000, "micro")]
    lines = [line.split() for line in model.table(rows)]
    assert lines[1] == ["micro", "1", "0.0%", "50.000%", "50.000%", "50.000%"]
    # mean of 0, 0, 0.01, 0.4 and 2 %; the 99th percentile lies 4 % below the worst two's gap
    assert lines[2] == ["nano", "5", "40.0%", "0.482%", "1.936%", "2.000%"]
    assert lines[3][:3] == ["all", "6", "33.3%"]


def test_histogram_has_every_point_in_one_bar() -> None:
    bars = model.histogram([0.0, 0.0, 0.00005, 0.004, 0.02, 0.5])
    assert [int(bar.split("#")[0].split()[-1]) for bar in bars] == [2, 1, 0, 0, 1, 0, 1, 1]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds that are measured, each half a percent off; nothing is compiled."""
    seeds: list[int] = []

    def fake(seed: int, presets: Sequence[str]) -> PointRow:
        seeds.append(seed)
        return row(seed, 10_050, presets[0])

    class Closed:
        def close(self) -> None:
            pass

    monkeypatch.setattr(model, "measure", fake)
    monkeypatch.setattr(model, "open_target", lambda *_: (Closed(), None, True))
    return seeds


def open_run(path: Path, seed: int | None = None, presets: tuple[str, ...] = ("nano",)) -> Kept:
    return Kept.open(path, presets, seed, fresh_seed=500)


def test_a_run_cut_short_goes_on(tmp_path: Path, measured: list[int]) -> None:
    """Points kept are not measured again."""
    path = tmp_path / "model.jsonl"
    model.collect(open_run(path, seed=70), 2)
    rows = model.collect(open_run(path), 5)
    assert measured == [70, 71, 72, 73, 74]
    assert [r.seed for r in rows] == [70, 71, 72, 73, 74]
    assert [r.error for r in rows] == pytest.approx([0.005] * 5)


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ({"seed": 7}, 7),
        ({"presets": ("nano", "micro")}, 500),
    ],
)
def test_another_run_puts_the_kept_one_aside(
    tmp_path: Path, measured: list[int], asked: dict[str, Any], first: int
) -> None:
    path = tmp_path / "model.jsonl"
    model.collect(open_run(path, seed=70), 2)
    fresh = open_run(path, **asked)
    assert (fresh.first_seed, fresh.rows) == (first, [])
    assert len((tmp_path / "model-70.jsonl").read_text().splitlines()) == 3


def test_points_of_other_code_are_not_mixed(
    tmp_path: Path, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.jsonl"
    model.collect(open_run(path, seed=70), 2)
    monkeypatch.setattr(kept, "code_hash", lambda: "other")
    fresh = open_run(path)
    assert (fresh.first_seed, fresh.rows) == (500, [])


def test_a_damaged_file_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "model.jsonl"
    path.write_text('{"first_seed": 70')
    assert open_run(path).first_seed == 500


def test_the_command_prints_seed_and_table_and_fails_above_one_percent(
    tmp_path: Path,
    measured: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WEFT_CACHE", str(tmp_path))
    command = ["bench", "--only", "model", "--points", "3", "--seed", "8", "--preset", "nano"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "--seed 8 repeats them" in err
    assert "largest error" in out
    assert " met" in out
    lines = (tmp_path / "bench" / "model-8.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines[1:]] == [8, 9, 10]
    # the same, with a model 2 % off
    monkeypatch.setattr(model, "measure", lambda seed, presets: row(seed, 10_200))
    assert main(command) == 1
    assert "MISSED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "model", "--points", "0"], "points must be at least 1, not 0"),
        (["--only", "model", "--seed", "-1"], "seed must be at least 0, not -1"),
        (["--only", "model", "--preset", "tiny"], "not 'tiny'"),
        (["--only", "command", "--points", "3"], "--points is for the case model; add --only"),
        (["--only", "command", "--preset", "nano"], "--preset is for the case model"),
        (["--only", "model", "--whole"], "--whole is for the case speed"),
        (["--only", "nonsense"], "--only must be one of utilisation, .*, not 'nonsense'"),
    ],
)
def test_wrong_options_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert re.search(message, line)


@pytest.mark.rtl
def test_a_seed_draws_the_same_point_again() -> None:
    """Of both kinds of program, each with its bytes right and its cycles positive."""
    rows = [measure(seed, ("nano",)) for seed in (*range(8), 0)]
    assert rows[0] == rows[-1]
    assert {"rounds" in r.program for r in rows} == {True, False}
    assert all(r.same_bytes and r.rtl_cycles > 0 for r in rows)
