"""Training: impossible layouts are refused, parts add up, scaling has the right direction."""

from dataclasses import replace

import numpy as np
import pytest
from weft.fleet.constants import default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import gpu
from weft.fleet.models import model
from weft.fleet.training import (
    Layout,
    check_layout,
    check_memory,
    goodput,
    memory_use,
    search_layout,
    train_step,
    training_run,
)
from weft.fleet.weft_chip import weft_chip

LLAMA = model("llama3-405b")
PRETRAIN = Layout(
    tensor=8, pipeline=16, data=128, global_batch=2048, interleave=8, seq=8192, zero=2
)
SMALL = Layout(tensor=8, data=16, global_batch=256, seq=8192, zero=2, recompute="selective")


@pytest.mark.parametrize(
    ("change", "reason", "nearest"),
    [
        ({"tensor": 3}, "tensor = 3 must divide the heads", "tensor = 2"),
        ({"pipeline": 17}, "must divide the 126 layers", "pipeline = 1[68]"),
        ({"pipeline": 127}, "exceeds the 126 layers", "pipeline = 126"),
        ({"interleave": 3}, "must divide the 8 layers of a stage", "interleave = [24]"),
        ({"global_batch": 2000}, "multiple of data x microbatch", "global_batch = 2048"),
        ({"global_batch": 1152, "data": 128}, "multiples of pipeline", "global_batch = 2048"),
        ({"context": 3}, "context = 3 must divide the sequence", "context = [24]"),
        ({"expert": 4}, "needs a mixture-of-experts", "expert = 1"),
        ({"tensor": 0}, "tensor = 0 must be at least 1", "tensor = 1"),
        ({"pipeline": 1}, "interleave > 1 needs a pipeline", "interleave = 1"),
    ],
)
def test_layouts_that_do_not_divide_name_the_nearest_that_does(change, reason, nearest):
    """A layout that does not divide gives a plausible number."""
    with pytest.raises(InfeasibleError, match=f"{reason}.*nearest feasible: {nearest}"):
        check_layout(LLAMA, replace(PRETRAIN, **change))


def test_layout_must_use_the_chips_and_known_policies():
    """Chips are counted twice; a policy is misspelt."""
    check_layout(LLAMA, PRETRAIN, 16384)
    with pytest.raises(InfeasibleError, match=r"must equal the 10000 chips.*data = 78"):
        check_layout(LLAMA, PRETRAIN, 10000)
    with pytest.raises(FleetError, match="recompute must be one of"):
        check_layout(LLAMA, replace(PRETRAIN, recompute="some"))
    with pytest.raises(FleetError, match="zero must be 0, 1, 2 or 3"):
        check_layout(LLAMA, replace(PRETRAIN, zero=4))


def test_memory_that_does_not_fit_is_refused_with_a_way_out():
    """A 405B model trains on one node."""
    h100 = gpu("h100_sxm")
    with pytest.raises(
        InfeasibleError, match=r"needs \d+\.\d GB per chip .* h100_sxm has 75\.2 GB"
    ):
        check_memory(h100, LLAMA, Layout(tensor=8, seq=8192))
    tight = replace(PRETRAIN, pipeline=4, data=512, interleave=1)
    with pytest.raises(InfeasibleError, match="nearest feasible: recompute = 'full'") as refused:
        train_step(h100, LLAMA, tight)
    check_memory(h100, LLAMA, replace(tight, recompute="full"))
    assert refused.value.nearest.startswith("recompute")


