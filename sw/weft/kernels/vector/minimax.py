"""Polynomials with the least largest error: where the kernels' coefficients come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.optimize import linprog

__all__ = ["minimax"]

_NODES = 4000


def minimax(
    function: Callable[[np.ndarray], np.ndarray],
    low: float,
    high: float,
    degree: int,
    *,
    weight: Callable[[np.ndarray], np.ndarray] | None = None,
    fixed: Mapping[int, float] | None = None,
) -> tuple[np.ndarray, float]:
    """The polynomial with the least largest ``|weight (p - f)|`` on ``low..high``, its coefficients
    from the constant on, by a linear program on 4,000 Chebyshev nodes.

    Parameters
    ----------
    function : callable
        of float64 arrays.
    weight : callable, optional
        ``1 / |f|``, the relative error, if left out.
    fixed : mapping of int to float, optional
        coefficients that are given.

    Returns
    -------
    (degree + 1,) ndarray of float64, and the largest weighted error
    """
    fixed = fixed or {}
    nodes = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    x = (low + high) / 2 - (high - low) / 2 * nodes
    wanted = function(x)
    weights = 1 / np.abs(wanted) if weight is None else weight(x)
    rest = wanted - sum(value * x**power for power, value in fixed.items())
    powers = [power for power in range(degree + 1) if power not in fixed]
    # in powers of x over its largest, for the solver's sake
    largest = max(abs(low), abs(high))
    terms = np.stack([weights * (x / largest) ** power for power in powers], axis=1)
    ones = np.ones((_NODES, 1))
    found = linprog(
        [*(0.0,) * len(powers), 1.0],
        A_ub=np.block([[terms, -ones], [-terms, -ones]]),
        b_ub=np.concatenate([weights * rest, -weights * rest]),
        bounds=[(None, None)] * len(powers) + [(0, None)],
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    coefficients = np.zeros(degree + 1)
    for power, value in fixed.items():
        coefficients[power] = value
    coefficients[powers] = found.x[:-1] / largest ** np.array(powers)
    return coefficients, float(found.x[-1])
