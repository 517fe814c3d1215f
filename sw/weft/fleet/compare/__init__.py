"""Two chips at the same work: four views, bands, tornado, and where the ASIC loses."""

from weft.fleet.compare.claims import ClaimCheck, claims
from weft.fleet.compare.compare import Comparison, compare_scenario
from weft.fleet.compare.losses import Loss, losses
from weft.fleet.compare.pair import pair
from weft.fleet.compare.tornado import Swing, tornado
from weft.fleet.compare.views import View, views

__all__ = [
    "ClaimCheck",
    "Comparison",
    "Loss",
    "Swing",
    "View",
    "claims",
    "compare_scenario",
    "losses",
    "pair",
    "tornado",
    "views",
]
