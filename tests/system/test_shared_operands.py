"""Products whose tiles load operands for each other, right and left ones."""

import numpy as np
import pytest
from weft.compiler.check import check_program
from weft.gemm_operands import expected, random_operands
from weft.kernels import plan_matmul
from weft_sim.dram import Dram
from weft_sim.golden import matmul_int8

#: So slow that nothing should be read twice.
_DRAM = Dram(size_bytes=1 << 22, bytes_per_cycle=2)


@pytest.mark.parametrize(
    ("dtype", "m", "k", "n"),
    [
        ("int8", 64, 64, 64),
        ("int8", 60, 64, 48),  # parts that are no multiple of the array
        ("int8", 64, 256, 64),  # many pieces
        ("bf16", 64, 64, 64),
        ("mxfp8", 64, 64, 64),  # scales go with their operands
    ],
)
def test_bits(open_device, dtype, m, k, n):
    """A tile computes with a piece before it has come, or with one that is being replaced."""
    device = open_device("quad", debug=True, dram=_DRAM)
    a, b = random_operands(device.config, dtype, m, k, n, seed=k)
    planned = plan_matmul(device, a, b)
    assert planned.plan.sharing.sides == 2
    check_program(planned.plan.commands, balanced=True)
    planned.run(device).wait()
    want = expected(device.config, a, b, planned.plan.k_lengths)
    np.testing.assert_array_equal(planned.out.numpy().view(np.uint32), want.view(np.uint32))


def test_turned_operand(open_device):
    """Columns of a turned operand are sent as rows."""
    rng = np.random.default_rng(5)
    device = open_device("quad", debug=True, dram=_DRAM)
    a = rng.integers(-128, 128, (64, 128), np.int8)
    b = rng.integers(-128, 128, (64, 128), np.int8)
    planned = plan_matmul(device, a, b, transpose_b=True)
    assert planned.plan.sharing.tiles("b") == 2
    planned.run(device).wait()
    np.testing.assert_array_equal(planned.out, matmul_int8(a, np.ascontiguousarray(b.T)))
