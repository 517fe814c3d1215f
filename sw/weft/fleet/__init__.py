"""The fleet model: from counts to time, power, money and carbon, with bands and sources."""

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import ConstantError, FleetError, InfeasibleError
from weft.fleet.first_answer import FirstAnswer, first_answer, render
from weft.fleet.machines import GPU_NAMES, Machine, gpu
from weft.fleet.models import ModelShape, model, model_names
from weft.fleet.quantity import Quantity
from weft.fleet.scenarios import Scenario, ScenarioResult, scenario_names
from weft.fleet.weft_chip import weft_chip

__all__ = [
    "GPU_NAMES",
    "ConstantError",
    "Constants",
    "FirstAnswer",
    "FleetError",
    "InfeasibleError",
    "Machine",
    "ModelShape",
    "Quantity",
    "Scenario",
    "ScenarioResult",
    "default_constants",
    "first_answer",
    "gpu",
    "model",
    "model_names",
    "render",
    "scenario_names",
    "weft_chip",
]
