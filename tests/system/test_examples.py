"""The examples and their notebooks run and find what they say; MiniLM needs its extra."""

import json
import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "sw" / "examples"


def _run_notebook(name: str) -> dict:
    """The notebook's last ``result``, after a look at the file itself."""
    path = FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < 40_000
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code)
    space: dict = {}
    for cell in code:
        exec(compile("".join(cell["source"]), path.name, "exec"), space)
    return space["result"]


@pytest.mark.slow
def test_digits_notebook() -> None:
    result = _run_notebook("digits_cnn")
    assert result["same"]
    assert result["points_lost"] <= 0.5


@pytest.mark.slow
def test_minilm_notebook() -> None:
    result = _run_notebook("minilm")
    assert result["same"]
    assert result["cosine"] >= 0.999


@pytest.mark.slow
def test_digits_script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(sys, "argv", ["digits_cnn.py", "--images", "8", "--preset", "micro"])
    runpy.run_path(str(FOLDER / "digits_cnn.py"), run_name="__main__")
    assert "every logit as expected: True" in capsys.readouterr().out


@pytest.mark.slow
def test_minilm_script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(sys, "argv", ["minilm.py", "Good morning.", "A good day to you."])
    runpy.run_path(str(FOLDER / "minilm.py"), run_name="__main__")
    assert "cosine to fp32: 0.9999" in capsys.readouterr().out
