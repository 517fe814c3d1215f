"""Recommendation inference: tables, gathers, refusals."""

import numpy as np
import pytest
from weft.fleet.constants import default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import gpu
from weft.fleet.serving import RecommendShape, dlrm_dcnv2, recommend
from weft.fleet.weft_chip import weft_chip

C = default_constants()
H100 = gpu("h100_sxm", C)
SMALL = RecommendShape("small", (1000, 2000), (3, 1), 64, 13, (128, 64), (256, 1))


def test_the_mlperf_model_has_its_published_size():
    """Tables or layers mistyped: about 100 GB of fp32 tables, 214 lookups a sample."""
    shape = dlrm_dcnv2()
    assert shape.embedding_params * 4 / 1e9 == pytest.approx(104.6, rel=0.02)
    assert sum(shape.lookups) == 214
    assert shape.interaction_width == 27 * 128


def test_counts_of_a_batch():
    """Gathers of 64-byte bursts and products of all layers."""
    result = recommend(H100, SMALL, C, batch=512, chips=1)
    dot = 512 * 2 * 3 * 64 * 3
    assert result.work.flops >= 512 * SMALL.flops_per_sample + dot
    gathers, pooled = 512 * 4 * 128, 512 * 2 * 64 * 2
    interaction = 512 * 2 * (2 * 3 * 64 + 9)
    layers = sum(2 * (512 * k + k * n + 512 * n) for _, k, n in SMALL.layers())
    assert result.work.memory_bytes == pytest.approx(gathers + pooled + interaction + layers)


def test_more_chips_more_samples_and_both_machines():
    """Chips without effect, or the Weft path broken."""
    shape = dlrm_dcnv2()
    four = recommend(H100, shape, C, batch=32768, chips=4).samples_per_s
    eight = recommend(H100, shape, C, batch=65536, chips=8).samples_per_s
    assert 1.5 < eight / four < 2.2
    chip = weft_chip("fleet", C)
    own = recommend(chip, shape, C, precision="int8", table_precision="int8")
    assert own.samples_per_s > 0


def test_the_mlperf_model_runs_at_the_known_order():
    """Gathers or batches priced several times over: 8-GPU H100 systems of MLPerf answer hundreds
    of thousands of queries of 270 pairs a second, so 10 to 30 million pairs a chip."""
    result = recommend(
        H100, dlrm_dcnv2(), C, batch=409_600, precision="fp8", table_precision="int8"
    )
    assert 14e6 < result.samples_per_s / 8 < 28e6


def test_sharing_tables_out_costs_an_exchange():
    """Sharded and replicated tables cost the same."""
    shape = dlrm_dcnv2()
    whole = recommend(H100, shape, C, batch=65536, table_precision="int8")
    parts = recommend(H100, shape, C, batch=65536, table_precision="int8", replicated=False)
    assert whole.work.network_bytes == 0
    assert parts.work.network_bytes == pytest.approx(65536 * 26 * 128 * 2 / 8 * 7 / 8)
    assert parts.samples_per_s < whole.samples_per_s
    with pytest.raises(InfeasibleError, match="one chip of h100_sxm gives"):
        recommend(H100, shape, C, table_precision="fp32", replicated=True)


def test_refusals_name_what_works():
    """Tables that do not fit, loads above saturation and missed latencies answered."""
    shape = dlrm_dcnv2()
    with pytest.raises(InfeasibleError, match="the tables of dlrm-dcnv2 take 105 GB") as error:
        recommend(H100, shape, C, chips=1, table_precision="fp32")
    assert error.value.nearest == "chips = 2"
    with pytest.raises(InfeasibleError, match="saturates 8 chips at") as error:
        recommend(H100, shape, C, load_samples_per_s=1e9)
    load = float(error.value.nearest.split("=")[1])
    result = recommend(H100, shape, C, load_samples_per_s=0.9 * load)
    assert result.utilisation < 1
    with pytest.raises(InfeasibleError, match="ms at batch = 8192 is above"):
        recommend(H100, shape, C, latency_s=1e-5)
    with pytest.raises(FleetError, match="load_samples_per_s must be positive"):
        recommend(H100, shape, C, load_samples_per_s=0.0)
    with pytest.raises(FleetError, match="one number per table"):
        RecommendShape("bad", (10,), (1, 1), 8, 1, (8,), (1,))


def test_draws():
    """Arrays of draws do not pass through."""
    drawn = C.sample(500, seed=2)
    result = recommend(gpu("h100_sxm", drawn), SMALL, drawn, chips=1)
    assert np.shape(result.samples_per_s) == (500,)
