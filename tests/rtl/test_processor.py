"""The processor with its memories: random programs against the golden."""

import cocotb
import pytest
from processor_programs import random_program, random_run
from processor_rig import CONFIGURATIONS, Rig, run_processor


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(stalls=[0.0, 0.3, 0.7])
async def random_programs_match_the_golden(dut, stalls):
    """A wrong operation, operand, row or lane; a hazard between instructions or memories."""
    rig = Rig(dut, stalls=stalls)
    await rig.reset()
    await rig.fill_store()
    for _ in range(60):
        f = random_run(rig)
        size = int(rig.rng.integers(1, 50))
        program = random_program(rig.rng, rig.tile.array_cols, f["streams"], size=size)
        start = int(rig.rng.integers(0, rig.tile.microprogram_entries - len(program) + 1))
        await rig.load(program, start)
        await rig.check({**f, "start": start})
    await rig.quiet()


@pytest.mark.rtl
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_processor(name: str) -> None:
    run_processor(name, __name__)
