"""The control node and tiles or memories that never answer: watchdog, probes."""

import cocotb
import pytest
from control_bench import CONFIGS, ControlBench, command, fence
from weft_hw.control.node import ControlNode
from weft_hw.control.registers import QueueState
from weft_hw.isa import Opcode, Status
from weft_sim.bench import run_bench

BY_CONTROL = 1 << 31


@cocotb.test(timeout_time=100, timeout_unit="us")
async def a_hang_is_noticed_and_can_be_looked_at(dut):
    """A tile that never answers and is never noticed, noticed too early, or takes registers and
    probes with it; a reset that does not wait for it."""
    host = ControlBench(dut, stall=0.1)
    await host.reset()
    await host.start()
    await host.write("WATCHDOG", 500)
    # slower in all than the limit, but never without a completion for so long
    host.tiles.delay = lambda: 100
    await host.submit([command(host.rng, Opcode.VECTOR) for _ in range(9)])
    await host.until_idle()
    assert await host.state() is QueueState.RUNNING
    host.tiles.silent = True
    await host.submit([item[0] for item in host.random_commands(4)])
    await host.bench.until(lambda: len(host.tiles.commands) == 13, cycles=3000, what="dispatch")
    begun = host.tiles.arrived_at[9]
    await host.bench.until(lambda: dut.interrupt.value, cycles=1000, what="interrupt")
    assert 400 < host.bench.cycle - begun <= 510
    assert await host.state() is QueueState.FAILED
    assert Status(await host.read("ERROR_STATUS")) is Status.WATCHDOG
    assert await host.read("ERROR_INDEX") == 12
    assert await host.read("ERROR_SOURCE") == BY_CONTROL
    assert await host.read("IN_FLIGHT") == 4
    # the tiles stay as they are, so that the host sees who waits for whom
    assert not dut.abort.value
    await probe(host)
    await host.write("RESET", 1)
    await host.bench.cycles(300)
    assert await host.state() is QueueState.RESETTING
    assert dut.abort.value
    await probe(host)
    host.tiles.silent = False
    await host.requeue()
    await host.start()
    await host.submit([item[0] for item in host.random_commands(3)])
    await host.until_idle()
    assert await host.read("COMPLETED") == 3


async def probe(host):
    """Reads a random page of a random tile."""
    tile, page = host.random_tile(), int(host.rng.integers(256))
    await host.write("PROBE", tile["x"] | tile["y"] << 4 | page << 8)
    assert await host.read("PROBE_VALID") == 0
    asked = len(host.tiles.probes)
    await host.bench.until(lambda: host.tiles.probes, cycles=500, what="probe at the tile")
    request = host.tiles.probes.pop()
    assert asked <= 1
    assert {key: request["destination"][key] for key in ("x", "y")} == tile
    assert (request["length"], request["address"]) == (64, 64 * page)
    payload = host.rng.bytes(64)
    host.tiles.answer(request, payload)
    await host.bench.cycles(100)
    assert await host.read("PROBE_VALID") == 1
    words = [await host.read(f"PROBE_DATA_{i}") for i in range(16)]
    assert b"".join(word.to_bytes(4, "little") for word in words) == payload
    return request


@cocotb.test(timeout_time=100, timeout_unit="us")
async def probes_return_the_last_page_asked_for(dut):
    """An answer to an older probe that is taken for the newest, a probe to nowhere."""
    host = ControlBench(dut, stall=0.3)
    await host.reset()
    for _ in range(3):
        await probe(host)
    # an answer that comes after another probe was asked
    await host.write("PROBE", 0x100)
    await host.bench.until(lambda: host.tiles.probes, cycles=500, what="first probe")
    first = host.tiles.probes.pop()
    await host.write("PROBE", 0x200)
    await host.bench.until(lambda: host.tiles.probes, cycles=500, what="second probe")
    second = host.tiles.probes.pop()
    host.tiles.answer(first, bytes(range(64)))
    await host.bench.cycles(200)
    assert await host.read("PROBE_VALID") == 0
    host.tiles.answer(second, bytes(range(64, 128)))
    await host.bench.cycles(200)
    assert await host.read("PROBE_VALID") == 1
    assert await host.read("PROBE_DATA_0") == int.from_bytes(bytes(range(64, 68)), "little")
    for nowhere in (host.config.mesh.cols, host.config.mesh.rows << 4):
        await host.write("PROBE", nowhere)
        await host.bench.cycles(200)
        assert not host.tiles.probes
        assert await host.read("PROBE_VALID") == 0
    # and while commands run
    await host.start(log2=6)
    await host.submit([item[0] for item in host.random_commands(40)])
    await probe(host)
    await host.until_idle()
    assert len(host.tiles.commands) == 40


@cocotb.test(timeout_time=100, timeout_unit="us")
async def a_dead_host_memory_is_noticed(dut):
    """A wait for the ring or for a record's confirmation that nothing bounds."""
    host = ControlBench(dut, latency=20)
    await host.reset()
    for dies in ("fetch", "record"):
        await host.start()
        await host.write("WATCHDOG", 300)
        host.memory.dead = dies == "fetch"
        await host.submit([fence(1)])
        if dies == "record":
            await host.bench.cycles(12)
            host.memory.dead = True
        await host.bench.until(lambda: dut.interrupt.value, cycles=600, what=f"dead {dies}")
        assert Status(await host.read("ERROR_STATUS")) is Status.WATCHDOG
        assert await host.state() is QueueState.FAILED
        host.memory.dead = False
        await host.until_state(QueueState.HALTED)
        await host.write("WATCHDOG", 0)
        await host.requeue()


@pytest.mark.parametrize("name", ["base"])
def test_control_hang(name):
    run_bench(ControlNode(CONFIGS[name]), f"control_{name}", __name__, parameters={"config": name})
