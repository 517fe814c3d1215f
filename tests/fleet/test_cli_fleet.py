"""`weft fleet` and `weft sweep` as commands."""

import json

import pytest
from weft.cli import main

CASE = """
name = "mine"
[chip]
name = "h100_sxm"
count = 16
[model]
name = "llama3-8b"
[serving]
input_tokens = 512
output_tokens = 128
"""
INT8 = CASE + 'precision = "int8"\n'


@pytest.fixture
def case(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(INT8)
    return path


def test_scenario_as_json(case, capsys):
    """`weft fleet my.toml --json` that is not one object, or lacks a key of the contract."""
    assert main(["fleet", str(case), "--json", "--draws", "100"]) == 0
    data = json.loads(capsys.readouterr().out)
    for key in (
        "tflops_per_chip",
        "mfu",
        "step_s",
        "tokens_per_s",
        "tokens_per_joule",
        "usd_per_million_tokens",
    ):
        assert set(data[key]) == {"p5", "p50", "p95"}
    assert set(data["power_w"]) == {"chip", "node", "site"}
    assert data["label"] == "modelled, not measured"


def test_scenario_as_text_and_page(case, tmp_path, capsys):
    """Text without the section where the rival loses, or a page that is not written."""
    assert main(["fleet", str(case), "--draws", "100"]) == 0
    text = capsys.readouterr().out
    for words in ("as shipped", "iso-power", "iso-cost", "node-normalised", "loses", "tokens per"):
        assert words in text
    page = tmp_path / "mine.html"
    assert main(["fleet", str(case), "--draws", "100", "--html", str(page)]) == 0
    assert page.read_text().startswith("<!doctype html>")


def test_compare_and_facts(capsys):
    """The two verbs inside the verb."""
    assert main(["fleet", "compare", "h100_sxm", "h200_sxm", "--draws", "100"]) == 0
    assert "h200_sxm over h100_sxm" in capsys.readouterr().out
    assert main(["fleet", "facts", "--draws", "500"]) == 0
    assert "inside the band" in capsys.readouterr().out


def test_sweep_and_its_front_on_the_page(case, tmp_path, capsys):
    """A sweep whose results the page cannot read."""
    case.write_text(INT8)
    study = tmp_path / "study.toml"
    study.write_text('scenario = "mine.toml"\ndraws = 20\n[knobs]\nhbm_stacks = [2, 4]\n')
    out = tmp_path / "out"
    assert main(["sweep", str(study), "-o", str(out), "--workers", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["priced"] == 2
    page = tmp_path / "mine.html"
    arguments = ["fleet", str(case), "--draws", "50", "--html", str(page), "--sweep", str(out)]
    assert main(arguments) == 0
    assert "Pareto front of the sweep" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fleet", "atlantis"], "weft fleet: there is no scenario 'atlantis'"),
        (["fleet", "no_such.toml"], "no_such.toml: cannot be read"),
        (["fleet", "memphis", "stargate"], "one scenario at a time"),
        (["fleet", "compare", "memphis"], "compare takes two"),
        (["fleet", "compare", "memphis", "stargate"], "scenarios of the same model"),
        (["fleet", "memphis", "--draws", "0"], "--draws must be at least 1, not 0"),
        (["fleet", "--html", "x.html"], "--html needs a scenario"),
        (["sweep", "no_such.toml"], "weft sweep: no_such.toml: cannot be read"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(arguments, message, capsys):
    """A traceback, or a mistake that exits 0."""
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
