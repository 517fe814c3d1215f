"""The golden of products whose K is shared out among tiles."""

import numpy as np
import pytest
from weft_sim.golden import fp32, matmul_float, matmul_split


def _bf16(rng, *shape):
    values = rng.standard_normal(shape).astype(np.float32)
    return (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def test_one_tile_is_the_array():
    """A tile that has all of K adds something."""
    rng = np.random.default_rng(1)
    a, w = _bf16(rng, 5, 37), _bf16(rng, 37, 9)
    whole = matmul_float(a, w, rows=8)
    np.testing.assert_array_equal(matmul_split(a, w, rows=8, lengths=(37,)), whole)


def test_order_of_additions():
    """Partial sums are added in another order than that of K."""
    # 2**24 + 1 is a tie that rounds to even: 2**24
    a = np.array([[2.0**12, 1.0, 1.0, 1.0]], np.float32)
    w = np.array([[2.0**12], [1.0], [1.0], [-1.0]], np.float32)
    expected = {
        (1, 1, 1, 1): 2**24 - 1,  # ((2**24 + 1) + 1) - 1, each rounded
        (2, 2): 2**24,  # (2**24 + 1) + (1 - 1)
        (1, 3): 2**24,  # 2**24 + ((1 + 1) - 1)
        (1, 2, 1): 2**24,  # (2**24 + (1 + 1)) - 1, a tie that rounds to even
        (4,): 2**24 - 1,  # the array's own order
    }
    for lengths, total in expected.items():
        assert int(matmul_split(a, w, rows=8, lengths=lengths).item()) == total, lengths


def test_every_sum_is_rounded():
    """Partial sums are added in more than fp32."""
    rng = np.random.default_rng(2)
    a, w = _bf16(rng, 11, 61), _bf16(rng, 61, 7)
    lengths = (16, 16, 16, 13)
    total, start = None, 0
    for length in lengths:
        part = matmul_float(
            np.ascontiguousarray(a[:, start : start + length]), w[start : start + length], rows=8
        )
        total = part if total is None else fp32.add(total, part)
        start += length
    found = matmul_split(a, w, rows=8, lengths=lengths)
    np.testing.assert_array_equal(found.view(np.uint32), total.view(np.uint32))


def test_subnormal_sums_and_nan():
    """A subnormal sum of partial sums stays, or a NaN keeps its bits."""
    tiny = np.float32(2.0**-126)
    a = np.array([[1.5 * tiny, -tiny], [np.inf, -np.inf]], np.float32)
    w = np.ones((2, 1), np.float32)
    found = matmul_split(a, w, rows=8, lengths=(1, 1)).view(np.uint32)
    assert found.tolist() == [[0], [0x7FC00000]]


@pytest.mark.parametrize("lengths", [(), (3,), (2, 3), (4, 0), (5, -1)])
def test_lengths(lengths):
    """Operands are left out or counted twice."""
    one = np.ones((2, 4), np.float32)
    with pytest.raises(ValueError, match="lengths must be positive and add up to 4"):
        matmul_split(one, np.ones((4, 2), np.float32), rows=8, lengths=lengths)
