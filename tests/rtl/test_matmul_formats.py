"""Matmul engine with every format: random commands of mixed formats, faults of formats."""

import cocotb
import numpy as np
import pytest
from harness_matmul import MatmulFixture, MatmulRig
from matmul_memory import OperandMemory
from weft_hw.array.matmul import window_cycles
from weft_hw.formats.table import Format, units_per_row
from weft_hw.isa import Status
from weft_hw.presets import preset
from weft_sim.bench import run_bench

pytestmark = pytest.mark.rtl

OPERANDS = (Format.INT8, Format.INT4, Format.BF16, Format.FP8E4M3, Format.FP8E5M2)
FP8 = (Format.FP8E4M3, Format.FP8E5M2)


async def _filled(dut, stalls):
    chip = MatmulRig(dut, stalls=stalls)
    await chip.bench.reset()
    memory = OperandMemory(chip.tile, chip.bench.rng)
    await chip.write_rows(0, memory.rows)
    return chip, memory


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def commands_of_mixed_formats_match(dut):
    """A part of a row or a format taken from the command before or after, a sum in the other kind
    of arithmetic, a row added to while it is still being written."""
    chip, memory = await _filled(dut, stalls=True)
    rng = chip.bench.rng
    for _ in range(12):
        commands = [memory.random_command(rng) for _ in range(8)]
        chip.disturb.send(*[int(x) for x in rng.integers(0, chip.tile.scratchpad_rows, 100)])
        for fields in commands:
            chip.submit(**fields)
            memory.apply(fields)
        cycles = sum(4 * window_cycles(chip.tile, m=c["m"], k=c["k"], n=c["n"]) for c in commands)
        for done in await chip.results(len(commands), cycles=cycles + 500):
            assert done["status"] == Status.OK, done
        await chip.bench.cycles(2)
        for fields in commands:
            await memory.check(chip, fields)


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def formats_follow_without_a_bubble(dut):
    """A cycle lost where the format changes, or a stream that waits for its block scales."""
    chip, _ = await _filled(dut, stalls=False)
    size, banks = chip.tile.array_rows, chip.tile.scratchpad_banks
    for m in (size, size + 3, 40):
        for _ in range(3):
            for number, code in enumerate(OPERANDS):
                bank = chip.tile.scratchpad_rows // banks
                units = bank * units_per_row(chip.tile, code)
                chip.submit(
                    m=m,
                    k=40,
                    n=size,
                    format=code,
                    scaled=int(code in FP8 and number % 2),
                    a_row=0,
                    a_stride=5,
                    w_row=units,
                    w_stride=1,
                    a_scale_row=2 * bank,
                    w_scale_row=2 * units,
                    a_scale_stride=3,
                    w_scale_stride=1,
                    acc_row=0,
                    acc_stride=m,
                )
        await chip.dones.take(3 * len(OPERANDS), cycles=20_000)
        gaps = np.diff(chip.dones.at)
        assert (gaps == 5 * m).all(), (m, gaps)
        chip.dones.clear()


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def faults_of_formats_end_cleanly(dut):
    """A unit counted as a row, scales beyond the memory that are read or blamed on another command,
    a format that is not built in."""
    chip, memory = await _filled(dut, stalls=True)
    tile = chip.tile
    good = {
        "m": 20,
        "k": 70,
        "n": 9,
        "format": Format.FP8E4M3,
        "scaled": 1,
        "a_row": 0,
        "a_stride": 9,
        "w_row": 1000,
        "w_stride": 2,
        "a_scale_row": 100,
        "a_scale_stride": 2,
        "w_scale_row": 4000,
        "w_scale_stride": 2,
        "acc_row": 0,
        "acc_stride": 20,
        "accumulate": 0,
    }
    rows = tile.scratchpad_rows
    bad = [
        ({"format": 5}, Status.ILLEGAL_FIELD, 0),
        ({"format": 6}, Status.ILLEGAL_FIELD, 0),
        ({"format": 15, "scaled": 0}, Status.ILLEGAL_FIELD, 0),
        *(({"format": c}, Status.ILLEGAL_FIELD, 0) for c in OPERANDS if c not in FP8),
        ({"a_scale_row": rows}, Status.LOCAL_RANGE, rows),
        ({"a_scale_row": 2**32 - 1}, Status.LOCAL_RANGE, rows),
        # two rows for 20 matrix rows, three groups along K
        ({"a_scale_row": rows - 5}, Status.LOCAL_RANGE, rows),
        ({"w_scale_row": 2 * rows - 5}, Status.LOCAL_RANGE, rows),
        ({"w_scale_row": 2**31}, Status.LOCAL_RANGE, rows),
        ({"w_scale_stride": 65535}, Status.LOCAL_RANGE, (4000 + 65535) // 2),
    ]
    for code in OPERANDS:
        units = units_per_row(tile, code)
        last = {"format": code, "scaled": 0, "m": 20, "k": 8, "n": 8, "a_stride": 1, "w_stride": 1}
        bad += [
            ({**last, "a_row": units * rows - 19}, Status.LOCAL_RANGE, rows),
            ({**last, "w_row": units * rows - 7}, Status.LOCAL_RANGE, rows),
        ]
        # and the last units are inside
        for change in ({"a_row": units * rows - 20}, {"w_row": units * rows - 8}):
            chip.submit(**{**good, **last, **change})
            assert (await chip.results(1, cycles=5000))[0]["status"] == Status.OK, (code, change)
    for change, status, address in bad:
        end = await chip.fault(good, change)
        assert (end["status"], end["address"]) == (status, address), (change, end)
    # and it still works
    chip.submit(**good)
    memory.apply(good)
    assert (await chip.results(1, cycles=2000))[0]["status"] == Status.OK
    await chip.bench.cycles(2)
    await memory.check(chip, good)


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def the_memory_ends_where_units_say(dut):
    """The scales' last rows: the last one of the scratchpad may be read."""
    chip, memory = await _filled(dut, stalls=False)
    rows = chip.tile.scratchpad_rows
    fields = {
        "m": 17,
        "k": 33,
        "n": 9,
        "format": Format.FP8E5M2,
        "scaled": 1,
        "a_row": 3,
        "a_stride": 5,
        "w_row": 501,
        "w_stride": 2,
        "a_scale_row": rows - 4,
        "a_scale_stride": 2,
        "w_scale_row": 2 * rows - 4,
        "w_scale_stride": 2,
        "acc_row": 0,
        "acc_stride": 17,
        "accumulate": 0,
    }
    chip.submit(**fields)
    memory.apply(fields)
    assert (await chip.results(1, cycles=5000))[0]["status"] == Status.OK
    await chip.bench.cycles(2)
    await memory.check(chip, fields)


@pytest.mark.parametrize("name", ["micro"])
def test_matmul_formats(name):
    run_bench(
        MatmulFixture(preset(name)),
        f"matmul_{name}",
        __name__,
        parameters={"preset": name},
    )
