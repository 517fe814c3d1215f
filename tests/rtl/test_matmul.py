"""Matmul engine with its memories: shapes around the array's size, commands in a row, faults."""

import cocotb
import numpy as np
import pytest
from harness_matmul import MatmulFixture, MatmulRig
from weft_hw.array.matmul import window_cycles
from weft_hw.array.systolic import array_latency
from weft_hw.isa import Status
from weft_hw.memory.accumulator import Accumulator
from weft_hw.presets import preset
from weft_sim.bench import run_bench

pytestmark = pytest.mark.rtl


def _random(rng, *shape):
    values = rng.integers(-128, 128, shape).astype(np.int8)
    if rng.random() < 0.3:
        values[...] = -128
    return values


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def every_shape_around_the_array_matches(dut):
    """A masked edge, a swapped weight or an accumulate at the wrong block."""
    chip = MatmulRig(dut, stalls=True)
    await chip.bench.reset()
    rng, size = chip.bench.rng, chip.tile.array_rows
    edges = [1, size - 1, size, size + 1, 2 * size + 3]
    shapes = [(m, k, n) for m in edges for k in edges for n in edges]
    rng.shuffle(shapes)
    for m, k, n in shapes[:40]:
        a, w = _random(rng, m, k), _random(rng, k, n)
        rows_a, rows_w = chip.matrix_rows(a), chip.matrix_rows(w)
        w_row = len(rows_a) + int(rng.integers(0, 8))
        await chip.write_rows(0, rows_a)
        await chip.write_rows(w_row, rows_w)
        # another reader of the same banks must not disturb the result
        chip.disturb.send(*[int(x) for x in rng.integers(0, chip.tile.scratchpad_rows, 50)])
        stride = m + int(rng.integers(0, 3))
        acc_row = int(rng.integers(0, chip.tile.accumulator_rows - stride * -(-n // size) - m))
        fields = {
            "m": m,
            "k": k,
            "n": n,
            "a_row": 0,
            "a_stride": -(-k // size),
            "w_row": w_row,
            "w_stride": -(-n // size),
            "acc_row": acc_row,
            "acc_stride": stride,
        }
        twice = int(rng.integers(0, 2))
        chip.submit(**fields)
        if twice:
            chip.submit(**fields, accumulate=1)
        for done in await chip.results(
            1 + twice, cycles=4 * window_cycles(chip.tile, m=m, k=k, n=n) + 500
        ):
            assert done["status"] == Status.OK, done
        await chip.bench.cycles(2)
        got = await chip.read_block(acc_row, stride, m, n)
        want = (1 + twice) * np.matmul(a.astype(np.int32), w.astype(np.int32))
        np.testing.assert_array_equal(got, want, err_msg=f"m={m} k={k} n={n} twice={twice}")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def window_is_the_closed_form(dut):
    """A bubble between blocks, or a stall that the formula does not know."""
    chip = MatmulRig(dut, stalls=False)
    await chip.bench.reset()
    rng, size, bank = chip.bench.rng, chip.tile.array_rows, chip.bank_units
    await chip.write_rows(0, _random(rng, 64, chip.tile.row_bytes))
    edges = [1, size - 1, size, size + 1, 3 * size + 5]
    for m, k, n in [(m, k, n) for m in edges for k in edges for n in edges]:
        seen = {"first": None, "last": None}

        def watch(seen=seen):
            cycle = chip.bench.cycle
            if seen["first"] is None and int(dut.first_read.value):
                seen["first"] = cycle
            if int(dut.last_write.value):
                seen["last"] = cycle
            return len(chip.dones.raw) == 1

        chip.submit(
            m=m, k=k, n=n, a_row=0, a_stride=1, w_row=bank, w_stride=1, acc_row=0, acc_stride=0
        )
        await chip.bench.until(watch, cycles=100_000, what=f"end of {m}x{k}x{n}")
        chip.dones.clear()
        # a command whose first weight rows are padding reads its first row that much later
        late = max(0, size - k)
        got = seen["last"] + Accumulator.update_latency(chip.tile) - seen["first"] + 1
        assert got == window_cycles(chip.tile, m=m, k=k, n=n) - late, (m, k, n, got)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def commands_follow_without_a_bubble(dut):
    """A cycle lost between two commands."""
    chip = MatmulRig(dut, stalls=False)
    await chip.bench.reset()
    rng, size = chip.bench.rng, chip.tile.array_rows
    bank = chip.bank_units
    await chip.write_rows(0, _random(rng, 64, chip.tile.row_bytes))
    for m in (1, size, size + 3):
        count, k, n = 6, 2 * size, 2 * size
        for _ in range(count):
            chip.submit(
                m=m, k=k, n=n, a_row=0, a_stride=1, w_row=bank, w_stride=1, acc_row=0, acc_stride=m
            )
        await chip.results(count, cycles=20_000)
    # measured: ends of equal commands are exactly their blocks apart
    m, k, n, count = size + 3, 2 * size, 2 * size, 8
    for _ in range(count):
        chip.submit(
            m=m, k=k, n=n, a_row=0, a_stride=1, w_row=bank, w_stride=1, acc_row=0, acc_stride=m
        )
    await chip.dones.take(count, cycles=20_000)
    gaps = np.diff(chip.dones.at)
    assert (gaps == 4 * m).all(), gaps


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def short_commands_keep_their_identity_and_order(dut):
    """An end with the next command's index, or a sum added to a row that is still being written."""
    chip = MatmulRig(dut, stalls=False)
    await chip.bench.reset()
    rng, size = chip.bench.rng, chip.tile.array_rows
    a, w = _random(rng, size + 4, size), _random(rng, size, size)
    bank = chip.bank_units
    await chip.write_rows(0, chip.matrix_rows(a))
    await chip.write_rows(bank, chip.matrix_rows(w))
    sums = a.astype(int) @ w.astype(int)
    want = np.zeros((size + 8, size), int)
    start = chip.index
    shared = {"k": size, "n": size, "a_stride": 1, "w_row": bank, "w_stride": 1, "acc_stride": 0}
    chip.submit(m=size + 4, a_row=0, acc_row=0, **shared)
    want[: size + 4] = sums
    for _ in range(60):
        m = int(rng.integers(1, size + 4))
        a_row, acc_row = int(rng.integers(0, size + 5 - m)), int(rng.integers(0, size + 5 - m))
        chip.submit(m=m, a_row=a_row, acc_row=acc_row, accumulate=1, **shared)
        want[acc_row : acc_row + m] += sums[a_row : a_row + m]
    ends = await chip.results(61, cycles=61 * (4 * size + 40))
    assert [end["index"] for end in ends] == list(range(start, start + 61))
    assert [end["signal"] for end in ends] == [index & 0xFFFF for index in range(start, start + 61)]
    await chip.bench.cycles(2)
    np.testing.assert_array_equal(await chip.read_block(0, 0, size + 4, size), want[: size + 4])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def columns_of_blocks_that_share_rows_add_up(dut):
    """A column of blocks that adds to a row which the column before is still writing."""
    chip = MatmulRig(dut, stalls=False)
    await chip.bench.reset()
    rng, size = chip.bench.rng, chip.tile.array_rows
    columns = 3
    for m in (1, 2, size - 1, size, size + 1, 2 * size + 3):
        for stride in sorted({0, 1, 2, m // 2, m - 3, m - 2, m - 1, m, m + 1} - {-2, -1}):
            k, accumulate = int(rng.choice([1, size, 2 * size + 1])), int(rng.integers(0, 4) > 0)
            a, w = _random(rng, m, k), _random(rng, k, columns * size)
            rows_a, rows_w = chip.matrix_rows(a), chip.matrix_rows(w)
            await chip.write_rows(0, rows_a)
            await chip.write_rows(chip.bank_units, rows_w)
            fields = {
                "m": m,
                "k": k,
                "a_row": 0,
                "a_stride": -(-k // size),
                "w_row": chip.bank_units,
                "w_stride": columns,
                "acc_row": 3,
            }
            # all rows that are added to are known
            rows = m + (columns - 1) * stride
            want = np.zeros((rows, size), int)
            for first in range(0, rows, m):
                at = min(first, rows - m)
                chip.submit(**{**fields, "acc_row": 3 + at}, n=size, acc_stride=0)
                want[at : at + m] = a.astype(int) @ w[:, :size]
            chip.submit(**fields, n=columns * size, acc_stride=stride, accumulate=accumulate)
            for column in range(columns):
                here = slice(column * stride, column * stride + m)
                part = a.astype(int) @ w[:, column * size : (column + 1) * size]
                want[here] = part + (want[here] if accumulate else 0)
            count = len(range(0, rows, m)) + 1
            for done in await chip.results(count, cycles=count * (30 * size + 20 * m) + 200):
                assert done["status"] == Status.OK, done
            await chip.bench.cycles(2)
            got = await chip.read_block(3, 0, rows, size)
            np.testing.assert_array_equal(got, want, err_msg=f"{m=} {k=} {stride=} {accumulate=}")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def faults_end_cleanly(dut):
    """A row beyond a memory that is accessed, blamed on another command, or stops the engine."""
    chip = MatmulRig(dut, stalls=True)
    await chip.bench.reset()
    rng, size, tile = chip.bench.rng, chip.tile.array_rows, chip.tile
    good = {
        "m": 5,
        "k": size + 1,
        "n": size + 1,
        "a_row": 0,
        "a_stride": 2,
        "w_row": 64,
        "w_stride": 2,
        "acc_row": 0,
        "acc_stride": 5,
    }
    bad = [
        ({"a_row": chip.units - 4}, Status.LOCAL_RANGE),
        ({"a_row": 2**32 - 1}, Status.LOCAL_RANGE),
        ({"w_row": chip.units - 2 * size}, Status.LOCAL_RANGE),
        ({"w_row": 2**31}, Status.LOCAL_RANGE),
        ({"w_stride": 65535}, Status.LOCAL_RANGE),
        ({"a_stride": 65535}, Status.LOCAL_RANGE),
        ({"acc_row": tile.accumulator_rows - 3}, Status.LOCAL_RANGE),
        ({"acc_row": 2**32 - 2}, Status.LOCAL_RANGE),
        ({"acc_stride": 65535}, Status.LOCAL_RANGE),
        ({"m": 0}, Status.ILLEGAL_FIELD),
        ({"k": 0}, Status.ILLEGAL_FIELD),
        ({"n": 0}, Status.ILLEGAL_FIELD),
    ]
    for change, status in bad:
        end = await chip.fault(good, change)
        assert end["status"] == status, (change, end)
    # and it still works
    a, w = _random(rng, 5, size + 1), _random(rng, size + 1, size + 1)
    await chip.write_rows(0, chip.matrix_rows(a))
    await chip.write_rows(64, chip.matrix_rows(w))
    chip.submit(**good)
    assert (await chip.results(1, cycles=2000))[0]["status"] == Status.OK
    await chip.bench.cycles(2)
    np.testing.assert_array_equal(
        await chip.read_block(0, 5, 5, size + 1), a.astype(int) @ w.astype(int)
    )


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def abort_answers_everything(dut):
    """An abort that loses a command or takes as long as the command."""
    chip = MatmulRig(dut, stalls=False)
    await chip.bench.reset()
    for wait in [int(x) for x in chip.bench.rng.integers(1, 200, 6)]:
        dut.engine__abort.value = 0
        for _ in range(3):
            chip.submit(
                m=60,
                k=65535,
                n=65535,
                a_row=0,
                a_stride=0,
                w_row=64,
                w_stride=0,
                acc_row=0,
                acc_stride=0,
            )
        await chip.bench.cycles(wait)
        dut.engine__abort.value = 1
        # those not yet accepted are the front end's business: it stops offering
        await chip.bench.cycles(array_latency(chip.tile) + 40)
        accepted = len(chip.commands.raw)
        chip.commands.reset()
        await chip.bench.cycles(5)
        ends = chip.dones.items
        chip.dones.clear()
        assert len(ends) == accepted, (accepted, ends)
        assert all(end["status"] == Status.ABORTED for end in ends), ends
        assert not int(dut.busy.value)


@pytest.mark.parametrize("name", ["nano", "ecp5", "micro"])
def test_matmul(name):
    run_bench(MatmulFixture(preset(name)), f"matmul_{name}", __name__, parameters={"preset": name})
