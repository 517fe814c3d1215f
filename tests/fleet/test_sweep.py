"""Sweeps: studies, parallel and cluster engines, resuming, Pareto."""

import json

import pandas as pd
import pytest
from weft.cli.sweep import render
from weft.fleet.errors import FleetError
from weft.fleet.sweep import (
    cluster_engine,
    load_results,
    local_engine,
    pareto_front,
    read_study,
    run_sweep,
)

CASE = """
name = "case"
[chip]
name = "h100_sxm"
count = 16
[rival]
formats = ["int8", "fp8"]
[model]
name = "llama3-8b"
[serving]
input_tokens = 512
output_tokens = 128
"""

STUDY = """
scenario = "case.toml"
draws = 20
[knobs]
array = [64, 128]
hbm_stacks = [2, 4]
process = ["n5", "n3e"]
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "case.toml").write_text(CASE)
    (tmp_path / "study.toml").write_text(STUDY)
    return read_study(tmp_path / "study.toml")


class Stops:
    """An engine that is interrupted after some designs."""

    workers = 1

    def __init__(self, after: int) -> None:
        self.after = after

    def map(self, task, items):
        for number, item in enumerate(items):
            if number == self.after:
                raise KeyboardInterrupt
            yield task(item)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def test_sweep_resumes_after_an_interruption(study, tmp_path):
    """Finished designs lost, or priced twice."""
    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_sweep(study, folder, Stops(3))
    assert len(load_results(folder)) == 3
    seen = []
    result = run_sweep(study, folder, local_engine(1), progress=lambda d, t: seen.append((d, t)))
    assert result.priced == 5
    assert result.designs == len(result.frame) == 8
    assert seen[0] == (3, 8)
    assert seen[-1] == (8, 8)
    again = run_sweep(study, folder, local_engine(1))
    assert again.priced == 0
    pd.testing.assert_frame_equal(
        again.frame.sort_values("design", ignore_index=True),
        result.frame.sort_values("design", ignore_index=True),
    )
    text = render(result, folder)
    assert "8 designs, 5 priced now" in text
    assert "Pareto front" in text


def test_newer_process_saves_energy_and_more_memory_costs(study, tmp_path):
    """A knob without effect."""
    frame = run_sweep(study, tmp_path / "out", local_engine(1)).frame
    assert (frame["error"] == "").all()
    by = frame.set_index(["knob.array", "knob.hbm_stacks", "knob.process"])
    energy = by["tokens_per_joule"]
    assert energy[128, 4, "n3e"] > energy[128, 4, "n5"]
    assert by["capex_usd"][128, 4, "n5"] > by["capex_usd"][128, 2, "n5"]
    assert by["die_mm2"][128, 4, "n5"] > by["die_mm2"][64, 4, "n5"]


def test_two_processes_give_the_same_numbers(study, tmp_path):
    """Draws that depend on the process that made them."""
    one = run_sweep(study, tmp_path / "one", local_engine(1)).frame
    two = run_sweep(study, tmp_path / "two", local_engine(2))
    assert two.workers == 2
    key = {"by": "design", "ignore_index": True}
    pd.testing.assert_frame_equal(one.sort_values(**key), two.frame.sort_values(**key))


def test_real_cluster_of_two_workers(study, tmp_path):
    """A study that runs here and not on a cluster."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        result = run_sweep(study, tmp_path / "out", cluster_engine(cluster.scheduler_address))
    assert result.workers == 2
    assert result.priced == 8
    assert (result.frame["error"] == "").all()


def test_nobody_at_the_address():
    """A wrong address that ends in a traceback."""
    with (
        pytest.raises(FleetError, match="no Dask scheduler answers at 'nowhere'"),
        cluster_engine("nowhere"),
    ):
        pass


def test_infeasible_designs_are_kept_with_their_reason(tmp_path):
    """One impossible design that ends the sweep, or vanishes from it."""
    (tmp_path / "case.toml").write_text(CASE)
    (tmp_path / "study.toml").write_text(
        STUDY.replace("array = [64, 128]", "array = [64, 100]").replace("[2, 4]", "[4]")
    )
    result = run_sweep(read_study(tmp_path / "study.toml"), tmp_path / "out", local_engine(1))
    assert result.infeasible == 2
    bad = result.frame[result.frame["error"] != ""]
    assert bad["error"].str.contains("array_rows must be a power of two, not 100").all()
    assert not result.front["design"].isin(bad["design"]).any()


def test_results_of_another_study_are_not_mixed(study, tmp_path):
    """A changed scenario that silently reuses old numbers."""
    folder = tmp_path / "out"
    run_sweep(study, folder, local_engine(1))
    (tmp_path / "case.toml").write_text(CASE.replace("count = 16", "count = 32"))
    with pytest.raises(FleetError, match="results of another scenario"):
        run_sweep(read_study(tmp_path / "study.toml"), folder, local_engine(1))
    assert json.loads((folder / "study.json").read_text())["fingerprint"] == study.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hbm_stacks", "hbm_stack", r"study\.toml:6: unknown key 'knobs\.hbm_stack'"),
        ("[64, 128]", "[]", "knob array has no values"),
        ("[64, 128]", "[64, 64]", "names a value twice"),
        ("[2, 4]", "[-2, 4]", "hbm_stacks must be positive, not -2"),
        ('["n5", "n3e"]', "[5]", "knob process cannot be 5"),
        ("draws = 20", "draws = 0", "draws must be at least 1"),
        ('"case.toml"', '"nothing"', "no scenario 'nothing'"),
    ],
)
def test_bad_study(old, new, message, tmp_path):
    """A mistake in a study that is swept anyway."""
    (tmp_path / "case.toml").write_text(CASE)
    (tmp_path / "study.toml").write_text(STUDY.replace(old, new))
    with pytest.raises(FleetError, match=message):
        read_study(tmp_path / "study.toml")


def test_pareto_by_hand():
    """A dominated design on the front, or a tie thrown away."""
    frame = pd.DataFrame(
        {
            "design": list("abcde"),
            "error": ["", "", "", "", "broken"],
            "tokens_per_joule": [1.0, 2.0, 2.0, 0.5, 9.0],
            "usd_per_million_tokens": [1.0, 2.0, 3.0, 2.0, 0.1],
            "tokens_per_s": [1.0, 1.0, 1.0, 1.0, 9.0],
        }
    )
    assert list(pareto_front(frame)["design"]) == ["b", "a"]
