"""The store engine: any transfer, any stall or refused read, errors, abort, latencies."""

from itertools import chain, repeat

import cocotb
import pytest
from dma_cases import check_aborts, check_errors, check_faults, commands_of_all_sizes
from harness_dma import Command, check_ends, check_requests, random_batch
from harness_dma_store import Setup
from weft_hw.dma.store import StoreEngine
from weft_hw.isa import Opcode, Status, StoreCommand
from weft_hw.presets import preset
from weft_sim.bench import pack, run_bench
from weft_sim.bench.pauses import bursts, stall_for


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def transfers_match_under_any_stall(dut):
    """A byte in the wrong place, lost or repeated when reads are refused or a stream pauses."""
    for stall, latency in ((0.0, (5, 5)), (0.4, (1, 60)), (0.7, (10, 300)), (0.2, (1, 1))):
        setup = Setup(dut, stall, latency)
        await setup.start()
        rng = setup.bench.rng
        commands = random_batch(rng, setup.config, 10, setup.config.tile.scratchpad_rows // 20)
        for i, command in enumerate(commands):
            command.memory_address = (i << 30) + command.memory_address % (1 << 24)
        await setup.run(commands)
        check_ends(setup.done, commands)
        check_requests(setup.config, setup.memory, commands)
        assert setup.written == setup.golden(commands)
        assert setup.counted_bytes == len(setup.written)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def sizes_around_flit_and_packet(dut):
    """An edge of a row that is cut, runs over, or is merged with its neighbour."""
    setup = Setup(dut)
    await setup.start()
    commands = commands_of_all_sizes(setup.config)
    await setup.run(commands)
    check_ends(setup.done, commands)
    check_requests(setup.config, setup.memory, commands)
    assert setup.written == setup.golden(commands)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def faults_end_their_command_only(dut):
    """A fault that moves bytes, gets the wrong status, or spoils the next command."""
    setup = Setup(dut, 0.2, (1, 30))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    rows, top = config.tile.scratchpad_rows, 1 << config.host.address_bits
    bad = [
        Command(rows=0),
        Command(row_bytes=0),
        Command(endpoint=config.mesh.memory_endpoints),
        Command(local_row=rows - 1, row_bytes=flit + 1),
        Command(
            memory_address=1 << 20,
            local_row=rows - 2,
            rows=4,
            memory_stride=flit,
            row_bytes=flit - 1,
            local_stride=1,
        ),
        Command(memory_address=top - 5, row_bytes=5, rows=2, memory_stride=3),
    ]
    rest = {"memory_stride": 99, "row_bytes": 9, "rows": 3, "local_row": 8, "local_stride": 3}
    good = [Command(memory_address=i << 24, index=i, **rest) for i in range(len(bad))]
    await check_faults(setup, bad, good)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_lone_tile_stores_to_no_tile(dut):
    """A store to tiles that goes to memory, or nowhere and is called done."""
    setup = Setup(dut)
    await setup.start()
    if setup.config.mesh.tiles > 1:
        return
    fields = {"header": {"opcode": Opcode.STORE, "signal": 5}, "row_bytes": 9, "rows": 3}
    commands = [Command(memory_address=9, memory_stride=9, row_bytes=9, rows=3, index=1, signal=5)]
    bits = pack(StoreCommand, fields | {"to_tiles": 1, "memory_address": 9})
    setup.commands.send({"bits": bits, "index": 0})
    await setup.done.take(1, cycles=100)
    await setup.run(commands)
    check_ends(
        setup.done,
        [Command(index=0, signal=5), *commands],
        [(Status.ILLEGAL_FIELD, 0), (Status.OK, None)],
    )
    assert setup.written == setup.golden(commands)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def errors_of_the_memory_are_reported(dut):
    """An acknowledgement's error that is lost, or told of the wrong command or address."""
    setup = Setup(dut, 0.3, (10, 40))
    await setup.start()
    config = setup.config
    statuses, commands, want = {}, [], []
    for i in range(16):
        rows = int(setup.bench.rng.integers(1, 60))
        commands.append(
            Command(
                memory_address=i << 24,
                memory_stride=0x101,
                row_bytes=33,
                rows=rows,
                index=i,
                endpoint=i % config.mesh.memory_endpoints,
            )
        )
        want.append((Status.OK, None))
        if i % 3:
            row = int(setup.bench.rng.integers(rows))
            statuses[commands[-1].memory_address + row * 0x101] = Status.WINDOW
            want[-1] = (Status.WINDOW, commands[-1].memory_address + row * 0x101)
    await check_errors(setup, commands, statuses, want, config.tile.store_requests)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def abort_drains_and_the_engine_goes_on(dut):
    """An abort that cuts a packet short, loses an end, or leaves the engine stuck."""
    setup = Setup(dut, 0.2, (20, 60))
    await setup.start()

    def is_idle():
        return setup.open is None and len(setup.scratchpad.raw) == len(setup.data.raw)

    await check_aborts(setup, Opcode.STORE, (0, 4, 6, 8, 30, 150, 400), is_idle)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def requests_stop_when_no_tag_is_free(dut):
    """A request without a tag of its own, or a tag that is never used."""
    setup = Setup(dut)
    await setup.start()
    setup.memory.held = True
    # more packets than there are tags, on every preset
    packets = setup.config.tile.store_requests // 8 + 2
    packet = setup.config.mesh.max_packet_bytes
    size = packets * packet
    commands = [Command(memory_address=i << 20, row_bytes=size, index=i) for i in range(8)]
    setup.commands.send(*[command.bits(Opcode.STORE) for command in commands])
    flits = 8 * size // setup.config.flit_bytes
    await setup.bench.cycles(2 * flits)
    assert len(setup.memory.in_flight) == setup.config.tile.store_requests
    setup.memory.held = False
    await setup.done.take(8, cycles=20_000)
    assert setup.memory.most_in_flight == setup.config.tile.store_requests


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_busy_bank_leaves_no_packet_open(dut):
    """A header that is sent although its data cannot follow for long."""
    for refuse in ("never granted", "bursts"):
        setup = Setup(dut)
        rng = setup.bench.rng
        setup = Setup(
            dut, refuse=stall_for(200) if refuse == "never granted" else bursts(rng, 3, 30)
        )
        await setup.start()
        flit, packet = setup.config.flit_bytes, min(setup.config.mesh.max_packet_bytes, 256)
        rows = min(packet // flit, 16)
        command = Command(row_bytes=rows * flit, memory_stride=1 << 16, rows=6, local_stride=rows)
        setup.commands.send(command.bits(Opcode.STORE))
        if refuse == "never granted":
            await setup.bench.cycles(150)
            assert not setup.requests.raw
        await setup.done.take(1, cycles=5000)
        assert setup.written == setup.golden([command])
        # packets no longer than the FIFO: at most the one that began in calm has gaps
        took = [setup.data.at[(i + 1) * rows - 1] - setup.requests.at[i] for i in range(6)]
        dut._log.info("%s: cycles from header to last flit %s, of %d flits", refuse, took, rows)
        assert sorted(took)[3] == rows


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def an_offered_header_stays(dut):
    """A header that is taken back because reads are refused while it waits."""
    granted_first = chain(repeat(False, 10), repeat(True, 80), repeat(False))
    setup = Setup(dut, refuse=granted_first, hold_requests=stall_for(60))
    await setup.start()
    await setup.run([command := Command(row_bytes=12 * setup.config.flit_bytes)])
    assert setup.scratchpad.at[1] < 12
    assert setup.requests.at[0] < 70 < setup.data.at[-1]
    assert setup.written == setup.golden([command])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def latencies_and_throughput(dut):
    """A bubble between reads, flits, packets or commands."""
    setup = Setup(dut, latency=(40, 40))
    await setup.start()
    config, flit = setup.config, setup.config.flit_bytes
    packet = config.mesh.max_packet_bytes
    await setup.run([Command(memory_address=3, row_bytes=2 * flit, local_row=5)])
    reads = setup.scratchpad
    assert reads.at[0] - setup.commands.at[0] == 5
    assert setup.requests.at[0] - setup.commands.at[0] == 7
    assert setup.data.at[0] - setup.requests.at[0] == 1
    assert setup.done.at[0] - setup.headers.at[-1] == 1
    # one-flit packets: a cycle of header, a cycle of data
    await setup.bench.cycles(10)
    first = len(setup.requests.at)
    rows = config.tile.store_requests
    await setup.run(
        [
            Command(
                memory_address=1 << 20, memory_stride=1000, row_bytes=1, rows=rows, local_stride=1
            )
        ]
    )
    assert setup.data.at[-1] - setup.requests.at[first] == 2 * rows - 1
    # linear commands back to back: one cycle a flit and one a header, none between commands
    flits = 2 * packet // flit
    for count in (1, 8):
        await setup.bench.cycles(10)
        sent, accepted, done = len(setup.requests.at), len(setup.commands.at), len(setup.done.at)
        commands = [
            Command(
                memory_address=((10 * count + i) << 24),
                memory_stride=flit,
                row_bytes=flit,
                rows=flits,
                local_row=i * flits,
                local_stride=1,
            )
            for i in range(count)
        ]
        setup.commands.send(*[command.bits(Opcode.STORE) for command in commands])
        await setup.done.take(done + count, cycles=20_000)
        sending = setup.data.at[-1] - setup.requests.at[sent] + 1
        total = setup.done.at[-1] - setup.commands.at[accepted]
        dut._log.info(
            "%d commands of %d rows: %d cycles sending, %d in all (latency 40)",
            count,
            flits,
            sending,
            total,
        )
        assert sending == count * (flits + 2)


@pytest.mark.parametrize("name", ["nano", "quad", "base"])
def test_dma_store(name):
    """All of the above."""
    run_bench(StoreEngine(preset(name)), f"store_{name}", __name__, parameters={"preset": name})
