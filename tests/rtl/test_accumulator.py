"""Accumulator: no update is lost, whoever else reads the bank."""

import cocotb
import numpy as np
import pytest
from weft_hw.memory.accumulator import Accumulator
from weft_hw.presets import preset
from weft_sim.bench import Bench, StreamMonitor, StreamSource, run_bench
from weft_sim.bench.pauses import random_pauses
from weft_sim.golden import fp32

pytestmark = pytest.mark.rtl


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def sums_accumulate_while_others_read(dut):
    """An update lost to a read of the same bank, or a read of a row half written."""
    bench = Bench(dut)
    tile = preset(bench.parameters["preset"]).tile
    rows, cols, sum_bits = tile.accumulator_rows, tile.array_cols, tile.column_sum_bits
    read = StreamSource(bench, "read__request", pause=random_pauses(bench.rng, 0.3))
    answers = StreamMonitor(bench, "read__response")
    await bench.reset()
    want = np.zeros((rows, cols), np.uint32)
    half = rows // 2
    limit = 1 << (sum_bits - 1)
    distance, latency = Accumulator.update_distance(tile), Accumulator.update_latency(tile)
    schedule = {}
    # overwrite 40 rows, then mostly add to them, never the same row within ``distance``
    used = [int(x) for x in bench.rng.choice(half, 40, replace=False)]
    order = used + [row for _ in range(6) for row in bench.rng.permutation(used).tolist()]
    cycle = 0
    last = {}
    for number, row in enumerate(order):
        cycle = max(
            cycle + 1 + int(bench.rng.random() < 0.2),
            last.get(row, -9) + distance,
        )
        last[row] = cycle
        sums = bench.rng.integers(-limit, limit, cols)
        # now and then a row starts anew among the additions
        adds = number >= len(used) and bench.rng.random() < 0.8
        floating = bool(tile.has_float and bench.rng.random() < 0.5)
        schedule[cycle] = (row, adds, sums, floating)
        want[row] = _sums(want[row], sums.astype(np.uint32), adds, floating)
    # a reader disturbs with reads of both halves
    read.send(*[int(x) for x in bench.rng.integers(0, rows, 100)])
    mask = (1 << sum_bits) - 1
    for now in range(cycle + latency + 2):
        row, adds, _, floating = schedule.get(now, (0, False, None, False))
        dut.update_valid.value, dut.update_row.value, dut.update_accumulate.value = (
            now in schedule,
            row,
            adds,
        )
        if tile.has_float:
            dut.update_floating.value = floating
        due = schedule.get(now - Accumulator.LOOKAHEAD)
        values = due[2] if due else bench.rng.integers(-limit, limit, cols)
        dut.sums.value = sum(
            (int(value) & mask) << (sum_bits * lane) for lane, value in enumerate(values)
        )
        await bench.cycles(1)
    dut.update_valid.value = 0
    await read.drained()
    await bench.cycles(latency)
    answers.reset()
    read.send(*used)
    await read.drained()
    await bench.cycles(3)
    got = [np.frombuffer(int(bits).to_bytes(4 * cols, "little"), "<u4") for bits in answers.raw]
    np.testing.assert_array_equal(np.array(got), want[used])


def _sums(before, sums, adds, floating):
    """(cols,) uint32: int32, or fp32 with subnormals flushed, on bits of any kind."""
    if not floating:
        return sums + (before if adds else np.uint32(0))
    with np.errstate(all="ignore"):
        # -0 leaves any number as it is
        start = before.view(np.float32) if adds else np.full(len(sums), -0.0, np.float32)
        return fp32.add(fp32.flush(start), fp32.flush(sums.view(np.float32))).view(np.uint32)


@pytest.mark.parametrize("name", ["nano", "ecp5", "micro"])
def test_accumulator(name):
    run_bench(
        Accumulator(preset(name)),
        f"accumulator_{name}",
        __name__,
        parameters={"preset": name},
        testcase="sums_accumulate_while_others_read",
    )
