"""The load engine's tensor commands: loops, padding, fills, gathers; faults, abort, cycles."""

import cocotb
import numpy as np
import pytest
from harness_dma_load import Setup
from harness_dma_tensor import abort_after, check_faults, compare, place_indices, random_tensors
from tensor_commands import TensorCommand, im2col
from weft_hw.dma.load import LoadEngine
from weft_hw.isa import Opcode, Status
from weft_hw.presets import preset
from weft_sim.bench import run_bench
from weft_sim.bench.pauses import pattern


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def tensors_match_under_any_stall(dut):
    """A loop that steps wrongly, a padded row in the wrong place, a fill that loses its turn."""
    for stall, latency in ((0.0, (5, 5)), (0.4, (1, 60)), (0.7, (10, 300)), (0.2, (1, 1))):
        setup = Setup(dut, stall, latency)
        await setup.start()
        place_indices(setup)
        await compare(setup, random_tensors(setup, 12, setup.config.tile.scratchpad_rows // 14))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def convolutions_unroll(dut):
    """A window cut at the wrong side of the image, or its step and dilation exchanged."""
    setup = Setup(dut)
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    tall = (config.tile.scratchpad_rows // (9 * 5 * 2), 1)
    cases = [
        im2col(config, (5, 5, flit), (3, 3), (5, 5), pad=(1, 1)),
        im2col(config, (6, 4, flit - 1), (3, 2), (3, 4), pad=(2, 0), step=(2, 1), value=0x80808080),
        im2col(config, (4, 9, 2 * flit + 1), (2, 3), (4, 2), pad=(0, 3), step=(1, 3), value=1),
        im2col(config, (7, 7, 3), (3, 3), (3, 2), pad=(2, 1), dilation=(2, 3), value=0xFF80FF80),
        # all of it padding
        im2col(config, (1, 1, flit), (1, 1), (1, 5), pad=(0, 31), value=0x01020304),
        im2col(config, (4095, 1, 1), (1, 1), tall, step=(15, 0), value=7),
    ]
    for command in cases:
        await compare(setup, [command])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def faults_end_their_command_only(dut):
    """A fault in an outer loop that moves bytes, or is told wrongly, or spoils the next command."""
    setup = Setup(dut, 0.2, (1, 30))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    rows, top = config.tile.scratchpad_rows, 1 << config.host.address_bits
    base = {"row_bytes": flit, "rows": 2, "memory_stride": flit + 1, "local_stride": 1}
    image = {**base, "padded": 1, "height": 2, "width": 2, "step_x": 1, "step_y": 1}
    fill = {"row": 3, "rows": 2, "columns": 2, "stride": 4, "value": 5}

    def load(**fields):
        return TensorCommand(Opcode.LOAD, fields)

    bad = [
        load(**{**image, "height": 0}),
        load(**{**image, "width": 0}),
        load(**{**image, "rows": 0}),
        load(**{**image, "row_bytes": 0}),
        load(**image, endpoint=config.mesh.memory_endpoints),
        load(**base, transpose=1, more_1=1),
        load(**base, transpose=2, padded=1, width=1, height=1),
        load(**base, more_1=3, local_stride_1=rows // 2 - 1),
        load(**base, more_2=3, local_stride_2=rows - 1),
        load(**base, more_3=1, local_stride_3=rows),
        load(**base, more_1=1, memory_stride_1=-flit),
        load(**base, memory_address=top - 3 * flit, more_2=1, memory_stride_2=flit),
        # a padded row is bound to the scratchpad, not to memory
        load(**{**image, "pad_x": -1}, local_row=rows),
        load(**{**image, "pad_x": -1}, local_row=rows - 1),
        load(**{**image, "pad_x": -1}, memory_address=top - 2 * flit),
        TensorCommand(Opcode.FILL, {**fill, "rows": 0}),
        TensorCommand(Opcode.FILL, {**fill, "columns": 0}),
        TensorCommand(Opcode.FILL, {**fill, "row": rows}),
        TensorCommand(Opcode.FILL, {**fill, "row": (1 << 32) - 1}),
        TensorCommand(Opcode.FILL, {**fill, "row": rows - 5}),
        TensorCommand(Opcode.FILL, {**fill, "columns": 0xFFFF}),
        TensorCommand(Opcode.FILL, {**fill, "rows": 0xFFFF, "stride": 0xFFFF}),
    ]
    good = [
        load(**{**image, "pad_x": -1}, local_row=8, pad_value=3, more_1=1, local_stride_1=4),
        TensorCommand(Opcode.FILL, {**fill, "row": 40}),
    ]
    for i, command in enumerate(bad):
        command.index, command.signal = i, i
    await check_faults(setup, [(command, None) for command in bad], good)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def indices_are_checked(dut):
    """An index at or beyond the limit that is read, or told wrongly, or a row without an end."""
    setup = Setup(dut, 0.2, (1, 30))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    rows, top = config.tile.scratchpad_rows, 1 << config.host.address_bits
    per_row = flit // 4
    where = rows - 16
    numbers = setup.before[where:].reshape(-1).view("<u4")
    numbers[:] = 3 + np.arange(len(numbers)) % 2
    base = {"row_bytes": 5, "rows": 12, "memory_stride": 9, "local_stride": 1, "index_row": where}
    base |= {"limit": 5}

    def gather(**fields):
        return TensorCommand(Opcode.GATHER, {**base, **fields})

    good = gather(local_row=30)
    bad = [
        (gather(limit=0), Status.INDEX),
        (gather(limit=4), Status.INDEX),
        (gather(rows=16 * per_row + 1), Status.LOCAL_RANGE),
        (gather(index_row=rows), Status.LOCAL_RANGE),
        (gather(index_row=(1 << 32) - 1), Status.LOCAL_RANGE),
        (gather(local_row=rows - 3), Status.LOCAL_RANGE),
        (gather(memory_address=top - 9 * 3 - 5), Status.WINDOW),
        (gather(memory_address=top), Status.WINDOW),
        (gather(memory_address=(1 << 64) - 1), Status.WINDOW),
        (gather(rows=0), Status.ILLEGAL_FIELD),
        (gather(row_bytes=0), Status.ILLEGAL_FIELD),
        (gather(endpoint=config.mesh.memory_endpoints), Status.ILLEGAL_FIELD),
    ]
    await check_faults(setup, bad, [good])
    # an index in any place of its row, up to the largest, with the largest stride
    for i in sorted({0, 1, per_row - 1, per_row, 11}):
        for index, fault in ((5, Status.INDEX), (1 << 31, Status.INDEX), ((1 << 32) - 1, None)):
            kept, numbers[i] = int(numbers[i]), index
            limit = base["limit"] if fault else (1 << 32) - 1
            await compare(setup, [gather(limit=limit, memory_stride=(1 << 32) - 1), good])
            numbers[i] = kept
            assert setup.done.items[-2]["status"] is Status.INDEX
    numbers[1] = (1 << 32) - 2
    await compare(setup, [gather(limit=(1 << 32) - 1, memory_stride=200, memory_address=7)])
    assert setup.done.items[-1]["status"] is Status.OK


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def indices_of_a_cut_gather_are_forgotten(dut):
    """A row of indices that is still to come when its gather is cut, taken for the next one's."""
    setup = Setup(dut, latency=(3, 3))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    place_indices(setup)
    base = {"row_bytes": flit, "rows": 4, "memory_stride": 100, "local_stride": 1, "limit": 1000}
    for delay in range(4, 30):
        # a read of indices is granted late, so that the next gather finds it under way
        setup.indices.pause = pattern("1" * 50 + "0" if delay % 2 else "0")
        rows = config.tile.scratchpad_rows - setup.bench.rng.integers(5, 64, 2)
        first, second = (
            TensorCommand(Opcode.GATHER, {**base, "index_row": int(row)}) for row in rows
        )
        setup.commands.send(first.bits())
        ended = len(setup.done.raw)
        await setup.bench.cycles(delay)
        dut.engine__abort.value = 1
        await setup.done.take(ended + 1, cycles=200)
        dut.engine__abort.value = 0
        setup.memory.requests.clear()
        await compare(setup, [second])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def cycles_of_gathers(dut):
    """A row that waits for its index longer than the multiplication takes."""
    setup = Setup(dut, latency=(40, 40))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    place_indices(setup)
    rows = min(12, config.tile.load_requests)
    fields = {"row_bytes": flit, "rows": rows, "memory_stride": 100, "local_stride": 1}
    fields |= {"index_row": config.tile.scratchpad_rows - 64, "limit": 1000}
    await setup.run([TensorCommand(Opcode.GATHER, fields)])
    at = [t - setup.commands.at[0] for t in setup.requests.at]
    assert at == [14 + 4 * i for i in range(rows)]
    # rows of several packets: a cycle for the start of each
    first = len(setup.requests.at)
    fields |= {"row_bytes": 5 * config.mesh.max_packet_bytes, "rows": 3}
    fields |= {"local_stride": 5 * config.mesh.max_packet_bytes // flit}
    await setup.run([TensorCommand(Opcode.GATHER, fields)])
    asked = setup.requests.at[first:]
    if config.tile.load_requests >= 15:
        assert [t - asked[0] for t in asked] == [6 * i + k for i in range(3) for k in range(5)]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def abort_drains_and_the_engine_goes_on(dut):
    """An abort that leaves a fill or a request behind, loses an end, or leaves the engine stuck."""
    setup = Setup(dut, 0.2, (20, 60))
    await setup.start()
    config = setup.config
    padding = im2col(config, (3, 3, 5), (2, 2), (4, 4), pad=(1, 1))
    fill = TensorCommand(Opcode.FILL, {"row": 200, "rows": 12, "columns": 3, "stride": 3})
    place_indices(setup)
    fields = {"row_bytes": 9, "rows": 10, "memory_stride": 100, "local_stride": 3, "limit": 1000}
    fields["local_row"] = 300
    gather = TensorCommand(Opcode.GATHER, {**fields, "index_row": config.tile.scratchpad_rows - 9})
    for delay in (*range(16), 40, 80, 150, 200):
        first = gather if delay % 2 else fill
        await abort_after(setup, [first, padding, gather, padding], delay, idle=20)
    await compare(setup, [gather, padding, fill])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def cycles_of_fills_and_padding(dut):
    """A bubble between fills, or a request that waits for them."""
    setup = Setup(dut, latency=(40, 40))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    packet = config.mesh.max_packet_bytes // flit
    for rows, columns in ((1, 1), (10, 1), (3, packet + 1), (1, 3 * packet)):
        writes, ends = len(setup.writes.at), len(setup.done.at)
        fields = {"row": 1, "rows": rows, "columns": columns, "stride": columns, "value": 9}
        taken = len(setup.commands.at)
        await setup.run([TensorCommand(Opcode.FILL, fields)])
        at = setup.writes.at[writes:]
        assert at[0] - setup.commands.at[taken] == 6
        assert at[-1] - at[0] == rows * columns - 1 == len(at) - 1
        assert setup.done.at[ends] - at[-1] == 1
    # two commands: no bubble between long ones
    writes = len(setup.writes.at)
    fields = {"row": 1, "rows": 1, "columns": 20, "stride": 20, "value": 9}
    await setup.run([TensorCommand(Opcode.FILL, fields)] * 2)
    assert setup.writes.at[-1] - setup.writes.at[writes] == 39
    # padding left and right of a line, of one row each: a cycle each, a request or a fill
    first, writes = len(setup.requests.at), len(setup.writes.at)
    line = im2col(config, (1, 3, flit), (1, 1), (1, 9), pad=(0, 3))
    taken = len(setup.commands.at)
    await setup.run([line])
    asked = setup.requests.at[first:]
    assert [t - setup.commands.at[taken] for t in asked] == [7, 8, 9]
    at = [t - setup.commands.at[taken] for t in setup.writes.at[writes:]]
    assert at[:6] == [6, 7, 8, 12, 13, 14]
    assert len(at) == 9


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def fills_and_responses_take_turns(dut):
    """A fill that keeps a response waiting for long, or the other way round, or wastes a cycle."""
    setup = Setup(dut, latency=(10, 10))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    packet = config.mesh.max_packet_bytes // flit
    load = {"row_bytes": packet * flit, "rows": 2, "memory_stride": packet * flit + 1}
    fill = {"row": 400, "rows": 1, "columns": 2 * packet, "stride": 1, "value": 9}
    for gap in range(3):
        writes = len(setup.writes.at)
        setup.commands.send(TensorCommand(Opcode.LOAD, {**load, "local_stride": packet}).bits())
        await setup.bench.cycles(5 + gap)
        await setup.run([TensorCommand(Opcode.FILL, fill)], cycles=400)
        await setup.bench.until(lambda: not setup.bench.port("busy").value, cycles=400, what="end")
        at, beats = setup.writes.at[writes:], setup.writes.items[writes:]
        assert len(at) == 4 * packet
        kinds = [beat["row"] >= 400 for beat in beats]
        both = range(kinds.index(False), len(kinds) - kinds[::-1].index(True))
        assert len(both) >= 3 * packet
        turns = [i for i in both if i and kinds[i] == kinds[i - 1]]
        # in a cycle with a header there is no response to take turns with
        assert len(turns) <= 3
        assert at[-1] - at[0] <= 4 * packet + 4


@pytest.mark.parametrize("name", ["nano", "quad"])
def test_dma_tensor(name):
    """All of the above."""
    run_bench(LoadEngine(preset(name)), f"load_{name}", __name__, parameters={"preset": name})
