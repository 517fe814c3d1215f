"""The notebooks run, were executed, and stay small."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "sw" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_two():
    """A glob that finds nothing, and so tests nothing."""
    assert [p.stem for p in NOTEBOOKS] == ["fleet_in_the_news", "own_case_and_sweep"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path, capsys):
    """A notebook whose code the package has left behind."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [c for c in cells if c["cell_type"] == "code"]
    assert all(c["execution_count"] for c in code)
    assert path.stat().st_size < 40_000
    space: dict[str, object] = {}
    for cell in code:
        exec(compile("".join(cell["source"]), path.name, "exec"), space)
    assert space["result"]
    capsys.readouterr()
