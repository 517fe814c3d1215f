"""Which constants matter: each moved alone to its low and its high, all in one vectorised pass.

Position `2 i` of every array has constant `i` at its low, `2 i + 1` at its high, everything else at
its central value; the last position has all of them central.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants
from weft.fleet.quantity import Num

__all__ = ["Swing", "tornado"]


@dataclass(frozen=True, slots=True)
class Swing:
    """A result with one constant at its low and at its high."""

    key: str
    low: float
    """Result with the constant at its low."""
    high: float
    base: float
    constant_low: float
    constant_high: float
    unit: str
    source: str

    @property
    def width(self) -> float:
        """Size of the swing."""
        return abs(self.high - self.low)


def tornado(
    constants: Constants,
    keys: Iterable[str],
    result: Callable[[Constants], Num],
    *,
    keep: int = 12,
) -> tuple[Swing, ...]:
    """The `keep` constants whose range moves `result` most, widest first.

    Parameters
    ----------
    constants : Constants
        Central values.
    result : function
        Computes the number of interest from constants; called once, with arrays.
    """
    ranged = [
        key
        for key in sorted(keys)
        if (q := constants.quantity(key)).low < q.high and q.confidence != "unconfirmed"
    ]
    if not ranged:
        return ()
    size = 2 * len(ranged) + 1
    values: dict[str, Num] = {}
    for index, key in enumerate(ranged):
        quantity = constants.quantity(key)
        column = np.full(size, quantity.value)
        column[2 * index], column[2 * index + 1] = quantity.low, quantity.high
        values[key] = column
    out = np.broadcast_to(np.asarray(result(constants.replace(values)), float), (size,))
    swings = []
    for index, key in enumerate(ranged):
        quantity = constants.quantity(key)
        swings.append(
            Swing(
                key=key,
                low=float(out[2 * index]),
                high=float(out[2 * index + 1]),
                base=float(out[-1]),
                constant_low=quantity.low,
                constant_high=quantity.high,
                unit=quantity.unit,
                source=quantity.source,
            )
        )
    swings.sort(key=lambda s: -s.width)
    return tuple(s for s in swings[:keep] if s.width > 0)
