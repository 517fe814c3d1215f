"""Serving: batching, memory, queues with objectives, layouts, speculation, refusals."""

import time
from dataclasses import replace

import numpy as np
import pytest
from weft.fleet.constants import default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import gpu
from weft.fleet.models import model
from weft.fleet.serving import (
    ServingPlan,
    Slo,
    Speculation,
    Traffic,
    max_load,
    plan_for,
    serve,
    serving_memory,
)
from weft.fleet.serving.iteration import iteration, serving_machine
from weft.fleet.weft_chip import weft_chip

C = default_constants()
H100 = gpu("h100_sxm", C)
LLAMA = model("llama2-70b")
CHAT = Traffic(250, 294)
PLAN = ServingPlan("fp8", tensor=2, max_batch=256)


def test_batches_trade_latency_for_throughput():
    """Continuous batching without its point: weights read once per iteration, not per sequence."""
    small = serve(H100, LLAMA, CHAT, replace(PLAN, max_batch=8), C)
    large = serve(H100, LLAMA, CHAT, PLAN, C)
    assert large.tokens_per_s > 8 * small.tokens_per_s
    assert large.tpot_s > small.tpot_s
    assert large.work.flops == pytest.approx(32 * small.work.flops, rel=0.05)


def test_counts_of_an_iteration():
    """An operator is missing or doubled: 2 operations per weight and token, weights read once."""
    machine = serving_machine(H100, ServingPlan("fp8"), C)
    plan = ServingPlan("fp8", tensor=2)
    work = iteration(machine, LLAMA, CHAT, plan, C, decode=64, prefill_tokens=0)
    dense = 2.0 * 64 * (LLAMA.params - LLAMA.vocab * LLAMA.d_model) / 2
    attention = 64 * 4.0 * LLAMA.layers * LLAMA.q_width * CHAT.mean_context / 2
    assert work.flops == pytest.approx(dense + attention, rel=0.02)
    weights = (LLAMA.params - LLAMA.vocab * LLAMA.d_model) / 2
    cache = 64 * LLAMA.kv_bytes_per_token(1.0) * CHAT.mean_context / 2
    assert work.memory_bytes > weights + cache
    assert work.memory_bytes < 1.35 * (weights + cache)
    fed = iteration(machine, LLAMA, CHAT, plan, C, decode=64, prefill_tokens=64)
    assert fed.memory_bytes < 1.2 * work.memory_bytes


def test_load_moves_latency_and_refusal_names_a_load_that_works():
    """Near saturation a plausible number instead of a refusal."""
    slo = Slo(ttft_s=1.0, tpot_s=0.1)
    best = max_load(H100, LLAMA, CHAT, PLAN, C, chips=8, slo=slo)
    light = serve(H100, LLAMA, CHAT, PLAN, C, chips=8, load_requests_per_s=0.3 * best, slo=slo)
    heavy = serve(H100, LLAMA, CHAT, PLAN, C, chips=8, load_requests_per_s=0.999 * best, slo=slo)
    assert light.ttft_s < heavy.ttft_s <= 1.0
    assert light.tpot_s < heavy.tpot_s <= heavy.tpot_quantile_s
    assert light.utilisation < heavy.utilisation < 1
    assert light.tokens_per_s == pytest.approx(0.3 * best * 294)
    with pytest.raises(InfeasibleError, match="saturates: 8 chips saturate at") as error:
        serve(H100, LLAMA, CHAT, PLAN, C, chips=8, load_requests_per_s=3 * best, slo=slo)
    nearest = float(error.value.nearest.split("=")[1])
    serve(H100, LLAMA, CHAT, PLAN, C, chips=8, load_requests_per_s=0.999 * nearest, slo=slo)


def test_objectives_refuse_with_what_can_be_had():
    """An impossible objective answered with numbers."""
    with pytest.raises(InfeasibleError, match="even one lone request") as error:
        serve(H100, LLAMA, CHAT, PLAN, C, slo=Slo(ttft_s=1e-4, tpot_s=1e-4))
    assert "tpot_s" in error.value.nearest
    top = max_load(H100, LLAMA, CHAT, PLAN, C)
    light = serve(H100, LLAMA, CHAT, PLAN, C, load_requests_per_s=0.2 * top)
    slow = Slo(tpot_s=1.2 * light.tpot_quantile_s)
    with pytest.raises(InfeasibleError, match="misses its objectives"):
        serve(H100, LLAMA, CHAT, PLAN, C, load_requests_per_s=0.9 * top, slo=slow)


