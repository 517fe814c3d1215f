"""Scratchpad and accumulator: every client sees its own rows, in order, whoever shares a bank."""

import cocotb
import numpy as np
import pytest
from weft_hw.memory.accumulator import Accumulator
from weft_hw.memory.port import READ_LATENCY, WriteBeat
from weft_hw.memory.scratchpad import READERS, WRITERS, Scratchpad
from weft_hw.presets import preset
from weft_sim.bench import Bench, StreamMonitor, StreamSource, run_bench
from weft_sim.bench.pauses import random_pauses

pytestmark = pytest.mark.rtl


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def clients_read_what_was_written(dut):
    """A refused client with another's row, a grant without data, a write lost in a busy bank."""
    bench = Bench(dut)
    tile = preset(bench.parameters["preset"]).tile
    rows, bits = tile.scratchpad_rows, 8 * tile.row_bytes
    beat = WriteBeat(rows=rows, row_bits=bits)
    reads = {
        name: StreamSource(bench, f"read_{name}__request", pause=random_pauses(bench.rng, 0.2))
        for name in READERS
    }
    answers = {name: StreamMonitor(bench, f"read_{name}__response") for name in READERS}
    writes = {
        name: StreamSource(
            bench, f"write_{name}__request", beat, pause=random_pauses(bench.rng, 0.2)
        )
        for name in WRITERS
    }
    await bench.reset()
    # two writers, their own rows of the same banks
    contents = {}
    for number, (_, source) in enumerate(writes.items()):
        for row in bench.rng.choice(rows // 2, 150, replace=False):
            where = 2 * int(row) + number
            contents[where] = int.from_bytes(bench.rng.bytes(bits // 8), "little")
            source.send({"row": where, "data": contents[where]})
    for source in writes.values():
        await source.drained()
    await bench.cycles(1)
    # four readers, at random or all in one bank
    wanted = {}
    keys = sorted(contents)
    for name, source in reads.items():
        wanted[name] = [
            keys[i]
            for i in bench.rng.integers(0, len(keys) // (1 if bench.rng.random() < 0.5 else 8), 300)
        ]
        source.send(*wanted[name])
    for source in reads.values():
        await source.drained()
    await bench.cycles(READ_LATENCY + 1)
    for name in READERS:
        assert answers[name].raw == [contents[row] for row in wanted[name]], name
        delays = np.array(answers[name].at) - np.array(reads[name].at)
        assert (delays == READ_LATENCY).all(), (name, delays)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def the_array_is_never_refused(dut):
    """A stream of activations that loses a cycle to another client."""
    bench = Bench(dut)
    tile = preset(bench.parameters["preset"]).tile
    reads = {name: StreamSource(bench, f"read_{name}__request") for name in READERS}
    for name in READERS:
        StreamMonitor(bench, f"read_{name}__response")
    await bench.reset()
    for name, source in reads.items():
        source.send(
            *[
                int(x)
                for x in bench.rng.integers(0, tile.scratchpad_rows // tile.scratchpad_banks, 200)
            ]
        )
        assert name in READERS
    await reads["activations"].drained(cycles=210)
    at = np.array(reads["activations"].at)
    assert (np.diff(at) == 1).all()
    # all in one bank: strictly one after the other
    await reads["store"].drained(cycles=1000)
    order = [reads[name].at[-1] for name in READERS]
    assert order == sorted(order)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def sums_accumulate_while_others_read(dut):
    """An update lost to a read of the same bank, or a read of a row half written."""
    bench = Bench(dut)
    tile = preset(bench.parameters["preset"]).tile
    rows, cols, sum_bits = tile.accumulator_rows, tile.array_cols, tile.column_sum_bits
    read = StreamSource(bench, "read__request", pause=random_pauses(bench.rng, 0.3))
    answers = StreamMonitor(bench, "read__response")
    await bench.reset()
    want = np.zeros((rows, cols), np.int64)
    half = rows // 2
    limit = 1 << (sum_bits - 1)
    schedule = {}
    # overwrite 40 rows, then mostly add to them, never the same row within UPDATE_DISTANCE
    used = [int(x) for x in bench.rng.choice(half, 40, replace=False)]
    order = used + [row for _ in range(6) for row in bench.rng.permutation(used).tolist()]
    cycle = 0
    last = {}
    for number, row in enumerate(order):
        cycle = max(
            cycle + 1 + int(bench.rng.random() < 0.2),
            last.get(row, -9) + Accumulator.UPDATE_DISTANCE,
        )
        last[row] = cycle
        sums = bench.rng.integers(-limit, limit, cols)
        # now and then a row starts anew among the additions
        adds = number >= len(used) and bench.rng.random() < 0.8
        schedule[cycle] = (row, adds, sums)
        want[row] = sums + (want[row] if adds else 0)
    # a reader disturbs with reads of both halves
    read.send(*[int(x) for x in bench.rng.integers(0, rows, 100)])
    mask = (1 << sum_bits) - 1
    for now in range(cycle + Accumulator.UPDATE_LATENCY + 2):
        row, adds, _ = schedule.get(now, (0, False, None))
        dut.update_valid.value, dut.update_row.value, dut.update_accumulate.value = (
            now in schedule,
            row,
            adds,
        )
        due = schedule.get(now - Accumulator.LOOKAHEAD)
        values = due[2] if due else bench.rng.integers(-limit, limit, cols)
        dut.sums.value = sum(
            (int(value) & mask) << (sum_bits * lane) for lane, value in enumerate(values)
        )
        await bench.cycles(1)
    dut.update_valid.value = 0
    await read.drained()
    await bench.cycles(3)
    answers.reset()
    read.send(*used)
    await read.drained()
    await bench.cycles(3)
    got = [np.frombuffer(int(bits).to_bytes(4 * cols, "little"), "<i4") for bits in answers.raw]
    np.testing.assert_array_equal(np.array(got), want[used])


@pytest.mark.parametrize("name", ["nano", "quad"])
def test_scratchpad(name):
    run_bench(
        Scratchpad(preset(name)),
        f"scratchpad_{name}",
        __name__,
        parameters={"preset": name},
        testcase=["clients_read_what_was_written", "the_array_is_never_refused"],
    )


@pytest.mark.parametrize("name", ["nano", "quad"])
def test_accumulator(name):
    run_bench(
        Accumulator(preset(name)),
        f"accumulator_{name}",
        __name__,
        parameters={"preset": name},
        testcase="sums_accumulate_while_others_read",
    )
