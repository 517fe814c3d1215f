"""Transposing loads: any matrix, any stall, errors, abort, cycles."""

import cocotb
import numpy as np
import pytest
from harness_dma import check_ends
from harness_dma_load import Setup
from harness_dma_tensor import (
    abort_after,
    check_faults,
    compare,
    golden,
    place_indices,
    random_tensors,
    rows_written,
)
from tensor_commands import TensorCommand, random_transpose
from weft_hw.dma.load import LoadEngine
from weft_hw.isa import Opcode, Status
from weft_hw.presets import preset
from weft_sim.bench import run_bench
from weft_sim.golden.transfers import Fault, accesses


def matrix(config, rows, columns, code, **fields):
    """A LOAD that transposes ``rows`` x ``columns`` elements of ``2 ** (code - 1)`` bytes."""
    size = 1 << (code - 1)
    values = {
        "memory_address": 0x1234567,
        "memory_stride": columns * size + 3,
        "row_bytes": columns * size,
        "rows": rows,
        "local_stride": -(-rows * size // config.flit_bytes),
        "transpose": code,
    }
    return TensorCommand(Opcode.LOAD, values | fields)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def matrices_match_under_any_stall(dut):
    """An element in the wrong place, or a strip that is read before it is whole or after."""
    for stall, latency in ((0.0, (5, 5)), (0.4, (1, 60)), (0.7, (10, 300)), (0.2, (1, 1))):
        setup = Setup(dut, stall, latency)
        await setup.start()
        place_indices(setup)
        config, rng, row = setup.config, setup.bench.rng, 0
        # mixed with all other loads
        await compare(setup, random_tensors(setup, 10, config.tile.scratchpad_rows // 12))
        commands = []
        while len(commands) < 8:
            command = random_transpose(rng, config, row)
            written = rows_written(config, command, setup.before)
            if max(written) < row + config.tile.scratchpad_rows // 10:
                commands.append(command)
                row = max(written) + 1
        await compare(setup, commands)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def sizes_around_strips(dut):
    """An edge of a matrix that is cut, or not filled up with zeros."""
    setup = Setup(dut)
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    strip = config.transpose_columns
    for code in (1, 2, 3):
        block = flit >> (code - 1)
        for rows in sorted({1, max(block - 1, 1), block, block + 1, 2 * block + 1}):
            for columns in (1, block + 1, strip - 1, strip, strip + 1):
                size = columns * -(-rows // block)
                if size <= config.tile.scratchpad_rows:
                    await compare(setup, [matrix(config, rows, columns, code)])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def faults_end_their_command_only(dut):
    """A matrix that does not fit and is half moved, or told wrongly, or spoils the next command."""
    setup = Setup(dut, 0.2, (1, 30))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    rows, top = config.tile.scratchpad_rows, 1 << config.host.address_bits
    good = matrix(config, flit + 1, 5, 1)
    plain = TensorCommand(Opcode.LOAD, {"row_bytes": 9, "rows": 2, "local_row": 60})
    bad = [
        (matrix(config, 3, 3, 2, row_bytes=5), Status.ILLEGAL_FIELD),
        (matrix(config, 3, 3, 3, row_bytes=6), Status.ILLEGAL_FIELD),
        (matrix(config, 3, 3, 1, more_1=1), Status.ILLEGAL_FIELD),
        (matrix(config, 3, 3, 1, more_3=1), Status.ILLEGAL_FIELD),
        (matrix(config, 3, 3, 1, padded=1, height=9, width=9), Status.ILLEGAL_FIELD),
        (matrix(config, 0, 3, 1), Status.ILLEGAL_FIELD),
        (matrix(config, 3, 0, 1), Status.ILLEGAL_FIELD),
        (matrix(config, 3, 3, 1, endpoint=15), Status.ILLEGAL_FIELD),
        (matrix(config, 3, 3, 1, local_row=rows), Status.LOCAL_RANGE),
        (matrix(config, 3, 3, 1, local_row=(1 << 32) - 1), Status.LOCAL_RANGE),
        (matrix(config, 3, 3, 1, local_row=rows - 2), Status.LOCAL_RANGE),
        (matrix(config, flit + 1, 1, 1, local_row=rows - 1), Status.LOCAL_RANGE),
        (matrix(config, 3, 300, 1, local_stride=0xFFFF), Status.LOCAL_RANGE),
        (matrix(config, 3, 3, 1, memory_address=top - 14), Status.WINDOW),
        (matrix(config, 3, 3, 1, memory_address=top), Status.WINDOW),
    ]
    long = [
        matrix(config, 1, 65535, 1, local_stride=1),
        matrix(config, 65535, 1, 1, local_stride=1),
        matrix(config, 300, 3, 1, memory_stride=(1 << 32) - 1),
        matrix(config, 40000, 1, 1, memory_stride=(1 << 32) - 1, local_row=1),
    ]
    # by the definition; only those that fail, for the others are too long for here
    for command in long:
        first = next(accesses(config, command.opcode, command.fields, None))
        if isinstance(first, Fault):
            bad.append((command, first.status))
    await check_faults(setup, bad, [good, plain])
    # at the very end of both
    fits = [
        matrix(config, 3, 3, 1, local_row=rows - 3),
        matrix(config, flit + 1, 1, 1, local_row=rows - 2),
        matrix(config, 3, 3, 1, memory_address=top - 15),
    ]
    for command in fits:
        await compare(setup, [command])
        assert setup.done.items[-1]["status"] is Status.OK


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def strips_that_cannot_be_read_stay_unwritten(dut):
    """Columns with a hole, or a strip that waits for a row that does not come."""
    setup = Setup(dut, 0.3, (5, 40))
    await setup.start()
    config, rng = setup.config, setup.bench.rng
    flit, strip = config.flit_bytes, config.transpose_columns
    start = setup.scratchpad()
    for i in range(12):
        code = 1 + i % 3
        block = flit >> (code - 1)
        command = matrix(config, 2 * block, 2 * strip, code)
        if 4 * strip > config.tile.scratchpad_rows:
            continue
        asked = list(accesses(config, command.opcode, command.fields, start))
        wrong = asked[int(rng.integers(len(asked)))].address
        setup.memory.answer = lambda r, wrong=wrong: (
            Status.BUS if r.header["address"] == wrong else Status.OK
        )
        ended, before = len(setup.done.raw), setup.scratchpad()
        image = golden(setup, [command], before)[0]
        await setup.run([command])
        setup.done.raw[:ended] = []
        check_ends(setup.done, [command], [(Status.BUS, wrong)])
        after = setup.scratchpad()
        changed = (after == image).all(axis=1)
        assert (changed | (after == before).all(axis=1)).all()
        hole = next(item.row for item in asked if item.address == wrong)
        step = command.fields["local_stride"]
        untouched = [hole + step * c for c in range(strip)]
        np.testing.assert_array_equal(after[untouched], before[untouched])
        setup.memory.answer = lambda request: Status.OK
        await_after = matrix(config, block + 1, 3, code)
        setup.memory.requests.clear()
        await compare(setup, [await_after])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def abort_drains_and_the_engine_goes_on(dut):
    """An abort in a strip that leaves it half, loses an end, or leaves the engine stuck."""
    setup = Setup(dut, 0.2, (20, 60))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    commands = [
        matrix(config, 2 * flit + 1, config.transpose_columns + 1, 1, endpoint=0),
        TensorCommand(Opcode.LOAD, {"row_bytes": 9, "rows": 9, "memory_stride": 70}),
        matrix(config, 3, 5, 2, endpoint=config.mesh.memory_endpoints - 1),
        matrix(config, flit, 9, 1),
    ]
    for delay in (*range(0, 24), 40, 60, 90, 130, 200, 300):
        await abort_after(setup, commands, delay, idle=60)
        setup.memory.requests.clear()
    await compare(setup, commands[-1:])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def cycles_of_transposition(dut):
    """A strip that waits for the one before it, or a first request that comes late."""
    setup = Setup(dut, latency=(10, 10))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    for code in (1, 2, 3):
        block, strip = flit >> (code - 1), config.transpose_columns
        blocks = min(4, config.tile.scratchpad_rows // strip)
        command = matrix(config, blocks * block, strip, code)
        taken, asked = len(setup.commands.at), len(setup.requests.at)
        writes, flits = len(setup.writes.at), len(setup.data.at)
        await setup.run([command])
        assert setup.requests.at[asked] - setup.commands.at[taken] == 12
        at, came = setup.writes.at[writes:], setup.data.at[flits:]
        assert len(at) == len(came) == blocks * strip
        # a strip's columns follow its last flit
        assert at[0] - came[strip - 1] == 3
        assert setup.done.at[-1] - at[-1] == 1
        cycles = came[-1] - came[0] + 1
        width = strip * (1 << (code - 1)) // flit
        dut._log.info("%d-byte elements: %d flits in %d cycles", 1 << code - 1, len(came), cycles)
        # a cycle for each header, and no more than the first rows' latency beside
        if config.tile.load_requests >= 64:
            assert cycles <= len(came) * (width + 1) // width + 4


@pytest.mark.parametrize("name", ["nano", "quad"])
def test_dma_transpose(name):
    """All of the above."""
    config = preset(name).replace_tile(transpose=True)
    # a preset that has it is built for other benches too
    build = f"load_{name}" if config == preset(name) else f"load_transpose_{name}"
    parameters = {"preset": name, "transpose": True}
    run_bench(LoadEngine(config), build, __name__, parameters=parameters)
