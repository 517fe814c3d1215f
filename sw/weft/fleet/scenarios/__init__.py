"""Scenarios: one file asks, bands answer; the fleets in the news, checked against public facts."""

from weft.fleet.bands import Band
from weft.fleet.scenarios.result import AnswerBands, ScenarioResult, SideBands
from weft.fleet.scenarios.scenario import Scenario, scenario_names
from weft.fleet.scenarios.schema import SCHEMA
from weft.fleet.scenarios.specs import ChipSpec, ServingSpec, SiteSpec, TrainingSpec

__all__ = [
    "SCHEMA",
    "AnswerBands",
    "Band",
    "ChipSpec",
    "Scenario",
    "ScenarioResult",
    "ServingSpec",
    "SideBands",
    "SiteSpec",
    "TrainingSpec",
    "scenario_names",
]
