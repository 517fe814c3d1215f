"""The control node as the host sees it: registers, and how fast commands go."""

import cocotb
import pytest
from amaranth.lib import data
from cocotbext.axi import AxiResp
from control_bench import CONFIGS, ControlBench, command, fence
from weft_hw.config import COMMAND_BYTES
from weft_hw.control.node import ControlNode
from weft_hw.control.record import RECORD_BYTES
from weft_hw.control.registers import Access, constants
from weft_hw.endpoint.window import Window
from weft_hw.isa import Engine, Opcode
from weft_hw.noc.packet import RequestHeader
from weft_hw.noc.sender import header_flits
from weft_sim.bench import run_bench, unpack


@cocotb.test(timeout_time=100, timeout_unit="us")
async def registers_are_those_of_the_map(dut):
    """A register at another offset, without its reset value, that cannot be set or should not be,
    a byte strobe ignored, an answer where there is no register."""
    host = ControlBench(dut)
    await host.reset()
    for name, register in host.map.items():
        if not name.startswith("CYCLE"):
            assert await host.read(name) == register.reset, name
    wanted = {}
    for name in host.writable:
        wanted[name] = int(host.rng.integers(1 << 32)) & ~1
        await host.write(name, wanted[name])
    for name, register in host.map.items():
        if register.access is Access.READ_ONLY:
            await host.write(name, 0xFFFF_FFFF)
    for name, value in wanted.items():
        assert await host.read(name) == value, name
    for name, value in constants(host.config).items():
        assert await host.read(name) == value, name
    base = host.map["QUEUE_BASE_LO"].offset
    await host.write("QUEUE_BASE_LO", 0x11223344)
    await host.access(base + 1, b"\xaa\xbb")
    assert await host.read("QUEUE_BASE_LO") == 0x11BBAA44
    offsets = {register.offset for register in host.map.values()}
    for offset in (0x0A8, 0x1FC, 0x7FC, 0xFFC):
        assert offset not in offsets
        assert await host.access(offset) == AxiResp.SLVERR
        assert await host.access(offset, bytes(4)) == AxiResp.SLVERR
    for offset in offsets:
        assert await host.access(offset) == AxiResp.OKAY


@cocotb.test(timeout_time=100, timeout_unit="us")
async def windows_reach_the_endpoints(dut):
    """A window's field in the place of another."""
    host = ControlBench(dut)
    await host.reset()
    want = []
    for number in range(host.config.host.windows):
        base, limit = (int(host.rng.integers(1 << 32)) for _ in range(2))
        access = (number + 1) % 4
        await host.write(f"WINDOW_{number}_BASE", base)
        await host.write(f"WINDOW_{number}_LIMIT", limit)
        await host.write(f"WINDOW_{number}_ACCESS", access)
        want.append({"base": base, "limit": limit, "read": access & 1, "write": access >> 1})
    await host.bench.cycles(2)
    layout = data.ArrayLayout(Window, host.config.host.windows)
    assert unpack(layout, int(dut.windows.value)) == want


@cocotb.test(timeout_time=100, timeout_unit="us")
async def cycle_counters_tell_the_time(dut):
    """A counter that runs at another pace, halves read at different times, a doorbell not noted."""
    host = ControlBench(dut)
    await host.reset()
    first, at = await host.read("CYCLE_LO"), host.bench.cycle
    await host.bench.cycles(500)
    second, later = await host.read("CYCLE_LO"), host.bench.cycle
    assert second - first == later - at
    assert await host.read("CYCLE_HI") == 0
    await host.write("TAIL", 0)
    now = await host.read("CYCLE_LO")
    doorbell = await host.read("DOORBELL_CYCLE_LO")
    assert now - 20 < doorbell < now
    assert await host.read("DOORBELL_CYCLE_HI") == 0


@cocotb.test(timeout_time=100, timeout_unit="us")
async def commands_go_out_at_full_speed(dut):
    """A bubble between commands, a fetch too slow or too short-sighted for the memory's latency."""
    host = ControlBench(dut, latency=100)
    await host.reset()
    config = host.config
    header = RequestHeader(address_bits=config.host.address_bits)
    flits = header_flits(header, config.flit_bytes)
    flits += -(-COMMAND_BYTES // config.flit_bytes)
    await host.start(log2=9)
    count = 300
    engines = [
        (x, y, engine)
        for engine in Engine
        for x in range(config.mesh.cols)
        for y in range(config.mesh.rows)
    ]
    host.tiles.delay = lambda: 0
    host.place(
        command(host.rng, Opcode.NOP, x=x, y=y, engine=engine)
        for x, y, engine in (engines[i % len(engines)] for i in range(count))
    )
    await host.write("TAIL", host.tail)
    await host.until_idle()
    at = host.tiles.arrived_at
    cycles = (at[-1] - at[0]) / (count - 1)
    dut._log.warning(
        f"{config.name}: {count} commands, one in {cycles:.2f} cycles ({flits} flits each)"
    )
    # a command that is less than a beat is fetched by itself, which takes 4 cycles
    assert cycles <= (flits if config.flit_bytes <= COMMAND_BYTES else 4) + 0.1


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(latency=[10, 100])
async def a_lone_fence_takes_two_memory_latencies(dut, latency):
    """A stage too many between doorbell and interrupt."""
    host = ControlBench(dut, latency=latency)
    await host.reset()
    await host.start()
    for sequence in (1, 2):
        host.place([fence(sequence, interrupt=1)])
        await host.write("TAIL", host.tail)
        await host.bench.until(lambda: dut.interrupt.value, cycles=1000, what="interrupt")
        risen = host.bench.cycle
        doorbell = await host.read("DOORBELL_CYCLE_LO")
        now, at = await host.read("CYCLE_LO"), host.bench.cycle
        # the counter lags the bench by a constant: a register and the bus
        cycles = risen - doorbell - (at - now)
        own = cycles - 2 * latency
        dut._log.warning(
            f"{host.config.name}: lone fence, doorbell to interrupt {cycles} cycles, "
            f"{own} beside two memory latencies of {latency}"
        )
        flit_bytes = host.config.flit_bytes
        beats = max(1, COMMAND_BYTES // flit_bytes) + max(1, RECORD_BYTES // flit_bytes)
        assert own == 6 + beats
        await host.write("INTERRUPT_STATUS", 3)
        await host.bench.cycles(3)


@pytest.mark.parametrize("name", CONFIGS)
def test_control_host(name):
    run_bench(ControlNode(CONFIGS[name]), f"control_{name}", __name__, parameters={"config": name})
