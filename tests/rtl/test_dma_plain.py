"""The load engine of a chip without tensor loads: what it does not have is refused."""

import cocotb
from harness_dma_load import Setup
from harness_dma_tensor import compare
from tensor_commands import TensorCommand
from weft_hw.dma.load import LoadEngine
from weft_hw.isa import Opcode, Status
from weft_hw.presets import preset
from weft_sim.bench import run_bench


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def kinds_that_are_not_built_in_are_refused(dut):
    """A LOAD with loops, padding or transposition that runs without them."""
    setup = Setup(dut, 0.2, (1, 30))
    await setup.start()
    flit = setup.config.flit_bytes
    base = {"row_bytes": flit, "rows": 2, "memory_stride": flit + 1, "local_stride": 1}
    image = {"padded": 1, "height": 2, "width": 2, "step_x": 1, "step_y": 1}
    # what only the other fields' use would give a meaning
    good = TensorCommand(Opcode.LOAD, {**base, "memory_stride_1": -5, "height": 3, "pad_value": 7})
    kinds = [{"more_1": 1}, {"more_1": 512}, {"more_2": 32}, {"more_3": 1}, image, {"padded": 1}]
    kinds += [{"transpose": code} for code in (1, 2, 3)]
    for index, fields in enumerate(kinds):
        refused = TensorCommand(Opcode.LOAD, {**base, **fields}, index, index)
        await compare(setup, [refused, good])
        ends = [end["status"] for end in setup.done.items[-2:]]
        assert ends == [Status.ILLEGAL_FIELD, Status.OK], fields


def test_dma_plain():
    """All of the above."""
    config = preset("ecp5")
    assert not config.tile.tensor_loads
    run_bench(LoadEngine(config), "load_ecp5", __name__, parameters={"preset": "ecp5"})
