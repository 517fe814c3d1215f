"""A published, measured, derived, assumed or fitted number with its range and its source."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from weft.fleet.errors import ConstantError

__all__ = ["CONFIDENCES", "Num", "Quantity"]

Num: TypeAlias = float | np.ndarray
"""A float, or an array with one entry per Monte Carlo draw (always the first axis)."""

CONFIDENCES = ("published", "measured", "derived", "assumed", "fitted", "unconfirmed")
"""What kind of statement a constant is.

`published` read in the cited document · `measured` an observation · `derived` arithmetic on other
rows · `assumed` a choice of this project, with a range that admits it · `fitted` from the rows
named in `locator` · `unconfirmed` may be listed, never used as truth.
"""

Z95 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Quantity:
    """One constant. `low` and `high` are the 5th and 95th percentile of what it may truly be."""

    key: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    locator: str
    date: str
    confidence: str
    group: str = ""
    note: str = ""
    origin: str = ""

    def __post_init__(self) -> None:
        where = f"constant {self.key!r}" + (f" ({self.origin})" if self.origin else "")
        for name in ("unit", "source", "locator", "date", "confidence"):
            if not str(getattr(self, name)).strip():
                raise ConstantError(f"{where} has no {name}; every constant needs one")
        if self.confidence not in CONFIDENCES:
            raise ConstantError(
                f"{where} has confidence {self.confidence!r}; use one of {', '.join(CONFIDENCES)}"
            )
        for name in ("value", "low", "high"):
            if not np.isfinite(getattr(self, name)):
                raise ConstantError(f"{where} has no finite {name}; give value, low and high")
        if not self.low <= self.value <= self.high:
            raise ConstantError(
                f"{where} has low {self.low:g}, value {self.value:g}, high {self.high:g}; "
                "low <= value <= high must hold"
            )
        if self.confidence in ("assumed", "fitted") and self.low == self.high:
            raise ConstantError(f"{where} is {self.confidence} and has no range; give low < high")

    def draw(self, z: Num) -> Num:
        """Map standard-normal `z` to values: z = -1.645 gives `low`, 0 `value`, +1.645 `high`.

        Two-sided log-normal where all three are positive, two-sided normal otherwise; never below
        zero where `low` is not, never above one for a fraction. Tails end at three sigma.
        """
        z = np.clip(np.asarray(z, dtype=float), -3.0, 3.0)
        up = np.maximum(z, 0.0) / Z95
        down = np.maximum(-z, 0.0) / Z95
        if self.low > 0:
            drawn = self.value * (self.high / self.value) ** up * (self.low / self.value) ** down
        else:
            drawn = self.value + (self.high - self.value) * up - (self.value - self.low) * down
            drawn = np.maximum(drawn, 0.0) if self.low == 0 else drawn
        return np.minimum(drawn, 1.0) if self.unit.startswith("fraction") else drawn
