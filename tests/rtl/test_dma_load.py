"""The load engine: any transfer, any stall, errors, abort, latencies."""

import cocotb
import numpy as np
import pytest
from dma_cases import check_aborts, check_errors, check_faults, commands_of_all_sizes
from harness_dma import Command, check_ends, check_requests, random_batch
from harness_dma_load import Setup
from weft_hw.dma.load import LoadEngine
from weft_hw.isa import Opcode, Status
from weft_hw.presets import preset
from weft_sim.bench import run_bench


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def transfers_match_under_any_stall(dut):
    """A row in the wrong place, lost or repeated when responses overtake or a stream pauses."""
    for stall, latency in ((0.0, (5, 5)), (0.4, (1, 60)), (0.7, (10, 300)), (0.2, (1, 1))):
        setup = Setup(dut, stall, latency)
        await setup.start()
        rng = setup.bench.rng
        commands = random_batch(rng, setup.config, 12, setup.config.tile.scratchpad_rows // 20)
        await setup.run(commands)
        check_ends(setup.done, commands)
        check_requests(setup.config, setup.memory, commands)
        np.testing.assert_array_equal(setup.scratchpad(), setup.golden(commands))
        assert setup.counted_bytes == sum(c.rows * c.row_bytes for c in commands)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def sizes_around_flit_and_packet(dut):
    """An edge of a row that is cut, merged with its neighbour or not padded with zeros."""
    setup = Setup(dut)
    await setup.start()
    commands = commands_of_all_sizes(setup.config)
    await setup.run(commands)
    check_ends(setup.done, commands)
    check_requests(setup.config, setup.memory, commands)
    np.testing.assert_array_equal(setup.scratchpad(), setup.golden(commands))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def faults_end_their_command_only(dut):
    """A fault that moves bytes, gets the wrong status, or spoils the next command."""
    setup = Setup(dut, 0.2, (1, 30))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    rows, top = config.tile.scratchpad_rows, 1 << config.host.address_bits
    packet = config.mesh.max_packet_bytes
    good = Command(
        memory_address=77, memory_stride=99, row_bytes=9, rows=3, local_row=8, local_stride=3
    )
    bad = [
        Command(rows=0),
        Command(row_bytes=0),
        Command(endpoint=config.mesh.memory_endpoints),
        Command(local_row=rows),
        Command(local_row=rows - 1, row_bytes=flit + 1),
        Command(local_row=(1 << 32) - 1),
        Command(local_row=(1 << 32) - 1, rows=3, local_stride=1),
        Command(local_row=rows - 2, rows=4, memory_stride=flit, row_bytes=flit - 1, local_stride=1),
        Command(local_row=rows - 40, rows=9, row_bytes=1, local_stride=0xFFFF),
        Command(local_row=rows - 3, rows=200, row_bytes=flit, memory_stride=flit, local_stride=1),
        Command(
            local_row=rows - packet // flit,
            rows=2 * packet // flit,
            row_bytes=flit,
            memory_stride=flit,
            local_stride=1,
        ),
        Command(memory_address=top),
        Command(memory_address=(1 << 64) - 1),
        Command(memory_address=top - 1, row_bytes=2),
        Command(memory_address=top - 5, row_bytes=5, rows=2, memory_stride=3),
        Command(memory_address=top - 0xFFFF_0000, rows=3, memory_stride=0xFFFF_0000),
        Command(memory_address=top - 2 * packet - 1, row_bytes=3 * packet),
    ]
    for i, command in enumerate(bad):
        command.index, command.signal = i, i
    await check_faults(setup, bad, [good] * len(bad))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def errors_of_the_memory_are_reported(dut):
    """A response's error that is lost, told of another command, or does not stop its own."""
    setup = Setup(dut, 0.3, (10, 40))
    await setup.start()
    config, packet = setup.config, setup.config.mesh.max_packet_bytes
    statuses, commands, want = {}, [], []
    for i in range(24):
        rows = int(setup.bench.rng.integers(1, 60))
        command = Command(
            memory_address=i << 24,
            memory_stride=0x101,
            row_bytes=packet // 8,
            rows=rows,
            local_row=i * 8,
            local_stride=0,
            index=i,
            endpoint=i % config.mesh.memory_endpoints,
        )
        commands.append(command)
        want.append((Status.OK, None))
        if i % 3:
            wrong = sorted(setup.bench.rng.integers(0, rows, 2).tolist())
            for row, status in zip(wrong[::-1], (Status.BUS, Status.WINDOW), strict=True):
                statuses[command.memory_address + row * 0x101] = status
            want[-1] = (Status.WINDOW, command.memory_address + wrong[0] * 0x101)
    await check_errors(setup, commands, statuses, want, config.tile.load_requests)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def abort_drains_and_the_engine_goes_on(dut):
    """An abort that leaves requests unanswered, loses an end, or leaves the engine stuck."""
    setup = Setup(dut, 0.2, (20, 60))
    await setup.start()
    delays = (0, 3, 4, 5, 6, 40, 120, 250)
    await check_aborts(setup, Opcode.LOAD, delays, lambda: not setup.data.pending)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def requests_stop_when_no_tag_is_free(dut):
    """A request without a tag of its own, or a tag that is never used."""
    setup = Setup(dut)
    await setup.start()
    setup.memory.held = True
    config, packet = setup.config, setup.config.mesh.max_packet_bytes
    # more packets than there are tags, on every preset
    packets = config.tile.load_requests // 8 + 2
    size = packets * packet
    commands = [Command(memory_address=i << 20, row_bytes=size, index=i) for i in range(8)]
    for _ in range(3):
        count = len(setup.done.raw)
        setup.commands.send(*[command.bits() for command in commands])
        await setup.bench.cycles(200)
        waiting = len(setup.memory.in_flight)
        assert waiting == config.tile.load_requests
        setup.memory.held = False
        await setup.done.take(count + 8, cycles=20_000)
        setup.memory.held = True
    assert setup.memory.most_in_flight == config.tile.load_requests


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def latencies_and_throughput(dut):
    """A bubble between requests, packets or commands."""
    setup = Setup(dut, latency=(40, 40))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    packet = config.mesh.max_packet_bytes
    # one command: the exact latencies of the docstring
    one = Command(memory_address=3, row_bytes=2 * flit, local_row=5)
    await setup.run([one])
    assert setup.requests.at[0] - setup.commands.at[0] == 4
    assert setup.writes.at[0] - setup.data.at[0] == 1
    assert setup.done.at[0] - setup.writes.at[-1] == 1
    # short rows: a request a cycle until tags run out
    first = len(setup.requests.at)
    rows = min(config.tile.load_requests, 12)
    await setup.run([Command(memory_stride=1000, row_bytes=1, rows=rows, local_stride=1)])
    assert setup.requests.at[-1] - setup.requests.at[first] == rows - 1
    # linear commands back to back: one cycle a flit and one a header, none between commands
    flits = 2 * packet // flit
    for count in (1, 8):
        await setup.bench.cycles(10)
        setup.writes.clear()
        commands = [
            Command(
                memory_address=i << 16,
                memory_stride=flit,
                row_bytes=flit,
                rows=flits,
                local_row=i * flits,
                local_stride=1,
            )
            for i in range(count)
        ]
        accepted = len(setup.commands.at)
        done = len(setup.done.raw)
        setup.commands.send(*[command.bits() for command in commands])
        await setup.done.take(done + count, cycles=20_000)
        span_cycles = setup.writes.at[-1] - setup.writes.at[0] + 1
        total = setup.done.at[-1] - setup.commands.at[accepted]
        dut._log.info(
            "%d commands of %d rows: %d cycles writing, %d in all (latency 40)",
            count,
            flits,
            span_cycles,
            total,
        )
        assert len(setup.writes.at) == count * flits
        assert span_cycles == count * (flits + 2) - 1


@pytest.mark.parametrize("name", ["nano", "ecp5", "quad", "base"])
def test_dma_load(name):
    """All of the above, with and without tensor loads."""
    run_bench(LoadEngine(preset(name)), f"load_{name}", __name__, parameters={"preset": name})
