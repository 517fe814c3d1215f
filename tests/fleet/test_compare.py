"""The comparison: four views, tornado, losses, pairs."""

from dataclasses import replace

import numpy as np
import pytest
from weft.fleet import Scenario, default_constants
from weft.fleet.compare import claims, compare_scenario, pair, tornado, views
from weft.fleet.errors import FleetError


@pytest.fixture(scope="module")
def case():
    scenario = Scenario.load("prometheus")
    c = scenario.constants().sample(1000, seed=1)
    return scenario, c, scenario.built(c), scenario.rival(c)


@pytest.fixture(scope="module")
def comparison(case):
    scenario, c, built, rival = case
    return compare_scenario(scenario, scenario.constants(), c, built, rival)


def view(rows, name, work="training"):
    (row,) = (v for v in rows if v.view == name and v.work == work)
    return row


def test_iso_views_are_equal_in_what_they_hold(comparison):
    """An iso-power fleet that draws other power, an iso-cost fleet that costs another sum."""
    for work in ("training", "serving"):
        power = view(comparison.views, "iso-power", work)
        assert power.site_w.p5 == pytest.approx(1.0)
        assert power.site_w.p95 == pytest.approx(1.0)
        assert power.tokens_per_s.p50 == pytest.approx(power.tokens_per_joule.p50)
        cost = view(comparison.views, "iso-cost", work)
        assert cost.usd_per_year.p5 == pytest.approx(1.0)
        assert cost.usd_per_year.p95 == pytest.approx(1.0)
        shipped = view(comparison.views, "as shipped", work)
        assert shipped.rival_chips.p50 == pytest.approx(shipped.built_chips, rel=0.01)


def test_node_normalised_moves_only_the_process(case):
    """A rival on a better process compared as if the architecture had done it."""
    scenario, c, built, _ = case
    newer = scenario.rival(c, replace(scenario.spec.rival, process="n3e"))
    rows = views(scenario, c, built, newer)
    shipped, moved = view(rows, "as shipped"), view(rows, "node-normalised")
    assert shipped.tokens_per_joule.p50 > moved.tokens_per_joule.p50
    assert moved.note == "rival energy at n5"
    same = view(views(scenario, c, built, scenario.rival(c)), "node-normalised")
    assert same.note == "same process class already"
    assert same.tokens_per_joule.p50 == pytest.approx(moved.tokens_per_joule.p50, rel=0.05)


def test_shared_draws_cancel(case):
    """A ratio of two independent bands instead of one band of ratios."""
    _, _, built, _ = case
    own = built.answers["training"].tokens_per_joule
    assert np.ptp(own / own) == 0.0
    assert np.ptp(own) > 0.0


def test_tornado_by_hand():
    """Swings of the wrong constant, or two constants moved at once."""
    c = default_constants()
    keys = ["money.any.discount_rate", "gpu.h100_sxm.hbm_gb", "money.any.it_life_years"]

    def result(k):
        return 10.0 * k["money.any.discount_rate"] + k["money.any.it_life_years"]

    swings = tornado(c, keys, result)
    rate, life = (c.quantity(k) for k in (keys[0], keys[2]))
    assert [s.key for s in swings] == [life.key, rate.key]
    assert swings[0].low == pytest.approx(10 * rate.value + life.low)
    assert swings[1].high == pytest.approx(10 * rate.high + life.value)
    assert swings[0].base == pytest.approx(10 * rate.value + life.value)
    assert tornado(c, ["gpu.h100_sxm.hbm_gb"], result) == ()


def test_tornado_agrees_with_one_at_a_time(case, comparison):
    """The vectorised pass differs from pricing each end alone."""
    scenario, *_ = case
    swing = comparison.tornado_energy[0]
    c = scenario.constants().replace({swing.key: swing.constant_high})
    one, other = scenario.built(c), scenario.rival(c)
    alone = other.main.tokens_per_joule / one.main.tokens_per_joule
    assert swing.high == pytest.approx(float(alone), rel=1e-6)
    widths = [s.width for s in comparison.tornado_energy]
    assert widths == sorted(widths, reverse=True)
    assert len(comparison.tornado_money) >= 5


def test_losses_name_what_is_not_built_and_where_the_chip_is_behind(comparison):
    """A comparison that hides that the hardware lacks the format it is priced with."""
    certain = [x.finding for x in comparison.losses if x.certainty == "certain"]
    assert any("is priced, and is in the RTL of other configurations" in x for x in certain)
    assert any("cannot train" in x for x in certain)
    assert any("memory bandwidth of a chip" in x for x in certain)
    assert any("nobody has made" in x for x in certain)
    fleet = [x for x in comparison.losses if "throughput of the fleet" in x.finding]
    assert any(x.certainty == "certain" for x in fleet)
    grades = [x.certainty for x in comparison.losses]
    assert grades == sorted(grades, key=["certain", "likely", "possible"].index)


def test_breakeven_is_a_volume(comparison):
    """A breakeven that is negative, or below one chip."""
    assert comparison.breakeven_chips.p5 > 100


def test_pairs():
    """Chips and scenarios mixed up, or different models compared."""
    chips = pair("h100_sxm", "mi300x")
    assert (chips.spec.chip.name, chips.spec.rival.name) == ("h100_sxm", "mi300x")
    swapped = pair("memphis", "h200_sxm")
    assert swapped.spec.rival.count == 100000
    two = pair("prometheus", "hyperion").run(draws=200)
    (row,) = (v for v in two.comparison.views if v.view == "iso-power" and v.work == "training")
    assert row.tokens_per_s.p50 == pytest.approx(1.0, abs=0.05)
    with pytest.raises(FleetError, match="compare scenarios of the same model"):
        pair("memphis", "prometheus")
    with pytest.raises(FleetError, match="cannot be compared with itself"):
        pair("memphis", "memphis")


def test_claims_beside_ours(comparison):
    """A published ratio without a source, or a verdict the wrong way round."""
    assert len(comparison.claims) == 3 * len(claims())
    for check in comparison.claims:
        assert check.claim.source
        assert 0 < check.claim.low <= check.claim.high
        ours, claim = check.ours, check.claim
        if check.verdict == "overlaps":
            assert ours.p5 <= claim.high
            assert ours.p95 >= claim.low
            continue
        dearer = claim.quantity == "usd_per_million_tokens"
        worse = ours.p50 > claim.high if dearer else ours.p50 < claim.low
        assert check.verdict == ("less favourable" if worse else "more favourable")


def test_one_off_cost_above_the_whole_budget():
    """An iso-cost row with billions of chips where there is no money for one."""
    spec = pair("h100_sxm", "weft").spec
    lone = Scenario(replace(spec, rival=replace(spec.rival, volume=None)))
    result = lone.run(draws=100)
    assert "iso-cost" not in {v.view for v in result.comparison.views}
    assert any("one-off design alone" in x.finding for x in result.comparison.losses)
    shared = pair("h100_sxm", "weft").run(draws=100)
    (row,) = (v for v in shared.comparison.views if v.view == "iso-cost")
    assert 0.1 < row.rival_chips.p50 / row.built_chips < 10
