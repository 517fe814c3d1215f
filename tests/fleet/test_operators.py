"""Machines and operators: counts by hand, bounds that physics sets, draws equal to scalars."""

import numpy as np
import pytest
from weft.fleet.constants import default_constants
from weft.fleet.errors import FleetError
from weft.fleet.machines import GPU_NAMES, WeftArray, gpu
from weft.fleet.operators import (
    all_gather,
    all_reduce,
    all_to_all,
    attention,
    embedding,
    gemm,
    point_to_point,
    total,
    vector_op,
)
from weft.fleet.operators.gemm_weft import weft_gemm_counts, weft_tile_cycles
from weft.fleet.weft_chip import weft_chip
from weft.synth.unit_costs import default_table

SHAPES = [
    (1, 4096, 4096),
    (64, 8192, 10240),
    (129, 257, 511),
    (4096, 4096, 4096),
    (16384, 12288, 12288),
]


@pytest.mark.parametrize("name", GPU_NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_gemm_beats_peak_or_memory(name, shape):
    """A kernel runs faster than its arithmetic or its bytes allow."""
    machine = gpu(name)
    cost = gemm(machine, *shape)
    m, k, n = shape
    assert cost.flops == 2 * m * k * n
    assert cost.memory_bytes == 2 * (m * k + k * n + m * n)
    assert cost.time_s > cost.flops / machine.peak("bf16")
    assert cost.time_s > cost.memory_bytes / machine.memory_bandwidth_bytes_per_s


def test_fp8_is_faster_than_bf16_and_absent_formats_are_refused():
    """A100 is priced with an fp8 peak it does not have."""
    h100 = gpu("h100_sxm")
    slow = gemm(h100, 4096, 8192, 8192).time_s
    fast = gemm(h100, 4096, 8192, 8192, precision="fp8").time_s
    assert 1.4 < slow / fast < 2.1
    with pytest.raises(FleetError, match="a100_sxm has no fp8 peak; it has"):
        gemm(gpu("a100_sxm"), 64, 64, 64, precision="fp8")
    with pytest.raises(FleetError, match="there is no GPU 'h300'"):
        gpu("h300")


def test_draws_give_the_scalar_answer():
    """The Monte Carlo path computes something else than the single run."""
    c = default_constants()
    names = [k for k in c if k.startswith(("eff.", "gpu.h100_sxm."))]
    same = c.replace(
        {k: np.full(7, c.quantity(k).value) for k in names if c.quantity(k).confidence[0] != "u"}
    )
    one, many = gpu("h100_sxm", c), gpu("h100_sxm", same)
    for shape in SHAPES:
        times = gemm(many, *shape).time_s
        assert np.shape(times) == (7,)
        np.testing.assert_allclose(times, gemm(one, *shape).time_s, rtol=1e-12)
    kwargs = dict(batch=2, queries=512, keys=512, heads=8, kv_heads=2, head_dim=128, causal=True)
    np.testing.assert_allclose(
        attention(many, **kwargs).time_s, attention(one, **kwargs).time_s, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("m", "k", "n", "cycles"),
    [
        (64, 64, 64, 64 + 64 + 130),  # exact fit: the weights, the rows, the fill
        (1, 64, 64, 64 + 1 + 130),  # one row
        (65, 64, 64, 64 + 65 + 130),  # one row more
        (64, 65, 64, 64 + 2 * 64 + 130),  # tail on K
        (1, 65, 64, 64 + 64 + 1 + 130),  # one row waits for the next weights
        (64, 64, 129, 64 + 3 * 64 + 130),  # tail on N
        (1000, 128, 128, 64 + 4 * 1000 + 130),
    ],
)
def test_weft_tile_cycles_by_hand(m, k, n, cycles):
    """The closed form of the array drifts from its definition."""
    assert weft_tile_cycles(m, k, n, 64, 64, 130) == cycles


def test_weft_chip_counts():
    """Work is lost or doubled when a product is shared among tiles."""
    array = WeftArray(4, 8, 8, 1e9, 64 * 1024, 16 * 1024, 100)
    counts = weft_gemm_counts(array, 64, 64, 64, 1.0, 1.0)
    assert counts.macs == 64**3
    ideal = 64**3 / (4 * 64)
    assert ideal <= counts.cycles <= ideal + 2 * 15 + 64
    batched = weft_gemm_counts(array, 64, 64, 64, 1.0, 1.0, batch=4)
    assert batched.macs == 4 * 64**3
    # four products on four tiles: one each
    assert batched.cycles == weft_tile_cycles(64, 64, 64, 8, 8, 0)
    # what does not fit half of the scratchpads is read again
    big = weft_gemm_counts(array, 1024, 1024, 1024, 1.0, 1.0)
    assert big.memory_bytes > 3 * 1024**2


def test_weft_memory_is_limited_by_its_own_endpoints():
    """The chip is priced with bandwidth its endpoints cannot carry."""
    chip = weft_chip("fleet")
    from weft_hw.presets import preset

    config = preset("fleet")
    ports = config.mesh.memory_endpoints * config.flit_bytes * chip.array.clock_hz
    assert chip.memory_bandwidth_bytes_per_s <= ports
    assert chip.peak("int8") == 2 * config.peak_macs_per_cycle * chip.array.clock_hz
    # 64 tiles of 128 x 128 at the clock that synthesis gives N5, by hand
    clock = default_table()["unit.n5.clock_ghz"].value * 1e9
    assert chip.peak("int8") == pytest.approx(2 * 64 * 128 * 128 * clock)
    assert 0.8e9 < clock < 1.6e9


def test_attention_counts():
    """Causal attention is charged in full, or the cache is not read."""
    h100 = gpu("h100_sxm")
    kwargs = dict(batch=3, heads=8, kv_heads=2, head_dim=128)
    full = attention(h100, queries=1024, keys=1024, **kwargs)
    causal = attention(h100, queries=1024, keys=1024, causal=True, **kwargs)
    assert full.flops == 4 * 3 * 8 * 1024 * 1024 * 128
    assert causal.flops == pytest.approx(full.flops * 1025 / 2048)
    decode = attention(h100, queries=1, keys=4096, **kwargs)
    cache = 3 * 2 * 2 * 4096 * 128 * 2
    assert decode.memory_bytes == pytest.approx(cache + 3 * 2 * 2 * 8 * 128)
    assert decode.bound == "memory"
    eight = attention(h100, queries=1, keys=4096, kv_bytes=1.0, **kwargs)
    assert eight.memory_bytes == pytest.approx(cache / 2 + 3 * 2 * 2 * 8 * 128)
    with pytest.raises(FleetError, match="multiple of kv_heads"):
        attention(h100, batch=1, queries=1, keys=8, heads=8, kv_heads=3, head_dim=64)


def test_collectives_have_the_right_limits():
    """A collective beats its links, or a group of one costs time."""
    h200 = gpu("h200_sxm")
    assert all_reduce(h200, 1e9, 1).time_s == 0
    assert all_gather(h200, 1e9, 8).time_s > 0.875e9 / 450e9
    inside, across = all_reduce(h200, 1e9, 8).time_s, all_reduce(h200, 1e9, 64).time_s
    assert across > inside
    assert all_reduce(h200, 1e9, 64).network_bytes > all_reduce(h200, 1e9, 8).network_bytes
    # each of 8 NICs carries an eighth of the buffer, twice
    assert across - inside > 2 * (7 / 8) * 1e9 / 8 / 50e9
    assert all_to_all(h200, 1e9, 64).time_s > (56 / 64) * 1e9 / 50e9
    assert point_to_point(h200, 1e9, inside=True).time_s < point_to_point(h200, 1e9).time_s
    with pytest.raises(FleetError, match="at least 1 chip"):
        all_reduce(h200, 1.0, 0)


def test_vector_operators_and_totals():
    """Bytes of a vector operator are miscounted."""
    a100 = gpu("a100_sxm")
    gelu = vector_op(a100, "gelu", 1e9)
    assert gelu.memory_bytes == 4e9
    softmax = vector_op(a100, "softmax", 1e9)
    assert softmax.time_s > gelu.time_s
    both = total([gelu, softmax])
    assert both.time_s == pytest.approx(gelu.time_s + softmax.time_s)
    assert both.calls == 2
    assert gelu.times(3).memory_bytes == 12e9
    rows = embedding(a100, 1000, 100)
    assert rows.memory_bytes == 1000 * (128 + 100)
    with pytest.raises(FleetError, match="vector operator must be one of"):
        vector_op(a100, "tanhh", 10)
    with pytest.raises(FleetError, match="gemm k must be at least 1"):
        gemm(a100, 1, 0, 1)
