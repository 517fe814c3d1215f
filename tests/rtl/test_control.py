"""The control node: fetch, dispatch, credits, fences.

Host memory and register accesses are cocotbext-axi's; every stream and channel stalls at random.
"""

import cocotb
import pytest
from control_bench import CONFIGS, ControlBench, command, fence
from weft_hw.control.node import ControlNode
from weft_hw.control.registers import Interrupt, QueueState
from weft_hw.isa import Engine, Opcode
from weft_sim.bench import run_bench

COMPLETION, ERROR = Interrupt.COMPLETION.value, Interrupt.ERROR.value


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(stall_percent=[0, 40])
async def commands_reach_their_tiles_in_order(dut, stall_percent):
    """A command lost, repeated or torn at the end of a page or the ring; a wrong tile or index."""
    host = ControlBench(dut, stall=stall_percent / 100)
    await host.reset()
    host.tiles.delay = lambda: int(host.rng.integers(1, 30))
    # the ring crosses a page inside, at a command that begins no burst
    await host.start(base=0x1000 - 5 * 64, log2=4)
    items = host.random_commands(100)
    await host.submit_all([item[0] for item in items])
    await host.until_idle()
    want = [(i, x, y, engine, item) for i, (item, x, y, engine) in enumerate(items)]
    assert host.tiles.commands == want
    assert await host.read("HEAD") == 100
    assert await host.read("COMPLETED") == 100
    assert await host.read("IN_FLIGHT") == 0
    # a full ring is no overrun
    await host.submit([item[0] for item in host.random_commands(16)])
    await host.until_idle()
    assert await host.state() is QueueState.RUNNING
    assert len(host.tiles.commands) == 116
    assert not dut.interrupt.value


@cocotb.test(timeout_time=100, timeout_unit="us")
async def no_queue_is_given_more_than_it_holds(dut):
    """A credit too many (the model of the tiles would complain) or too few."""
    host = ControlBench(dut, stall=0.1)
    await host.reset()
    config = host.config
    depth, most = config.tile.command_queue_depth, config.host.max_in_flight
    host.tiles.silent = True
    await host.start(log2=8)
    await host.submit([command(host.rng, Opcode.MATMUL) for _ in range(depth + 4)])
    await host.bench.cycles(1000)
    assert len(host.tiles.commands) == min(depth, most)
    host.tiles.silent = False
    await host.until_idle()
    assert len(host.tiles.commands) == depth + 4
    host.tiles.silent = True
    engines = [
        (x, y, e) for x in range(config.mesh.cols) for y in range(config.mesh.rows) for e in Engine
    ]
    await host.submit(
        [
            command(host.rng, Opcode.NOP, x=x, y=y, engine=e)
            for _ in range(depth)
            for x, y, e in engines
        ]
    )
    room = min(most, depth * len(engines))
    await host.bench.until(
        lambda: len(host.tiles.commands) == depth + 4 + room, cycles=20_000, what="all room used"
    )
    await host.bench.cycles(200)
    assert host.tiles.most_outstanding == room
    host.tiles.silent = False
    host.tiles.delay = lambda: int(host.rng.integers(1, 10))
    await host.until_idle()
    assert len(host.tiles.ended) == depth + 4 + depth * len(engines)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def fences_wait_and_leave_records(dut):
    """A fence that does not wait, a record at the wrong place or with wrong contents, SEQUENCE or
    the interrupt before the record, a fence that keeps later commands back for ever."""
    host = ControlBench(dut, stall=0.2)
    await host.reset()
    host.tiles.delay = lambda: int(host.rng.integers(1, 60))
    await host.start(log2=5, completion_log2=2)
    guard = bytes(host.memory.data[:0x8000])
    stream, fences = [], {}
    for sequence in range(1, 11):
        count = int(host.rng.choice([0, 0, 1, 6]))
        stream += [item[0] for item in host.random_commands(count)]
        fences[sequence] = len(stream)
        stream.append(fence(sequence, interrupt=sequence == 10))
    seen = 0
    sender = cocotb.start_soon(host.submit_all(stream))
    while seen < 10:
        seen = max(seen, await host.read("SEQUENCE"))
        if seen:
            # everything before the fence has ended
            before = [i for i in range(fences[seen]) if i not in fences.values()]
            assert set(before) <= set(host.tiles.ended)
    await sender
    await host.bench.until(lambda: dut.interrupt.value, cycles=100, what="interrupt")
    assert await host.read("INTERRUPT_STATUS") == COMPLETION
    await host.write("INTERRUPT_STATUS", ERROR)
    assert dut.interrupt.value
    await host.write("INTERRUPT_STATUS", COMPLETION)
    await host.bench.cycles(2)
    assert not dut.interrupt.value
    now = await host.read("CYCLE_LO")
    last_cycle = 0
    for sequence in range(7, 11):
        record = host.record(sequence)
        assert record["sequence"] == sequence
        assert record["index"] == fences[sequence]
        assert record["status"] == 0
        assert last_cycle < record["cycle"] < now
        last_cycle = record["cycle"]
    assert await host.read("COMPLETED") == len(stream)
    # nothing but the ring's commands and the four records has changed
    assert host.memory.data[0x8000 + 4 * 32 :] == bytes(len(host.memory.data) - 0x8000 - 4 * 32)
    assert host.memory.data[:0x1000] == guard[:0x1000]
    assert all(0x8000 <= a < 0x8000 + 4 * 32 for a in host.memory.written)
    assert len(host.memory.written) == 10 * 32


@cocotb.test(timeout_time=100, timeout_unit="us")
async def a_disabled_queue_is_not_read(dut):
    """Fetching while disabled, or commands lost by disabling and enabling."""
    host = ControlBench(dut, stall=0.2)
    await host.reset()
    await host.start()
    await host.write("CONTROL", 0)
    items = host.random_commands(12)
    await host.submit([item[0] for item in items])
    await host.bench.cycles(300)
    assert await host.state() is QueueState.DISABLED
    assert host.memory.accesses == 0
    await host.write("CONTROL", 1)
    await host.bench.cycles(30)
    await host.write("CONTROL", 0)
    await host.bench.cycles(300)
    await host.write("CONTROL", 1)
    await host.until_idle()
    assert [c[4] for c in host.tiles.commands] == [item[0] for item in items]


@cocotb.test(timeout_time=100, timeout_unit="us")
async def a_chip_reset_gives_all_credits_back(dut):
    """Counts of commands in flight that outlive a reset of the chip."""
    host = ControlBench(dut)
    depth = host.config.tile.command_queue_depth
    await host.reset()
    await host.start()
    host.tiles.silent = True
    await host.submit([command(host.rng, Opcode.LOAD) for _ in range(5)])
    await host.bench.until(lambda: len(host.tiles.commands) == 5, cycles=500, what="dispatch")
    await host.reset()
    assert await host.read("IN_FLIGHT") == 0
    await host.start()
    await host.submit([command(host.rng, Opcode.LOAD) for _ in range(depth + 1)])
    await host.bench.cycles(500)
    assert len(host.tiles.commands) == depth
    host.tiles.silent = False
    await host.until_idle()
    assert len(host.tiles.ended) == depth + 1


@pytest.mark.parametrize("name", CONFIGS)
def test_control(name):
    run_bench(ControlNode(CONFIGS[name]), f"control_{name}", __name__, parameters={"config": name})
