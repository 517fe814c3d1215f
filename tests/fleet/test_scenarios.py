"""Scenario files: strictness, answers, bands, refusals, tables, speed."""

import json

import numpy as np
import pytest
from weft.fleet import Scenario, default_constants, gpu, model, scenario_names
from weft.fleet.bands import Band
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.scenarios.result import HEADLINES
from weft.fleet.training import Layout, goodput, train_step

TRAIN = """
name = "small"
[chip]
name = "h100_sxm"
count = 64
[model]
name = "llama3-8b"
[training]
global_batch = 128
seq = 8192
tensor = 2
data = 32
"""

SERVE = """
name = "answers"
[chip]
name = "h100_sxm"
count = 16
[model]
name = "llama3-70b"
[serving]
input_tokens = 1024
output_tokens = 256
tensor = 4
"""


def change(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize("text", [TRAIN, SERVE])
def test_every_headline_key_has_three_ordered_percentiles(text):
    """A key missing from --json, or a band whose ends are swapped."""
    data = json.loads(Scenario.loads(text).run(draws=300, compare=False).to_json())
    for key in HEADLINES:
        band = data[key]
        assert 0 < band["p5"] <= band["p50"] <= band["p95"], key
    assert list(data["power_w"]) == ["chip", "node", "site"]
    watts = [data["power_w"][k]["p50"] for k in ("chip", "node", "site")]
    assert watts == sorted(watts)
    assert len(data["provenance"]) > 40
    assert all(record["source"] for record in data["provenance"])


def test_training_by_hand():
    """Tokens counted without failures, power of another step, or a chip counted twice."""
    side = Scenario.loads(TRAIN).point()
    c = default_constants()
    machine, shape = gpu("h100_sxm", c), model("llama3-8b")
    step = train_step(machine, shape, Layout(global_batch=128, seq=8192, tensor=2, data=32), c)
    live = goodput(machine, shape, 64, c).effective_share
    work = side.main.work
    stretch = work.step_s / step.step_s
    assert 1.0 <= stretch < 1.1
    assert work.tokens_per_s == pytest.approx(128 * 8192 / work.step_s * live)
    assert side.main.tokens_per_joule == pytest.approx(work.tokens_per_s / side.site_w)
    assert machine.idle_power_w < work.chip_w <= machine.board_power_max_w
    assert sum(share for _, share in work.waterfall) == pytest.approx(1.0, abs=1e-9)


def test_waterfall_of_serving_adds_up():
    """A loss that is counted twice or not at all."""
    work = Scenario.loads(SERVE).point().main.work
    assert sum(share for _, share in work.waterfall) == pytest.approx(1.0, abs=1e-6)
    assert dict(work.waterfall)["delivered"] == pytest.approx(work.mfu)


def test_own_shape_and_own_facts():
    """A model that must be in the library, or a fact that is read and then ignored."""
    shape = """
[model]
layers = 32
d_model = 4096
d_ff = 14336
heads = 32
kv_heads = 8
vocab = 128256
"""
    text = change(TRAIN, '[model]\nname = "llama3-8b"\n', shape)
    named, given = Scenario.loads(TRAIN).point(), Scenario.loads(text).point()
    assert given.main.work.tokens_per_s == pytest.approx(named.main.work.tokens_per_s)
    fact = """
[[fact]]
key = "money.any.electricity_usd_per_kwh"
value = 0.8
low = 0.8
high = 0.8
unit = "USD/kWh"
source = "a contract"
locator = "page 1"
date = "2026-11"
confidence = "published"
"""
    dear = Scenario.loads(TRAIN + fact).point()
    ratio = dear.main.bill.cost.energy_usd_per_year / named.main.bill.cost.energy_usd_per_year
    assert ratio == pytest.approx(0.8 / 0.08)
    with pytest.raises(FleetError, match=r"<text>:14: missing key 'fact\.source'"):
        Scenario.loads(TRAIN + change(fact, 'source = "a contract"\n', ""))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count = 64", "kount = 64", r"<text>:5: unknown key 'chip\.kount'; did you mean 'count'"),
        ("count = 64", "count = -8", r"<text>:5: chip\.count must be positive, not -8"),
        ("count = 64", 'count = "64 chips"', r"<text>:5: 'chip\.count' must be int"),
        ("global_batch = 128\n", "", r"missing key 'training\.global_batch'"),
        ('name = "h100_sxm"\n', "", r"missing key 'chip\.name'"),
        ("h100_sxm", "h100_pcie", "no GPU 'h100_pcie'"),
        ('name = "llama3-8b"', 'name = "llama9"', "no model 'llama9'"),
        ('name = "llama3-8b"', "layers = 32", r"\[model\] needs d_model, heads, vocab"),
        ("data = 32", 'data = 32\nprecision = "fp7"', "has no fp7 peak"),
        ('name = "h100_sxm"', 'name = "h100_sxm"\narray = 64', "describes a Weft chip"),
    ],
)
def test_bad_input_is_refused_with_the_line(old, new, message):
    """A mistake in the file that yields a plausible number."""
    with pytest.raises(FleetError, match=message):
        Scenario.loads(change(TRAIN, old, new)).point()


