"""How fast the memory endpoint is, on a memory with a latency and no bubbles."""

import cocotb
import pytest
from endpoint_bench import MEMORY_BYTES, EndpointBench
from weft_hw.endpoint.node import MemoryEndpoint
from weft_hw.noc.packet import ResponseHeader
from weft_hw.noc.sender import header_flits
from weft_hw.presets import preset
from weft_sim.bench import run_bench


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(latency=[20, 100])
async def throughput_is_one_flit_a_cycle(dut, latency):
    """A bubble between packets, too few requests in flight, too small a buffer for the latency."""
    bench = EndpointBench(dut, latency=latency)
    await bench.reset()
    config, largest = bench.config, bench.config.mesh.max_packet_bytes
    headers = header_flits(ResponseHeader, bench.flit_bytes)
    for offset in (0, 3):
        bench.sink.clear()
        bench._parsed = 0
        bench.memory.read_at.clear()
        count = 40
        for number in range(count):
            bench.read(offset + number * largest % (MEMORY_BYTES // 2), largest, number)
        sent = bench.bench.cycle
        await bench.responses(count)
        at = bench.sink.at
        flits = count * (headers + largest // config.flit_bytes)
        first = at[0] - sent
        cycles = at[-1] - at[0] + 1
        dut._log.warning(
            f"{config.name}: read, {largest} bytes, offset {offset}, latency {latency}: "
            f"first flit after {first} cycles, {flits} flits in {cycles} cycles"
        )
        assert cycles <= flits + 2, "one flit per cycle but for headers"
        assert first <= latency + largest // config.flit_bytes + 18


@cocotb.test(timeout_time=100, timeout_unit="us")
async def writes_flow_at_one_flit_a_cycle(dut):
    """A pause before or after the data of a write."""
    bench = EndpointBench(dut, latency=100)
    await bench.reset()
    config, largest = bench.config, bench.config.mesh.max_packet_bytes
    for offset in (0, 3):
        count = 24
        start, beats = bench.bench.cycle, len(bench.memory.written_at)
        for number in range(count):
            bench.write(offset + number * largest % (MEMORY_BYTES // 2), bytes(largest), number)
        flits = bench.source.pending
        await bench.responses(count)
        cycles = bench.source.at[-1] - start
        moved = bench.memory.written_at[beats:]
        dut._log.warning(
            f"{config.name}: write, {largest} bytes, offset {offset}: {flits} flits in {cycles} "
            f"cycles, {len(moved)} beats in {moved[-1] - moved[0] + 1} cycles"
        )
        assert cycles <= flits + 8
        assert moved[-1] - moved[0] <= flits + 8


@cocotb.test(timeout_time=100, timeout_unit="us")
async def lone_requests_have_little_latency(dut):
    """A stage too many in the path of a small request."""
    bench = EndpointBench(dut, latency=10)
    await bench.reset()
    for length in (bench.flit_bytes, 64, bench.config.mesh.max_packet_bytes):
        bench.sink.clear()
        bench._parsed = 0
        bench.read(0, length)
        await bench.bench.until(lambda: not bench.source.pending, cycles=100, what="request taken")
        asked = bench.source.at[-1]
        await bench.responses(1)
        beats = length // bench.flit_bytes
        own = bench.sink.at[0] - asked - 10 - (beats - 1)
        dut._log.warning(
            f"{bench.config.name}: lone read of {length} bytes: first flit {own} cycles beside "
            f"memory latency and {beats - 1} further beats"
        )
        assert own <= 12


@pytest.mark.parametrize("name", ["nano", "quad", "base"])
def test_endpoint_speed(name):
    run_bench(
        MemoryEndpoint(preset(name)), f"endpoint_{name}", __name__, parameters={"preset": name}
    )
