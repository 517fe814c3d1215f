"""The control node when things go wrong: faults of commands, rings and memory; queue resets."""

import cocotb
import pytest
from control_bench import CONFIGS, ControlBench, command, fence
from weft_hw.control.node import ControlNode
from weft_hw.control.registers import Interrupt, QueueState
from weft_hw.isa import Opcode, Status
from weft_sim.bench import run_bench

ERROR = Interrupt.ERROR.value
BY_CONTROL = 1 << 31


def failures(host):
    """Name -> (commands, ring settings, status, index, source)."""
    good = [item[0] for item in host.random_commands(3)]
    config, rng = host.config, host.rng
    outside = {"x": config.mesh.cols} if config.mesh.cols < 16 else {"y": config.mesh.rows}
    wide = command(rng, Opcode.LOAD, **outside)
    tall = command(rng, Opcode.STORE, y=config.mesh.rows)
    unknown = bytes([0x77]) + good[0][1:]
    return {
        "opcode": ([*good, unknown, *good], {}, Status.ILLEGAL_OPCODE, 3),
        "column": ([*good, wide, *good], {}, Status.ILLEGAL_TILE, 3),
        "row": ([good[0], tall, *good], {}, Status.ILLEGAL_TILE, 1),
        "base": (good, {"base": 0x1020}, Status.MISALIGNED, 0),
        "log2": (good, {"log2": 17}, Status.ILLEGAL_FIELD, 0),
        "overrun": ([*good, *good], {"log2": 2}, Status.RING_OVERRUN, 0),
        "record base": ([*good, fence(1)], {"completions": 0x8020}, Status.MISALIGNED, 3),
        "record log2": ([*good, fence(1)], {"completion_log2": 17}, Status.ILLEGAL_FIELD, 3),
        "fetch": ([*good, *good], {"base": 0xE000 - 4 * 64}, Status.FETCH_BUS, 4),
        "record": ([*good, fence(1), *good], {"completions": 0xE000}, Status.FETCH_BUS, 3),
    }


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(stall_percent=[0, 30])
async def what_cannot_run_stops_the_queue(dut, stall_percent):
    """A fault that is missed, blamed on another command, lets later commands run, leaves no
    interrupt, or leaves a queue that a reset does not mend."""
    host = ControlBench(dut, stall=stall_percent / 100)
    await host.reset()
    host.memory.errors = [range(0xE000, 0xF000)]
    for name, (commands, ring, status, index) in failures(host).items():
        await host.start(**{"base": 0x1000, **ring})
        if name == "overrun":
            host.tail = len(commands)
        else:
            host.place(commands)
        await host.write("TAIL", host.tail)
        await host.until_state(QueueState.HALTED)
        assert Status(await host.read("ERROR_STATUS")) is status, name
        assert await host.read("ERROR_INDEX") == index, name
        assert await host.read("ERROR_SOURCE") == BY_CONTROL, name
        assert await host.read("INTERRUPT_STATUS") == ERROR, name
        assert dut.interrupt.value
        assert not dut.abort.value
        assert await host.idle()
        sent = [c for c in host.tiles.commands if c[0] > index and name != "record"]
        assert not sent, name
        await host.requeue()
        assert not dut.interrupt.value
        # and it works again
        await host.start()
        again = host.random_commands(5)
        await host.submit([*(item[0] for item in again), fence(7)])
        await host.until_idle()
        assert [c[4] for c in host.tiles.commands] == [item[0] for item in again], name
        assert await host.read("SEQUENCE") == 7
        await host.requeue()


@cocotb.test(timeout_time=100, timeout_unit="us")
async def the_first_failure_of_a_tile_counts(dut):
    """A later failure or ABORTED that overwrites the first, an abort that does not come or does not
    end, a command in flight that is forgotten."""
    host = ControlBench(dut, stall=0.2)
    await host.reset()
    for failing, status in ((5, Status.WINDOW), (0, Status.SEMAPHORE_OVERFLOW), (11, Status.BUS)):
        await host.start()
        host.tiles.delay = lambda: int(host.rng.integers(20, 60))
        host.tiles.fail = {failing: status, failing + 1: Status.LOCAL_RANGE}
        items = host.random_commands(14)
        items[failing + 1] = items[failing]
        aborts = host.tiles.aborts
        await host.submit([item[0] for item in items])
        await host.until_state(QueueState.HALTED)
        assert Status(await host.read("ERROR_STATUS")) is status
        assert await host.read("ERROR_INDEX") == failing
        _, x, y, engine = items[failing]
        assert await host.read("ERROR_SOURCE") == engine.value | x << 4 | y << 8
        assert host.tiles.aborts > aborts
        assert not dut.abort.value
        assert sorted(host.tiles.ended) == list(range(len(host.tiles.commands)))
        assert await host.read("IN_FLIGHT") == 0
        assert await host.read("INTERRUPT_STATUS") == ERROR
        clears = host.tiles.clears
        await host.requeue()
        assert host.tiles.clears == clears + 1


@cocotb.test(timeout_time=100, timeout_unit="us")
async def nothing_is_sent_after_a_failure(dut):
    """Commands that waited for room and go out when the abort makes it."""
    host = ControlBench(dut)
    await host.reset()
    await host.start()
    depth = host.config.tile.command_queue_depth
    host.tiles.delay = lambda: 300
    host.tiles.fail = {0: Status.BUS}
    await host.submit([command(host.rng, Opcode.STORE) for _ in range(depth + 5)])
    await host.until_state(QueueState.HALTED)
    await host.bench.cycles(100)
    assert len(host.tiles.commands) == depth
    assert await host.read("COMPLETED") == depth


@cocotb.test(timeout_time=100, timeout_unit="us")
async def a_reset_ends_what_runs(dut):
    """A reset that forgets commands in flight, fetched or being fetched, or is confused by a tail
    written a moment before."""
    host = ControlBench(dut, stall=0.2)
    await host.reset()
    for wait in (0, 1, 3, 8, 20, 60, 150):
        host.tiles.delay = lambda: int(host.rng.integers(50, 200))
        await host.start()
        await host.submit([item[0] for item in host.random_commands(14)] + [fence(3)])
        await host.bench.cycles(wait)
        await host.requeue()
        assert not dut.abort.value
        host.tiles.delay = lambda: 2
        await host.start(base=0x2000)
        items = host.random_commands(9)
        await host.submit([*(item[0] for item in items), fence(9)])
        await host.until_idle()
        got = [(i, item) for i, *_, item in host.tiles.commands]
        assert got == list(enumerate(item[0] for item in items)), f"after {wait} cycles"
        assert await host.read("SEQUENCE") == 9
        await host.requeue()


@pytest.mark.parametrize("name", ["quad", "broad"])
def test_control_errors(name):
    run_bench(ControlNode(CONFIGS[name]), f"control_{name}", __name__, parameters={"config": name})
