"""A number with its 5th, 50th and 95th percentile over Monte Carlo draws."""

from dataclasses import dataclass

import numpy as np

from weft.fleet.quantity import Num

__all__ = ["Band", "median"]


@dataclass(frozen=True, slots=True)
class Band:
    """P5, P50 and P95 of a quantity; all three equal where nothing was drawn."""

    p5: float
    p50: float
    p95: float

    @classmethod
    def of(cls, draws: Num) -> "Band":
        """Percentiles over the first axis of `draws`, or of a plain number."""
        values = np.asarray(draws, float)
        # between a finite and an infinite draw there is nothing to interpolate
        points = (5, 50, 95)
        if np.isfinite(values).all():
            low, mid, high = (float(x) for x in np.percentile(values, points))
        else:
            low, mid, high = (
                float(x) for x in np.percentile(values, points, method="inverted_cdf")
            )
        return cls(low, mid, high)

    def holds(self, value: float) -> bool:
        """Whether `value` lies inside the band."""
        return self.p5 <= value <= self.p95

    @property
    def half_width_share(self) -> float:
        """Half of the band over its middle value."""
        return (self.p95 - self.p5) / (2.0 * abs(self.p50)) if self.p50 else float("inf")


def median(values: Num) -> float:
    """The middle of draws as a plain float."""
    return float(np.median(values))
