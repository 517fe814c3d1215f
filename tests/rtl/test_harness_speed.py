"""What the harness costs: a cycle of the small test chip with three AXI ports, all of them busy."""

import time

import pytest
from harness_copy import NARROW, copy_target, start_copy

pytestmark = pytest.mark.rtl


def test_a_cycle_costs_less_than_a_microsecond(capsys):
    """A harness that is slower than the chips it drives."""
    with copy_target(NARROW, size_bytes=1 << 24) as target:
        start_copy(
            target, source=0, destination=1 << 23, beats=1 << 18, stride=1 << 21, engines=7
        )  # fmt: skip
        best_s = float("inf")
        for _ in range(20):
            started, cycle = time.thread_time(), target.cycle
            assert not target.run(10_000)
            best_s = min(best_s, (time.thread_time() - started) / (target.cycle - cycle))
    with capsys.disabled():
        print(f"\n  chip and harness: {best_s * 1e9:.0f} ns a cycle, three AXI ports busy")
    assert best_s < 1e-6