@pytest.mark.parametrize(
    ("plan", "chips", "message", "nearest"),
    [
        (ServingPlan("bf16"), 1, "GB of weights", "tensor = 2"),
        (ServingPlan("fp8", tensor=3), 3, "must divide the 64 heads", "tensor_parallel = 2"),
        (ServingPlan("fp8", tensor=2, max_batch=10**6), 2, "do not fit", "max_batch = "),
        (ServingPlan("fp8", tensor=2), 7, "no whole number of replicas", "chips = 8"),
        (ServingPlan("fp8", tensor=2, expert=2), 4, "is dense", "expert = 1"),
        (ServingPlan("fp8", tensor=2, prefill_chips=8), 8, "must be whole", "prefill_chips = 6"),
    ],
)
def test_layouts_that_cannot_be(plan, chips, message, nearest):
    """A layout that does not fit or divide gives a number."""
    with pytest.raises(InfeasibleError, match=message) as error:
        serve(H100, LLAMA, CHAT, plan, C, chips=chips)
    assert nearest in error.value.nearest


def test_wrong_values_are_named():
    """Negative or empty inputs pass."""
    for make, text in (
        (lambda: Traffic(0, 1), "input_tokens must be at least 1"),
        (lambda: Traffic(1, 1, cached_input_share=1.0), "cached_input_share"),
        (lambda: Slo(ttft_s=-1.0), "ttft_s must be positive"),
        (lambda: Slo(quantile=1.0), "quantile must be"),
        (lambda: ServingPlan(tensor=0), "tensor must be at least 1"),
        (lambda: Speculation(0, 0.5), "draft_tokens"),
        (lambda: Speculation(2, 1.0), "acceptance"),
        (lambda: serve(H100, LLAMA, CHAT, PLAN, C, load_requests_per_s=-1.0), "positive"),
    ):
        with pytest.raises(FleetError, match=text):
            make()


def test_grouped_and_latent_caches():
    """The cache of GQA is divided by heads that share it; a latent cache is not divided by TP."""
    own = replace(LLAMA, kv_heads=64, name="mha")
    plan = ServingPlan("fp8", tensor=2)
    grouped = serving_memory(H100, LLAMA, CHAT, plan, C)
    many = serving_memory(H100, own, CHAT, plan, C)
    assert many.kv_bytes_per_sequence == pytest.approx(8 * grouped.kv_bytes_per_sequence)
    whole = LLAMA.kv_bytes_per_token(1.0) * (250 + 147)
    for tensor, shards in ((2, 2), (8, 8), (16, 8)):
        one = serving_memory(H100, LLAMA, CHAT, ServingPlan("fp8", tensor=tensor), C)
        assert one.kv_bytes_per_sequence == pytest.approx(whole / shards)
    deep, big = model("deepseek-v3"), gpu("b200_sxm", C)
    two = serving_memory(big, deep, CHAT, ServingPlan("fp8", tensor=8), C)
    four = serving_memory(big, deep, CHAT, ServingPlan("fp8", tensor=16), C)
    assert two.kv_bytes_per_sequence == four.kv_bytes_per_sequence
    assert two.weights_bytes == pytest.approx(2 * four.weights_bytes)


def test_experts_shared_over_chips():
    """Expert parallelism leaves every chip all experts, or moves nothing."""
    deep, big = model("deepseek-v3"), gpu("h200_sxm", C)
    plan = ServingPlan("fp8", expert=16)
    memory = serving_memory(big, deep, CHAT, plan, C)
    assert memory.weights_bytes < deep.params / 8
    work = iteration(
        serving_machine(big, plan, C), deep, CHAT, plan, C, decode=1024, prefill_tokens=0
    )
    per_layer = 64 * deep.top_k * deep.d_model * (1 + 2) * 15 / 16
    assert work.network_bytes == pytest.approx(deep.moe_layers * per_layer, rel=0.02)
    assert plan_for(big, deep, CHAT, C).expert > 1


