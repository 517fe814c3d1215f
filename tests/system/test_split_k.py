"""Small results of a long K: tiles share K, and partial sums go from tile to tile."""

import ml_dtypes
import numpy as np
import pytest
from operands import int8
from weft import Device
from weft.compiler.check import check_program
from weft.gemm_operands import expected, random_operands
from weft.kernels import plan_matmul
from weft_sim.dram import Dram
from weft_sim.golden import matmul_int8

_DRAM = Dram(size_bytes=1 << 22)
#: So slow that sums of several blocks are added up too, where tiles would share operands otherwise.
_SLOW = Dram(size_bytes=1 << 22, bytes_per_cycle=8)


def _run(device, a, b, **options):
    """The result, the plan, and what the golden has for it."""
    planned = plan_matmul(device, a, b, **options)
    assert len(planned.plan.k_lengths) > 1
    check_program(planned.plan.commands, balanced=True)
    planned.run(device).wait()
    return planned


@pytest.mark.parametrize(
    ("dtype", "m", "k", "n"),
    [
        ("int8", 16, 1024, 16),  # four tiles, a piece each
        ("int8", 5, 1003, 11),  # nothing is a multiple of anything
        ("int8", 1, 2048, 8),  # one row: one tile adds all
        ("int8", 64, 2048, 40),  # several blocks
        ("int4", 16, 2000, 32),
        ("bf16", 24, 1500, 20),
        ("bf16", 1, 777, 3),
        ("fp8e5m2", 16, 1100, 17),
        ("mxfp8", 16, 1056, 24),  # the last tile has fewer groups of a scale
    ],
)
def test_sums(open_device, dtype, m, k, n):
    """A partial sum is added twice, too late, in another order, or to another row."""
    device = open_device("quad", debug=True, dram=_DRAM)
    a, b = random_operands(device.config, dtype, m, k, n, seed=k)
    planned = _run(device, a, b)
    lengths = planned.plan.k_lengths
    assert sum(lengths) == k
    want = expected(device.config, a, b, lengths)
    np.testing.assert_array_equal(planned.out.numpy().view(np.uint32), want.view(np.uint32))


@pytest.mark.parametrize(("m", "k", "n", "dram"), [(16, 2000, 22, _DRAM), (40, 2000, 40, _SLOW)])
def test_bias(open_device, m, k, n, dram):
    """The bias is added by each tile, or to some blocks only."""
    rng = np.random.default_rng(3)
    device = open_device("quad", debug=True, dram=dram)
    a = int8(rng, m, k)
    b = int8(rng, k, n)
    bias = rng.integers(-(2**31), 2**31, n, np.int32)
    planned = _run(device, a, b, bias=bias)
    want = (matmul_int8(a, b).astype(np.int64) + bias).astype(np.int32)
    np.testing.assert_array_equal(planned.out, want)


@pytest.mark.parametrize(
    ("m", "k", "n", "dram"), [(16, 2048, 24, _DRAM), (8, 1100, 70, _DRAM), (40, 2048, 40, _SLOW)]
)
def test_epilogue(open_device, m, k, n, dram):
    """The epilogue takes sums from the accumulators, or the operands of another piece."""
    rng = np.random.default_rng([m, k, n])
    device = open_device("quad", debug=True, dram=dram)
    a, b = random_operands(device.config, "int8", m, k, n, seed=k)
    bias = rng.standard_normal(n).astype(np.float32)
    residual = rng.standard_normal((m, n)).astype(ml_dtypes.bfloat16)
    planned = _run(device, a, b, out_dtype="bfloat16", scale=2.0**-10, bias=bias, residual=residual)
    want = matmul_int8(a, b).astype(np.float32) * np.float32(2.0**-10) + bias
    want = (want + residual.astype(np.float32)).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(planned.out.numpy().view(np.uint16), want.view(np.uint16))


def test_one_after_the_other(open_device):
    """A product finds semaphores or programs as another one left them."""
    rng = np.random.default_rng(4)
    device = open_device("quad", debug=True, dram=_DRAM)
    for seed, (dtype, k) in enumerate((("int8", 1024), ("bf16", 1024), ("int8", 1100))):
        a, b = random_operands(device.config, dtype, 16, k, 16, seed=seed)
        planned = _run(device, a, b)
        want = expected(device.config, a, b, planned.plan.k_lengths)
        np.testing.assert_array_equal(planned.out.numpy().view(np.uint32), want.view(np.uint32))
        plain = int8(rng, 40, 40)
        np.testing.assert_array_equal(device.matmul(plain, plain), matmul_int8(plain, plain))


def test_turned_operand(open_device):
    """A tile takes rows of a turned operand where it should take columns."""
    rng = np.random.default_rng(5)
    device = open_device("quad", debug=True, dram=_DRAM)
    a = int8(rng, 16, 2048)
    b = int8(rng, 16, 2048)
    planned = _run(device, a, b, transpose_b=True)
    np.testing.assert_array_equal(planned.out, matmul_int8(a, np.ascontiguousarray(b.T)))


def test_sixteen_tiles():
    """Semaphores run out where many tiles add to one piece."""
    with Device("model", "mesh16", dram=_DRAM, debug=True) as device:
        for dtype, m, n in (("int8", 16, 16), ("bf16", 1, 8), ("int8", 32, 32)):
            a, b = random_operands(device.config, dtype, m, 4096, n, seed=m)
            planned = _run(device, a, b)
            want = expected(device.config, a, b, planned.plan.k_lengths)
            np.testing.assert_array_equal(planned.out.numpy().view(np.uint32), want.view(np.uint32))


def test_only_where_sums_can_be_added():
    """A chip without a vector processor is sent a program."""
    with Device("model", "quad", dram=_DRAM) as device:
        integers = device.config.replace_tile(formats=("int8",), transpose=False)
    rng = np.random.default_rng(6)
    a = int8(rng, 16, 2048)
    b = int8(rng, 2048, 16)
    with Device("model", integers, dram=_DRAM) as device:
        planned = plan_matmul(device, a, b)
        assert planned.plan.k_lengths == (2048,)
        planned.run(device).wait()
        np.testing.assert_array_equal(planned.out, matmul_int8(a, b))