def test_memory_by_hand():
    """Optimizer state is forgotten or not sharded."""
    m = model("llama3-8b")
    zero0 = memory_use(m, Layout(data=8, global_batch=8, seq=1024, zero=0))
    assert zero0.weights_bytes == 2 * m.params - 2 * m.d_model or zero0.weights_bytes == (
        pytest.approx(2 * m.params, rel=1e-3)
    )
    assert zero0.optimizer_bytes == pytest.approx(12 * m.params, rel=1e-3)
    zero1 = memory_use(m, Layout(data=8, global_batch=8, seq=1024, zero=1))
    assert zero1.optimizer_bytes == pytest.approx(12 * m.params / 8, rel=1e-3)
    zero3 = memory_use(m, Layout(data=8, global_batch=8, seq=1024, zero=3))
    assert zero3.weights_bytes == pytest.approx(2 * m.params / 8, rel=1e-3)
    full = memory_use(m, Layout(data=8, global_batch=8, seq=1024, recompute="full"))
    assert full.activations_bytes < 0.5 * zero0.activations_bytes


def test_parts_add_up_to_the_step():
    """A part of the step is counted twice or not at all."""
    step = train_step(gpu("h100_sxm"), LLAMA, PRETRAIN)
    parts = (
        step.compute_s
        + step.recompute_s
        + step.tensor_network_s
        + step.pipeline_send_s
        + step.bubble_s
        + step.data_network_s
        + step.optimizer_s
        + step.slowdown_s
    )
    assert parts == pytest.approx(step.step_s, rel=1e-9)
    assert 0.2 < step.mfu < 0.6
    assert step.tokens_per_s == pytest.approx(2048 * 8192 / step.step_s)
    flops = step.tflops_per_chip * 1e12 * step.chips * step.step_s
    assert flops == pytest.approx(step.hardware_flops)


def test_bubble_follows_the_schedule():
    """The bubble ignores micro-batches or interleaving."""
    h100 = gpu("h100_sxm")
    base = train_step(h100, LLAMA, PRETRAIN)
    assert base.bubble_s / (base.compute_s + base.tensor_network_s + base.pipeline_send_s) == (
        pytest.approx(15 / 8 / 16, rel=1e-6)
    )
    flat = train_step(h100, LLAMA, replace(PRETRAIN, interleave=1), check_fit=False)
    assert flat.bubble_s > 7 * base.bubble_s
    more = train_step(h100, LLAMA, replace(PRETRAIN, global_batch=4096))
    assert more.mfu > base.mfu


def test_recompute_costs_time_and_saves_memory():
    """Recomputation is free, or counted as useful work."""
    a100, m = gpu("a100_sxm"), model("megatron-22b")
    base = Layout(tensor=8, global_batch=4, microbatch=4, fused_attention=False, precision="fp16")
    none = train_step(a100, m, base, check_fit=False)
    selective = train_step(a100, m, replace(base, recompute="selective"), check_fit=False)
    full = train_step(a100, m, replace(base, recompute="full"), check_fit=False)
    assert none.step_s < selective.step_s < full.step_s
    assert none.memory.activations_bytes > selective.memory.activations_bytes
    assert selective.memory.activations_bytes > full.memory.activations_bytes
    assert none.mfu > full.mfu
    assert full.hardware_flops > full.model_flops
    assert none.hardware_flops == none.model_flops


def test_slower_links_and_more_chips_cost():
    """Network and scale have no effect."""
    c = default_constants()
    h100 = gpu("h100_sxm", c)
    slow = gpu("h100_sxm", c.replace({"gpu.h100_sxm.scaleup_gb_per_s": 100.0}))
    assert train_step(slow, LLAMA, PRETRAIN).step_s > 1.2 * train_step(h100, LLAMA, PRETRAIN).step_s
    wide = train_step(h100, LLAMA, replace(PRETRAIN, data=256, global_batch=4096))
    assert wide.tokens_per_s < 2 * train_step(h100, LLAMA, PRETRAIN).tokens_per_s
    assert wide.mfu < train_step(h100, LLAMA, PRETRAIN).mfu


