"""Carbon: embodied in chips, servers and buildings; operational by location and by market."""

from weft.fleet.carbon.embodied import Embodied, embodied
from weft.fleet.carbon.operational import Supply, operational_kg_per_year
from weft.fleet.carbon.total import CarbonBreakdown, carbon, grams_per_million_tokens

__all__ = [
    "CarbonBreakdown",
    "Embodied",
    "Supply",
    "carbon",
    "embodied",
    "grams_per_million_tokens",
    "operational_kg_per_year",
]
