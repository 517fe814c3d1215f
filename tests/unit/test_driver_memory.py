"""The allocator of device memory."""

import numpy as np
import pytest
from weft import DeviceMemoryError
from weft.memory import ALIGNMENT_BYTES, Allocator


def test_blocks_do_not_overlap():
    """Two live blocks share bytes, or a block is misaligned, after many allocations and frees."""
    rng = np.random.default_rng(11)
    allocator = Allocator(4096, 4096 + 64 * 500)
    live: dict[int, int] = {}
    for _ in range(3000):
        if live and rng.random() < 0.5:
            address = rng.choice(list(live))
            allocator.free(int(address))
            del live[address]
            continue
        size = int(rng.integers(1, 2000))
        try:
            address = allocator.allocate(size)
        except DeviceMemoryError:
            continue
        assert address % ALIGNMENT_BYTES == 0
        assert 4096 <= address
        assert address + size <= allocator.limit
        for other, other_size in live.items():
            assert address + size <= other or other + other_size <= address
        live[address] = size
    for address in live:
        allocator.free(int(address))
    assert allocator.used_bytes == 0
    # everything has become one block again
    assert allocator.allocate(64 * 500) == 4096


def test_out_of_memory_says_what_is_left():
    """A full memory raises something without numbers."""
    allocator = Allocator(0, 640)
    allocator.allocate(320)
    with pytest.raises(
        DeviceMemoryError, match=r"no free block of 321 bytes \(largest 320, 320 free in all\)"
    ):
        allocator.allocate(321)


def test_free_twice():
    """A block freed twice is given to two owners."""
    allocator = Allocator(0, 640)
    address = allocator.allocate(1)
    allocator.free(address)
    with pytest.raises(ValueError, match="no allocated block begins at 0x0; was it freed before"):
        allocator.free(address)


def test_high_water():
    """The window shrinks below, or does not grow with, what was allocated."""
    allocator = Allocator(0, 6400)
    first = allocator.allocate(100)
    assert allocator.high_water == 128
    allocator.free(first)
    assert allocator.high_water == 128


@pytest.mark.parametrize(("base", "limit"), [(0, 0), (32, 640), (0, 100), (640, 64)])
def test_range(base, limit):
    """A heap that is empty or misaligned is accepted."""
    with pytest.raises(ValueError, match="heap must be a range aligned to 64 bytes"):
        Allocator(base, limit)
