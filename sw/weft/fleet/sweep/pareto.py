"""Designs that no other design beats on every count."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OBJECTIVES", "pareto_front"]

OBJECTIVES = (("tokens_per_joule", 1.0), ("usd_per_million_tokens", -1.0), ("tokens_per_s", 1.0))
"""(column, +1 more is better or -1 less is better)."""


def pareto_front(
    frame: "pd.DataFrame", objectives: tuple[tuple[str, float], ...] = OBJECTIVES
) -> "pd.DataFrame":
    """The rows that are not dominated, best of the first objective first.

    A row dominates another when it is at least as good on every objective and better on one. Rows
    with an `error` never count.
    """
    good = frame[frame["error"] == ""]
    scores = np.stack([good[name].to_numpy(float) * sign for name, sign in objectives], axis=1)
    keep = [
        not np.any(np.all(scores >= one, axis=1) & np.any(scores > one, axis=1)) for one in scores
    ]
    first, sign = objectives[0]
    return good[keep].sort_values(first, ascending=sign < 0)
