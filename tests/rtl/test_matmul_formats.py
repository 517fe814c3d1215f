"""Matmul engine with every format: random commands of mixed formats, faults of formats."""

import cocotb
import pytest
from harness_matmul import MatmulFixture, MatmulRig
from matmul_memory import OperandMemory
from weft_hw.array.matmul import window_cycles
from weft_hw.formats.table import Format
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


@pytest.mark.parametrize("name", ["micro"])
def test_matmul_formats(name):
    run_bench(
        MatmulFixture(preset(name)),
        f"matmul_{name}",
        __name__,
        parameters={"preset": name},
    )