def test_experts_share_memory_and_pay_traffic():
    """Expert parallelism is free, or does nothing."""
    m = model("llama4-maverick")
    h200 = gpu("h200_sxm")
    base = Layout(tensor=4, data=256, global_batch=1024, seq=4096, zero=2)
    alone = train_step(h200, m, base, check_fit=False)
    spread = train_step(h200, m, replace(base, expert=64), check_fit=False)
    assert spread.memory.weights_bytes < 0.1 * alone.memory.weights_bytes
    assert spread.tensor_network_s > alone.tensor_network_s


def test_draws_vectorise():
    """The Monte Carlo path differs from single runs."""
    c = default_constants().sample(5, seed=2)
    many = train_step(gpu("h100_sxm", c), LLAMA, PRETRAIN, c)
    assert np.shape(many.step_s) == (5,)
    keys = [k for k in c if c.quantity(k).confidence != "unconfirmed"]
    for i in range(5):
        one = default_constants().replace({k: float(c[k][i]) for k in keys if np.ndim(c[k])})
        single = train_step(gpu("h100_sxm", one), LLAMA, PRETRAIN, one)
        assert float(single.step_s) == pytest.approx(float(many.step_s[i]), rel=1e-9)


def test_goodput_is_young_daly():
    """Failures cost nothing, or the interval is not the best one."""
    h100 = gpu("h100_sxm")
    g = goodput(h100, LLAMA, 16384)
    assert float(g.mtbf_h) == pytest.approx(3.09, rel=0.02)
    assert float(g.effective_share) > 0.90
    assert float(g.interval_s) == pytest.approx((2 * g.checkpoint_s * g.mtbf_h * 3600) ** 0.5)
    assert float(g.checkpoint_share) == pytest.approx(float(g.rework_share))
    assert goodput(h100, LLAMA, 100_000).effective_share < g.effective_share
    with pytest.raises(InfeasibleError, match=r"fail every .* faster than a checkpoint"):
        goodput(h100, LLAMA, 10_000_000)


def test_training_run_by_hand():
    """Chip-hours miss the lost time."""
    run = training_run(1e12, 1e6, 1000, 0.9)
    assert float(run.chip_hours) == pytest.approx(1e6 / 0.9 / 3600 * 1000)
    with pytest.raises(FleetError, match="tokens must be positive"):
        training_run(0, 1e6, 1000, 0.9)


def test_search_finds_what_meta_found_and_beats_hand_layouts():
    """The search misses the best layout, or returns one that does not fit."""
    h100 = gpu("h100_sxm")
    found = search_layout(h100, LLAMA, 16384, global_batch=2048, seq=8192, idle_share=0.0)
    best = found.best.layout
    assert (best.tensor, best.pipeline) == (8, 16)
    check_layout(LLAMA, best, 16384)
    check_memory(h100, LLAMA, best)
    assert found.best.tokens_per_s >= train_step(h100, LLAMA, PRETRAIN).tokens_per_s
    rates = [r.tokens_per_s for r in (found.best, *found.runners_up)]
    assert rates == sorted(rates, reverse=True)


def test_search_refuses_what_cannot_be():
    """The search returns something when nothing fits."""
    with pytest.raises(InfeasibleError, match=r"fits no layout of 16 h100_sxm chips.*chips = "):
        search_layout(gpu("h100_sxm"), LLAMA, 16, global_batch=16, seq=8192)
    with pytest.raises(InfeasibleError, match="divides llama3-405b and a batch of 3"):
        search_layout(gpu("h100_sxm"), LLAMA, 4096, global_batch=3, seq=8192)


def test_weft_trains_through_the_same_code():
    """Weft needs another model, or is granted bandwidth it lacks."""
    chip = weft_chip("fleet", formats=("int8", "bf16"))
    assert any("fleet is built without: bf16 (other" in note for note in chip.notes)
    found = search_layout(chip, model("llama3-70b"), 1024, global_batch=1024, seq=8192)
    assert 0.2 < found.best.mfu < 0.95
    with pytest.raises(FleetError, match="weft_fleet has no fp8 peak"):
        train_step(chip, model("llama3-70b"), replace(found.best.layout, precision="fp8"))
