"""Public facts of the fleets in the news."""

import pytest
from weft.fleet import Scenario, default_constants, scenario_names
from weft.fleet.scenarios.facts import QUANTITIES, check_facts, facts


@pytest.fixture(scope="module")
def checks():
    return check_facts("", default_constants().sample(4000, seed=1))


def test_every_fact_is_sourced_and_belongs_to_a_fleet():
    """A fact without a source, or of a fleet that has no scenario."""
    assert len(facts()) >= 20
    for fact in facts():
        assert fact.source
        assert fact.locator
        assert fact.date
        assert fact.low <= fact.value <= fact.high
    assert {f.fleet for f in facts()} == set(scenario_names())
    assert {f.quantity for f in facts()} == set(QUANTITIES)


def test_memphis_closes(checks):
    """The central check: 100,000 H100 and a 150 MW connection, within 10 %."""
    (check,) = (c for c in checks if "150 MW grid" in c.fact.fact)
    assert check.inside
    assert check.narrow
    assert check.ratio == pytest.approx(1.0, abs=0.10)


def test_most_facts_are_inside_narrow_bands(checks):
    """Bands so wide that anything fits, or a model that misses what is public."""
    inside = [c for c in checks if c.inside]
    assert len(inside) >= 18
    assert sum(c.narrow for c in inside) >= 16
    outside = {c.fact.fact for c in checks if not c.inside}
    assert outside


def test_both_readings_of_abilene_are_shown(checks):
    """One reading of a disputed number picked silently."""
    readings = {c.fact.note for c in checks if "Abilene, read" in c.fact.fact}
    assert readings == {"reading 1", "reading 2"}


def test_scenario_carries_its_own_facts():
    """A fleet checked against the facts of another."""
    result = Scenario.load("hyperion").run(draws=200, compare=False)
    assert {c.fact.fleet for c in result.facts} == {"hyperion"}
    low, high = 0.8 * 5e9, 1.1 * 5e9
    assert low < result.built.connected_w.p50 < high
