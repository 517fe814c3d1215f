"""Waiting before service: sequences in flight (a birth-death chain) and one prefill lane.

A replica with `n` sequences in flight finishes `mu(n)` requests a second, which flattens as
batches grow; arrivals are Poisson with rate `lam`; up to `c` are in flight, the rest wait. Chances
of `n` are products of `lam / mu(i)` (a processor-sharing queue: insensitive to the length
distribution); those waiting are geometric with ratio `lam / mu(c)`. Sums over `n` are taken on at
most `STATES` states, so that all draws go through at once.
"""

from dataclasses import dataclass

import numpy as np

from weft.fleet.quantity import Num

__all__ = ["InFlight", "in_flight", "lane_wait_quantile_s"]

STATES = 64


@dataclass(frozen=True, slots=True)
class InFlight:
    """Statistics of one replica at one load, per draw."""

    mean: np.ndarray
    """Sequences in flight."""
    quantile: np.ndarray
    """Sequences in flight at the quantile."""
    wait_probability: np.ndarray
    """Share of arrivals that find every slot taken."""
    wait_s: np.ndarray
    """Quantile of the wait for a slot; infinite where overloaded."""


def _states(batches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States 1..c (all, or `STATES` of them) and weights that interpolate log rates onto them."""
    most = int(batches[-1])
    states = np.unique(np.round(np.linspace(1, most, min(most, STATES))).astype(int))
    x, grid = np.log(states), np.log(batches)
    weights = np.stack([np.interp(x, grid, row) for row in np.eye(batches.size)], axis=1)
    return states, weights


def in_flight(
    batches: np.ndarray, requests_per_s: np.ndarray, load: Num, cv: Num, quantile: float
) -> InFlight:
    """Sequences in flight and the wait for a slot.

    Parameters
    ----------
    batches : (points,) ndarray of int
    requests_per_s : (points, draws) ndarray of float
        What a replica finishes with that many in flight.
    load : Num
        Arrivals per second at the replica.
    cv : Num
        Spread of the work of a request; scales the wait by `(1 + cv^2) / 2`.
    """
    states, weights = _states(batches)
    log_mu = weights @ np.log(requests_per_s)
    if states[0] < batches[0]:
        below = np.log(np.minimum(states / batches[0], 1.0))
        log_mu = log_mu + below[:, None]
    log_load = np.log(np.broadcast_to(np.asarray(load, float), log_mu.shape[1:]))
    gain = log_load - log_mu
    step = np.diff(states)[:, None]
    rise = 0.5 * (gain[1:] + gain[:-1]) * step + 0.5 * (gain[1:] - gain[:-1])
    level = np.concatenate([gain[:1], gain[:1] + np.cumsum(rise, axis=0)])
    peak = np.maximum(level.max(axis=0), 0.0)
    chance = np.exp(level - peak)
    share = np.empty(states.size)
    share[0], share[1:] = 1.0, np.diff(states)
    mass = chance * share[:, None]
    ratio = np.exp(gain[-1])
    stable = ratio < 1.0 - 1e-9
    room = np.where(stable, 1.0 - ratio, 1.0)
    tail = chance[-1] * ratio / room
    whole = np.exp(-peak) + mass.sum(axis=0) + tail
    waiting = np.where(stable, (chance[-1] + tail) / whole, 1.0)
    mean = ((mass * states[:, None]).sum(axis=0) + tail * states[-1]) / whole
    below_q = (np.exp(-peak) + np.cumsum(mass, axis=0)) / whole < quantile
    high = states[np.minimum(below_q.sum(axis=0), states.size - 1)]
    finish = np.exp(log_mu[-1])
    scale = 0.5 * (1.0 + np.asarray(cv) ** 2) / (finish * room)
    wait = scale * np.log(np.maximum(waiting / (1.0 - quantile), 1.0))
    full = float(states[-1])
    return InFlight(
        mean=np.where(stable, mean, full),
        quantile=np.where(stable, high, full),
        wait_probability=waiting,
        wait_s=np.where(stable, wait, np.inf),
    )


def lane_wait_quantile_s(utilisation: Num, service_s: Num, cv: float, quantile: float) -> Num:
    """Quantile of the wait in a single M/G/1 lane; infinite at utilisation 1."""
    room = 1.0 - utilisation
    mean = service_s * 0.5 * (1.0 + cv * cv) / np.maximum(room, 1e-12)
    wait = mean * np.log(np.maximum(utilisation / (1.0 - quantile), 1.0))
    return np.where(room > 0, wait, np.inf)