def test_unswitched_nodes_and_several_nodes_lose():
    """Topology without effect: 4-GPU boards are wired in a mesh."""
    switched = serve(H100, LLAMA, CHAT, replace(PLAN, node_chips=4), C, chips=4)
    meshed = serve(H100, LLAMA, CHAT, replace(PLAN, node_chips=4, switched=False), C, chips=4)
    assert 0.75 < meshed.tokens_per_s / switched.tokens_per_s < 0.97
    spread = serve(H100, LLAMA, CHAT, replace(PLAN, nodes=2), C, chips=16)
    near = serve(H100, LLAMA, CHAT, PLAN, C, chips=16)
    share = 1 - C["serving.any.network_front_share"]
    assert spread.tokens_per_s == pytest.approx(share * near.tokens_per_s)


def test_speculation_pays_at_small_batches_only():
    """Accepted drafts are free, or never help."""
    spec = Speculation(4, 0.7, model("llama3-8b"))
    assert spec.tokens_per_check == pytest.approx(sum(0.7**i for i in range(5)))
    gain = []
    for batch in (4, 256):
        plain = serve(H100, LLAMA, CHAT, replace(PLAN, tensor=4, max_batch=batch), C)
        fast = serve(
            H100, LLAMA, CHAT, replace(PLAN, tensor=4, max_batch=batch, speculation=spec), C
        )
        gain.append(plain.tpot_s / fast.tpot_s)
    assert gain[0] > 1.2
    assert gain[1] < gain[0]


def test_disaggregation_is_bound_by_its_smaller_pool():
    """Chips counted in both pools, or a transfer for free."""
    long = Traffic(4000, 200)
    rates = [
        serve(
            H100, LLAMA, long, ServingPlan("fp8", tensor=2, prefill_chips=p), C, chips=16
        ).requests_per_s
        for p in (2, 4, 14)
    ]
    assert rates[1] == pytest.approx(2 * rates[0])
    assert rates[2] < 7 * rates[0]
    shared = serve(H100, LLAMA, long, ServingPlan("fp8", tensor=2), C, chips=16).requests_per_s
    assert max(rates) < shared * 1.2


def test_a_prefix_cache_saves_prefill_not_memory():
    """Cached tokens are computed again, or take no room."""
    plain, cached = Traffic(2000, 100), Traffic(2000, 100, cached_input_share=0.8)
    plan = ServingPlan("fp8", tensor=2)
    assert (
        serve(H100, LLAMA, cached, plan, C).tokens_per_s
        > 1.5 * serve(H100, LLAMA, plain, plan, C).tokens_per_s
    )
    assert serving_memory(H100, LLAMA, cached, plan, C) == serving_memory(
        H100, LLAMA, plain, plan, C
    )


def test_the_same_code_serves_on_weft():
    """The other kind of machine breaks."""
    chip = weft_chip("fleet", C)
    plan = plan_for(chip, LLAMA, CHAT, C, precision="int8")
    result = serve(chip, LLAMA, CHAT, plan, C, slo=Slo(2.0, 0.2))
    assert 0 < result.utilisation < 1
    assert result.tokens_per_s_per_chip > 0


def test_draws_go_through_at_once_and_in_time():
    """Ten thousand draws take longer than thirty seconds, one case longer than 50 ms."""
    drawn = C.sample(10_000, seed=3)
    start = time.process_time()
    result = serve(gpu("h100_sxm", drawn), LLAMA, CHAT, PLAN, drawn, slo=Slo(2.0, 0.2))
    assert time.process_time() - start < 10.0
    assert np.shape(result.ttft_s) == (10_000,)
    assert 0.5 < result.feasible_share <= 1.0
    centre = serve(H100, LLAMA, CHAT, PLAN, C, slo=Slo(2.0, 0.2))
    assert np.median(result.saturation_requests_per_s) == pytest.approx(
        centre.saturation_requests_per_s, rel=0.03
    )
    over = result.utilisation >= 1
    assert np.all(np.isinf(result.ttft_s[over]))
    best = min(_timed() for _ in range(3))
    assert best < 0.05


def _timed() -> float:
    start = time.process_time()
    serve(H100, LLAMA, CHAT, PLAN, C, chips=8)
    return time.process_time() - start
