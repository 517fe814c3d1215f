"""The table, the histogram and the going on of the model's bench, without a simulator."""

import json
from pathlib import Path
from typing import Any

import pytest
from weft.bench import model


def point(seed: int, error: float) -> dict[str, Any]:
    return {"seed": seed, "preset": "nano", "error": error, "bit_exact": True}


def test_table_and_histogram_count_every_point() -> None:
    points = [point(i, error) for i, error in enumerate((0.0, 0.0, 0.00005, -0.004, 0.02, 0.5))]
    assert model.table(points)[1].split()[:3] == ["nano", "6", "2"]
    assert model.table(points)[-1].endswith("50.000%")
    bars = model.histogram([abs(p["error"]) for p in points])
    assert [int(bar.split("#")[0].split()[-1]) for bar in bars] == [2, 1, 0, 0, 1, 0, 1, 1]


def test_a_run_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points kept are not measured again, and a complete run is put aside."""
    path = tmp_path / "model.jsonl"
    path.write_text("".join(json.dumps(point(seed, 0.0)) + "\n" for seed in (70, 71)))
    measured = []

    def measure(seed: int) -> dict[str, Any]:
        measured.append(seed)
        return point(seed, 0.001)

    monkeypatch.setattr(model, "measure", measure)
    points = model._collect(path, 5)
    assert measured == [72, 73, 74]
    assert [p["seed"] for p in points] == [70, 71, 72, 73, 74]
    assert not path.exists()
    assert len((tmp_path / "model-70.jsonl").read_text().splitlines()) == 5
