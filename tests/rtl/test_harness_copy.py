"""Copies by the test chip are bit-exact at all port widths, whatever the memory's timing."""

import numpy as np
import pytest
from harness_copy import NARROW, WIDE, copy_target, fill, start_copy, write

pytestmark = pytest.mark.rtl

#: Latency, bytes a cycle, stall probability.
TIMINGS = [(1, None, 0.0), (7, 3, 0.0), (40, None, 0.3), (100, 16, 0.7)]


@pytest.mark.parametrize("shape", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("timing", TIMINGS, ids=str)
@pytest.mark.parametrize("seed", [1, 2])
def test_copy_is_exact(shape, timing, seed):
    """A beat lost, repeated or put in the wrong place; a port that writes another's data."""
    rng = np.random.default_rng(seed)
    latency, rate, stall = timing
    engines = shape["memory_ports"] + 1
    with copy_target(
        shape,
        latency_cycles=latency,
        bytes_per_cycle=rate,
        stall_probability=stall,
        stall_seed=seed,
    ) as target:
        before = fill(target, rng)
        stride, burst, beats = 1 << 16, int(rng.choice([1, 4, 16, 32])), 256
        start_copy(
            target,
            source=0,
            destination=1 << 19,
            beats=beats,
            burst=burst,
            stride=stride,
            engines=(1 << engines) - 1,
        )
        want = before.copy()
        widths = [shape["memory_bytes"]] * shape["memory_ports"] + [shape["host_bytes"]]
        done = 0
        while done != (1 << engines) - 1:
            assert target.run(200_000)
            got = target.read_register(0x28)
            write(target, done=got)
            done |= got
        for engine, width in enumerate(widths):
            at, size = engine * stride, beats * width
            want[(1 << 19) + at : (1 << 19) + at + size] = before[at : at + size]
        np.testing.assert_array_equal(target.memory, want)
        counts = target.statistics()
        moved = shape["memory_ports"] * beats * shape["memory_bytes"]
        assert counts["bytes_read"] == counts["bytes_written"] == moved
        assert counts["beats_read"] == counts["beats_written"] == shape["memory_ports"] * beats
        assert counts["host_bytes_read"] == beats * shape["host_bytes"]
        assert counts["host_bytes_written"] == beats * shape["host_bytes"]


@pytest.mark.parametrize("shape", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("strobe", [0x1, 0xA, 0xF])
def test_bytes_not_strobed_stay(shape, strobe):
    """A write that changes bytes whose strobe is low, or counts them."""
    with copy_target(shape) as target:
        before = fill(target, np.random.default_rng(strobe))
        # the test chip leaves out the bytes of the mask, in the lowest 32 lanes of each beat
        start_copy(target, source=0, destination=1 << 16, beats=16, strobe=strobe)
        assert target.run(10_000)
        width, want = shape["memory_bytes"], before.copy()
        kept = [lane for lane in range(width) if not strobe >> lane & 1]
        for beat in range(16):
            for lane in kept:
                want[(1 << 16) + beat * width + lane] = before[beat * width + lane]
        np.testing.assert_array_equal(target.memory, want)
        assert target.statistics()["bytes_written"] == 16 * len(kept)


def test_memory_is_shared_without_a_copy():
    """A target that works on a copy of the array and writes it back, or the other way round."""
    with copy_target() as target:
        start_copy(target, source=0, destination=4096, beats=16)
        target.memory[:64] = np.arange(64, dtype=np.uint8)  # after the start, before the first beat
        assert target.run(1000)
        np.testing.assert_array_equal(target.memory[4096 : 4096 + 64], np.arange(64))
    np.testing.assert_array_equal(target.memory[:64], np.arange(64))  # still there when closed


def test_reset_keeps_memory_and_restarts_counts():
    """State of the chip or of a port that survives reset."""
    with copy_target() as target:
        before = fill(target, np.random.default_rng(3))
        start_copy(target, source=0, destination=4096, beats=256)
        target.run(100)  # in the middle of it
        target.reset()
        assert target.cycle == 0
        assert set(target.statistics().values()) == {0}
        assert not target.run(500)
        target.memory[:] = before
        start_copy(target, source=0, destination=1 << 16, beats=256)
        assert target.run(5000)
        want = before.copy()
        want[1 << 16 : (1 << 16) + 1024] = before[:1024]
        np.testing.assert_array_equal(target.memory, want)


def test_two_targets_and_two_designs_beside_each_other():
    """Globals of the model that two chips in one process share."""
    rng = np.random.default_rng(4)
    with copy_target() as one, copy_target(latency_cycles=50) as two, copy_target(WIDE) as three:
        targets = (one, two, three)
        before = [fill(target, rng) for target in targets]
        for target in targets:
            start_copy(target, source=0, destination=1 << 16, beats=256)
        running = set(targets)
        while running:
            running = {target for target in running if not target.run(10)}
        cycles = [target.cycle for target in targets]
        assert cycles[1] > cycles[0]
        for target, memory, width in zip(targets, before, (4, 4, 32), strict=True):
            size = 256 * width
            np.testing.assert_array_equal(target.memory[1 << 16 :][:size], memory[:size])


def test_runs_are_repeatable():
    """Timing that depends on anything but the parameters."""

    def cycles(seed):
        with copy_target(stall_probability=0.4, stall_seed=seed) as target:
            start_copy(target, source=0, destination=1 << 16, beats=256, engines=7)
            assert target.run(100_000)
            return target.cycle

    assert cycles(5) == cycles(5)
    assert len({cycles(seed) for seed in range(1, 9)}) > 1
