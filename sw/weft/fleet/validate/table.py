"""A validation table: rows of measured against modelled, with baseline, band and role."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.quantity import Num

__all__ = ["Case", "Row", "Table", "evaluate"]

DRAWS = 500


@dataclass(frozen=True, slots=True)
class Case:
    """One published or measured observation and how the model predicts it."""

    name: str
    measured: float
    predict: Callable[[Constants], Num]
    baseline: float
    role: str
    """`fit`: used for fitting constants; `hold-out`: not."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case, evaluated with the frozen constants."""

    name: str
    measured: float
    predicted: float
    p5: float
    p95: float
    baseline: float
    role: str
    error: float
    """Predicted / measured - 1, or the difference where the table is absolute."""
    baseline_error: float

    @property
    def inside(self) -> bool:
        """Whether the 90 % band holds the observation."""
        return self.p5 <= self.measured <= self.p95


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one kind with the target they are judged by."""

    key: str
    title: str
    unit: str
    rows: tuple[Row, ...]
    baseline_name: str
    target_mean: float | None = None
    target_max: float | None = None
    best_known: str = ""
    absolute: bool = False
    """Errors are differences in the unit, not ratios."""
    residual: str = ""
    notes: tuple[str, ...] = field(default=())

    def errors(self, role: str | None = None, *, baseline: bool = False) -> np.ndarray:
        """Absolute errors of the rows of a role (default: all)."""
        rows = [r for r in self.rows if role in (None, r.role)]
        return np.abs([r.baseline_error if baseline else r.error for r in rows])

    def coverage(self, role: str | None = None) -> float | None:
        """Share of rows inside their band."""
        rows = [r for r in self.rows if role in (None, r.role)]
        return float(np.mean([r.inside for r in rows])) if rows else None

    @property
    def passed(self) -> bool | None:
        """Whether mean and max over all rows meet the target; None without one."""
        if self.target_mean is None and self.target_max is None:
            return None
        e = self.errors()
        mean_ok = self.target_mean is None or e.mean() <= self.target_mean
        return bool(mean_ok and (self.target_max is None or e.max() <= self.target_max))


def evaluate(
    cases: Sequence[Case],
    constants: Constants,
    *,
    residual: str,
    seed: int = 1,
    absolute: bool = False,
) -> tuple[Row, ...]:
    """Predict every case with the frozen constants, and its 90 % band from joint draws.

    `residual` names the constant that holds the spread which the model does not explain; it
    multiplies each row's draws independently.
    """
    draws = constants.sample(DRAWS, seed)
    spread = constants.quantity(residual)
    rows = []
    for index, case in enumerate(cases):
        value = float(case.predict(constants))
        z = np.random.default_rng([seed, index]).standard_normal(DRAWS)
        band = np.asarray(case.predict(draws)) * spread.draw(z)
        low, high = np.percentile(band, (5, 95))
        scale = 1.0 if absolute else case.measured
        rows.append(
            Row(
                name=case.name,
                measured=case.measured,
                predicted=value,
                p5=float(low),
                p95=float(high),
                baseline=case.baseline,
                role=case.role,
                error=(value - case.measured) / scale,
                baseline_error=(case.baseline - case.measured) / scale,
            )
        )
    return tuple(rows)