@pytest.mark.parametrize(
    ("base", "old", "new", "reason", "nearest"),
    [
        (TRAIN, "tensor = 2", "tensor = 3", "must divide the heads", "tensor = 2"),
        (TRAIN, "data = 32", "data = 64", "must equal the 64 chips", "data = 32"),
        (TRAIN, "tensor = 2\ndata = 32", "data = 64", "needs .* GB per chip", "recompute = "),
        (TRAIN, "count = 64", "count = 65", "whole nodes of 8", "count = 64"),
        (
            TRAIN,
            "count = 64",
            "count = 64\npower_limit_w = 50.0",
            "not above the idle power",
            "power_limit_w = 140",
        ),
        (TRAIN, "[model]", "[site]\npower_limit_mw = 0.05\n[model]", "draw", "count = "),
        (TRAIN, "[model]", "[site]\npower_limit_mw = 0.001\n[model]", "idle", "count = "),
        (SERVE, "tensor = 4", "tensor = 4\nrequests_per_s = 1e5", "saturates", "requests_per_s"),
        (SERVE, "tensor = 4", "tensor = 1\nbatch = 500", "do not fit|GB to give", "="),
        (SERVE, "tensor = 4", "tensor = 4\ntpot_s = 1e-4", "no load meets", "tpot_s"),
        (SERVE, "count = 16", "count = 2", "more than the 2 there are", "count = 4"),
    ],
)
def test_infeasible_names_the_nearest_that_works(base, old, new, reason, nearest):
    """An impossible layout, load or limit answered with numbers."""
    with pytest.raises(InfeasibleError, match=reason) as caught:
        Scenario.loads(change(base, old, new)).point()
    assert nearest in caught.value.nearest


def test_power_limit_below_the_board_costs_time():
    """A cap that saves power and slows nothing."""
    free = Scenario.loads(TRAIN).point().main.work
    capped = (
        Scenario.loads(change(TRAIN, "count = 64", "count = 64\npower_limit_w = 350.0"))
        .point()
        .main.work
    )
    assert capped.chip_w <= 350.0 + 1e-9
    assert capped.step_s > free.step_s


def test_rival_that_cannot_do_the_work():
    """A case whose answer is lost because a chip nobody asked for cannot run it."""
    text = change(TRAIN, "data = 32", 'data = 32\nprecision = "fp32"')
    result = Scenario.loads(text).run(draws=50)
    assert result.rival is None
    assert "no fp32 peak" in result.refused
    with pytest.raises(FleetError, match="no fp32 peak"):
        Scenario.loads(text + '[rival]\nname = "weft"\n').run(draws=50)


def test_search_finds_at_least_the_given_layout():
    """`search = true` that returns the layout of the file, or a slower one."""
    given = Scenario.loads(TRAIN).point().main.work
    found = Scenario.loads(change(TRAIN, "data = 32", "data = 32\nsearch = true")).point()
    assert found.main.work.tokens_per_s >= given.tokens_per_s * 0.999


def test_tables():
    """pandas and Arrow tables that disagree, or lose a chip."""
    result = Scenario.loads(SERVE).run(draws=200)
    frame, arrow = result.table(), result.arrow()
    assert len(frame) == arrow.num_rows == 2 * (len(HEADLINES) + 3)
    assert set(frame["role"]) == {"built", "rival"}
    assert (frame["p5"] <= frame["p95"]).all()


def test_bands():
    """Percentiles of draws with an endless queue that become NaN."""
    band = Band.of(np.array([1.0, 2.0, 3.0, np.inf, np.inf]))
    assert (band.p5, band.p50, band.p95) == (1.0, 3.0, np.inf)
    assert Band.of(2.0) == Band(2.0, 2.0, 2.0)
    assert Band(1.0, 2.0, 3.0).half_width_share == 0.5
    assert Band(1.0, 2.0, 3.0).holds(3.0)


def test_names_and_unknown_name():
    """A fleet of the news without a scenario."""
    assert scenario_names() == [
        "gigafactory",
        "hyperion",
        "memphis",
        "meta-compute",
        "prometheus",
        "stargate",
    ]
    with pytest.raises(FleetError, match="no scenario 'atlantis'; there are gigafactory"):
        Scenario.load("atlantis")


def test_draws_are_as_many_as_asked():
    """Draws lost on the way to the bands."""
    assert Scenario.load("memphis").run(draws=10_000).draws == 10_000


def test_ranking_takes_its_share_of_the_chips():
    """Chips counted twice, or recommendation left out of the power of the site."""
    text = TRAIN + "[ranking]\nshare = 0.25\n"
    with pytest.raises(InfeasibleError, match="must equal the 48 chips"):
        Scenario.loads(text).point()
    side = Scenario.loads(change(text, "data = 32", "data = 16")).point()
    assert {k: a.work.chips for k, a in side.answers.items()} == {"training": 48, "ranking": 16}
    ranking = side.answers["ranking"]
    assert side.site_w == pytest.approx(side.main.site.site_w + ranking.site.site_w)
    assert sum(share for _, share in ranking.work.waterfall) == pytest.approx(1.0)
    with pytest.raises(FleetError, match=r"<text>:14: ranking\.share must be at most 1, not 1\.5"):
        Scenario.loads(change(text, "0.25", "1.5"))
