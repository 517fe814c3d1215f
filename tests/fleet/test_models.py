"""Model shapes: parameter counts, cache bytes, operations per token."""

import tomllib
from importlib import resources

import pytest
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import gpu
from weft.fleet.models import ModelShape, model, model_names
from weft.fleet.workload import inference_pass, weight_bytes

DECLARED = {
    name: table["declared_params"]
    for name, table in tomllib.loads(
        (resources.files("weft.fleet") / "data" / "models.toml").read_text()
    ).items()
}


@pytest.mark.parametrize("name", model_names())
def test_computed_parameters_agree_with_the_declared(name):
    """A dimension is mistyped."""
    # the smallest model is declared as a rounded "1.7 billion"
    tolerance = 0.035 if name == "megatron-1.7b" else 0.015
    assert model(name).params == pytest.approx(DECLARED[name], rel=tolerance)


def test_known_caches_and_active_parameters():
    """GQA, MLA or expert routing is miscounted."""
    assert model("llama3-8b").kv_bytes_per_token() == 131072
    assert model("llama3-405b").kv_bytes_per_token() == 516096
    assert model("deepseek-v3").kv_bytes_per_token() == pytest.approx(70000, rel=0.01)
    assert model("deepseek-v3").active_params == pytest.approx(37e9, rel=0.03)
    assert model("llama4-maverick").active_params == pytest.approx(17e9, rel=0.03)
    dense = model("llama2-70b")
    assert dense.active_params == dense.params


def test_operations_per_token():
    """The numerator of MFU is off: 6 per parameter and 12 per layer, width and key."""
    m = model("gpt3-175b")
    body = m.params - m.vocab * m.d_model
    assert m.model_flops_per_token(2048) == pytest.approx(
        6 * body + 12 * m.layers * m.d_model * 2048
    )
    assert m.model_flops_per_token(2048, causal=True) < m.model_flops_per_token(2048)


def test_bad_shapes_are_refused():
    """Nonsense dimensions give a plausible number."""
    good = dict(name="x", layers=2, d_model=64, heads=4, vocab=100, d_ff=256)
    ModelShape(**good)
    for change, text in (
        ({"layers": 0}, "layers must be at least 1"),
        ({"heads": 5}, "must be a multiple of heads"),
        ({"kv_heads": 3}, "must be a multiple of kv_heads"),
        ({"experts": 8, "top_k": 9, "moe_d_ff": 64}, "top_k must be 1..experts"),
        ({"d_ff": 0}, "d_ff must be at least 1"),
    ):
        with pytest.raises(FleetError, match=text):
            ModelShape(**{**good, **change})
    with pytest.raises(FleetError, match="there is no model 'llama9'"):
        model("llama9")


def test_decode_reads_every_weight_and_the_cache_once():
    """Decode traffic is not weights plus cache."""
    llm = model("llama3-8b")
    step = inference_pass(
        gpu("h100_sxm"), llm, phase="decode", batch=64, context=2048, precision="fp8"
    )
    weights = weight_bytes(llm, "fp8") - llm.vocab * llm.d_model  # input embedding is a lookup
    cache = 64 * 2048 * llm.kv_bytes_per_token(1.0)
    assert step.total.memory_bytes == pytest.approx(weights + cache, rel=0.04)
    assert step.tokens == 64


def test_prefill_work_and_tensor_parallel_shares():
    """Tensor parallelism loses work or refuses nothing."""
    llm = model("llama3-70b")
    h100 = gpu("h100_sxm")
    one = inference_pass(h100, llm, phase="prefill", batch=1, context=2048)
    eight = inference_pass(h100, llm, phase="prefill", batch=1, context=2048, tp=8)
    share = one.total.flops / eight.total.flops
    assert share == pytest.approx(8, rel=0.02)
    assert eight.time_s < one.time_s
    assert eight.total.network_bytes > 0
    with pytest.raises(InfeasibleError, match=r"must divide the 64 heads.*tensor_parallel = 4"):
        inference_pass(h100, llm, phase="decode", batch=1, context=8, tp=5)
    with pytest.raises(FleetError, match="phase must be"):
        inference_pass(h100, llm, phase="dekode", batch=1, context=8)


def test_moe_reads_only_experts_in_use():
    """A batch of one reads all experts."""
    llm = model("deepseek-v3")
    h200 = gpu("h200_sxm")
    small = inference_pass(h200, llm, phase="decode", batch=1, context=128, precision="fp8")
    large = inference_pass(h200, llm, phase="decode", batch=512, context=128, precision="fp8")
    assert small.total.memory_bytes < 0.08 * large.total.memory_bytes
    assert small.total.memory_bytes == pytest.approx(llm.active_params, rel=0.06)
