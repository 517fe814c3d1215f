"""Benchmarks by name, their demands, and what a missing optional package says."""

import dataclasses
import sys
from importlib import import_module

import pytest
from weft.bench.result import Measurement
from weft.cli import main
from weft.cli.bench import CASES

FOUND = Measurement(name="x", what="a thing", value=97.0, unit="%", command="weft bench --only x")


@pytest.mark.parametrize("name", list(CASES))
def test_every_case_is_a_function_that_says_what_it_measures(name: str) -> None:
    case = getattr(import_module(f"weft.bench.{CASES[name]}"), name)
    assert case.__doc__.strip()


@pytest.mark.parametrize(
    ("judged", "met", "demand"),
    [
        (FOUND.at_least(97), True, ">= 97 %"),
        (FOUND.at_least(97.1), False, ">= 97.1 %"),
        (FOUND.at_least(97, correct=False), False, ">= 97 %"),
        (FOUND.at_most(97), True, "<= 97 %"),
        (FOUND.at_most(96), False, "<= 96 %"),
        (FOUND.at_most(98, correct=False), False, "<= 98 %"),
        (dataclasses.replace(FOUND, unit="x").at_least(3.8), True, ">= 3.8x"),
    ],
)
def test_a_demand_is_met_from_its_limit_on_and_by_correct_results_alone(
    judged: Measurement, met: bool, demand: str
) -> None:
    assert (judged.met, judged.demand) == (met, demand)
    assert judged.line().split()[-1] == ("met" if met else "MISSED")


def test_without_a_demand_a_number_is_only_reported() -> None:
    assert FOUND.met is None
    assert FOUND.line().split()[-1] == "-"


def test_a_missing_optional_package_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("layout_utils", "scale_config", "single_layer_sim", "topology_utils"):
        monkeypatch.setitem(sys.modules, f"scalesim.{module}", None)
    assert main(["bench", "--only", "scalesim"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == ("weft: SCALE-Sim must be installed for this: pip install 'scalesim==3.0.0'")


def test_a_module_of_ours_that_is_missing_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weft.bench.tools", None)
    with pytest.raises(ModuleNotFoundError, match=r"weft\.bench\.tools"):
        main(["bench", "--only", "build"])
