"""Queues of serving: the closed forms against exact theory and against a simulated engine."""

import math

import numpy as np
import pytest
from weft.fleet.serving.queueing import in_flight, lane_wait_quantile_s


def erlang_c(slots: int, busy: float) -> float:
    """Exact share of waiting arrivals in M/M/c."""
    terms = [busy**n / math.factorial(n) for n in range(slots)]
    last = busy**slots / math.factorial(slots) / (1 - busy / slots)
    return last / (sum(terms) + last)


@pytest.mark.parametrize(("slots", "busy"), [(1, 0.5), (4, 3.0), (16, 14.0), (48, 40.0)])
def test_in_flight_is_exact_where_theory_is(slots, busy):
    """A wrong sum over states, or a wrong tail: with mu(n) = n the chain is M/M/c."""
    batches = np.arange(1, slots + 1) if slots > 1 else np.array([1])
    rates = batches[:, None].astype(float)
    got = in_flight(batches, rates, busy, 1.0, 0.99)
    chance = erlang_c(slots, busy)
    assert got.wait_probability[0] == pytest.approx(chance, rel=0.02)
    exact = max(0.0, math.log(chance / 0.01) / (slots - busy))
    assert got.wait_s[0] == pytest.approx(exact, rel=0.03, abs=1e-6)


def test_many_states_agree_with_few():
    """Sums over 64 of 900 states drift from the sum over all."""
    batches = np.array([1, 30, 900])
    rates = (batches / (0.04 + 0.0001 * batches))[:, None]
    load = 0.93 * rates[-1, 0]
    coarse = in_flight(batches, rates, load, 1.0, 0.99)
    every = np.arange(1, 901)
    mu = np.exp(np.interp(np.log(every), np.log(batches), np.log(rates[:, 0])))
    level = np.cumsum(np.log(load / mu))
    chance = np.exp(level - level.max())
    ratio = load / mu[-1]
    tail = chance[-1] * ratio / (1 - ratio)
    whole = np.exp(-level.max()) + chance.sum() + tail
    assert coarse.wait_probability[0] == pytest.approx((chance[-1] + tail) / whole, rel=0.1)
    mean = ((chance * every).sum() + tail * 900) / whole
    assert coarse.mean[0] == pytest.approx(mean, rel=0.02)


def test_the_chain_agrees_with_a_simulated_engine():
    """The closed form drifts from an engine that admits, iterates and finishes one by one."""
    slots, output, rng = 32, 40, np.random.default_rng(7)
    load = 0.85 * slots / ((0.02 + 0.001 * slots) * output)
    arrivals = np.cumsum(rng.exponential(1 / load, 6000))
    lengths = rng.geometric(1 / output, arrivals.size)
    clock, nxt, area = 0.0, 0, 0.0
    active: list[int] = []
    while nxt < arrivals.size:
        while nxt < arrivals.size and arrivals[nxt] <= clock and len(active) < slots:
            active.append(int(lengths[nxt]))
            nxt += 1
        if not active:
            clock = arrivals[nxt]
            continue
        step = 0.02 + 0.001 * len(active)
        area += step * len(active)
        clock += step
        active = [left - 1 for left in active if left > 1]
    batches = np.unique(np.round(np.geomspace(1, slots, 7)).astype(int))
    rates = (batches / ((0.02 + 0.001 * batches) * output))[:, None]
    got = in_flight(batches, rates, load, 1.0, 0.99)
    assert got.mean[0] == pytest.approx(area / clock, rel=0.1)


def test_lane_is_exact_for_exponential_service():
    """The lane's quantile: P(W > t) = rho exp(-(1 - rho) t / S) in M/M/1."""
    t = lane_wait_quantile_s(0.8, 2.0, 1.0, 0.99)
    assert 0.8 * math.exp(-0.2 * t / 2.0) == pytest.approx(0.01)
    assert lane_wait_quantile_s(1.0, 2.0, 1.0, 0.99) == np.inf
