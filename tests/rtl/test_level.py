"""A level whose questions are answered by registers, which say what the level says."""

import cocotb
import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from weft_hw.streams.level import count
from weft_sim.bench import Bench, run_bench

pytestmark = pytest.mark.rtl

DEPTH, WIDE = 9, 3


class Level(wiring.Component):
    """Counts up to ``DEPTH``, up by one or by ``WIDE``."""

    def __init__(self) -> None:
        super().__init__(
            {
                "up": In(1),
                "wide": In(1),
                "down": In(1),
                "level": Out(4),
                "empty": Out(1, init=1),
                "full": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        by = Signal(range(WIDE + 1))
        m.d.comb += by.eq(Mux(self.wide, WIDE, 1))
        flags = [(self.empty, lambda items: items == 0), (self.full, lambda items: items == DEPTH)]
        count(m, self.level, up=self.up, by=by, down=self.down, flags=flags)
        return m


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def flags_say_what_the_level_says(dut):
    """A flag a cycle late, or wrong where the level goes up and down at once."""
    bench = Bench(dut)
    await bench.reset()
    level, seen = 0, set()
    for cycle in range(3000):
        rising = bench.rng.random() < (0.7 if cycle % 200 < 100 else 0.3)
        wide = rising and level + WIDE <= DEPTH and bench.rng.random() < 0.5
        rising = rising and level < DEPTH
        sinking = level > 0 and bench.rng.random() < 0.5
        dut.up.value, dut.wide.value, dut.down.value = int(rising), int(wide), int(sinking)
        await bench.cycles(1)
        # the values of before this edge
        seen.add((level, rising, wide, sinking))
        got = [int(signal.value) for signal in (dut.level, dut.empty, dut.full)]
        assert got == [level, level == 0, level == DEPTH], cycle
        level += (WIDE if wide else rising) - sinking
    assert len(seen) > 4 * DEPTH


def test_level() -> None:
    run_bench(Level(), "counted_level", __name__)
