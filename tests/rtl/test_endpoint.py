"""The memory endpoint against cocotbext-axi: bytes, windows, errors; and its throughput.

Every dimension of a request (lane of the first byte, lane of the last, beats, distance to the page's
end) is covered below, at and above its edges, under random stalls of every stream and channel.
"""

import cocotb
import pytest
from endpoint_bench import MEMORY_BYTES, EndpointBench
from weft_hw.endpoint.node import MemoryEndpoint
from weft_hw.isa import Status
from weft_hw.noc.packet import ResponseHeader, ResponseKind
from weft_hw.noc.sender import header_flits
from weft_hw.presets import preset
from weft_sim.bench import run_bench

PAGE = 4096


def edge_requests(config):
    """(address, length) of every first lane with lengths around the flit, and around a page's end."""
    flit, largest = config.flit_bytes, config.mesh.max_packet_bytes
    lengths = sorted({1, 2, flit - 1, flit, flit + 1, 2 * flit, 2 * flit + 1, 3 * flit - 1})
    spans = [(0x1000 + 64 * lane + lane, length) for lane in range(flit) for length in lengths]
    for length in (1, 2, flit, flit + 1, 5 * flit, largest - 1, largest):
        spans += [(2 * PAGE - length + shift, length) for shift in (-1, 0, 1, flit)]
    return spans


def random_requests(bench, count, *, base, size):
    largest = bench.config.mesh.max_packet_bytes
    for _ in range(count):
        scale = int(bench.rng.choice([2 * bench.flit_bytes, 8 * bench.flit_bytes, largest]))
        length = int(bench.rng.integers(1, scale + 1))
        yield base + int(bench.rng.integers(0, size - length)), length


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(stall_percent=[0, 40])
async def reads_bring_the_right_bytes(dut, stall_percent):
    """A wrong rotation, a lost flush, dirty bytes after the end, a burst across a page."""
    stall = stall_percent / 100
    bench = EndpointBench(dut, stall=stall, memory_stall=stall)
    await bench.reset()
    spans = [] if stall else edge_requests(bench.config)
    spans += list(random_requests(bench, 50, base=0, size=MEMORY_BYTES))
    for tag, (address, length) in enumerate(spans):
        bench.read(address, length, tag % 256)
    got = await bench.responses(len(spans))
    for tag, (address, length) in enumerate(spans):
        want = bench.expected_read(tag % 256, address, length)
        assert got[tag] == want, f"{address:#x}, {length} bytes"


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(stall_percent=[0, 40])
async def writes_change_the_right_bytes_and_no_others(dut, stall_percent):
    """A strobe too many or too few, a wrong wlast, an acknowledgement for the wrong write."""
    stall = stall_percent / 100
    bench = EndpointBench(dut, stall=stall, memory_stall=stall)
    await bench.reset()
    want = bytearray(bench.memory.data)
    spans = [] if stall else edge_requests(bench.config)
    spans += list(random_requests(bench, 50, base=0, size=MEMORY_BYTES))
    for tag, (address, length) in enumerate(spans):
        payload = bench.rng.bytes(length)
        bench.write(address, payload, tag % 256)
        want[address : address + length] = payload
    got = await bench.responses(len(spans))
    acks = [(ResponseKind.WRITE_ACK, i % 256, Status.OK, b"") for i in range(len(spans))]
    assert got == acks
    assert bench.memory.data == want
    expected = sorted(a for address, length in spans for a in range(address, address + length))
    assert sorted(bench.memory.written) == expected


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def reads_and_writes_pass_each_other(dut):
    """Data of one path in a packet of the other; a path that stops when the other stalls."""
    bench = EndpointBench(dut, stall=0.3, memory_stall=0.3)
    await bench.reset()
    half = MEMORY_BYTES // 2
    want = bytearray(bench.memory.data)
    requests = list(random_requests(bench, 120, base=0, size=half))
    kinds = bench.rng.integers(0, 2, len(requests)).tolist()
    reads, writes = [], []
    for tag, ((address, length), is_write) in enumerate(zip(requests, kinds, strict=True)):
        if is_write:
            payload = bench.rng.bytes(length)
            bench.write(half + address, payload, tag)
            want[half + address : half + address + length] = payload
            writes.append((ResponseKind.WRITE_ACK, tag, Status.OK, b""))
        else:
            bench.read(address, length, tag)
            reads.append(bench.expected_read(tag, address, length))
    got = await bench.responses(len(requests))
    assert [r for r in got if r[0] is ResponseKind.READ_DATA] == reads
    assert [r for r in got if r[0] is ResponseKind.WRITE_ACK] == writes
    assert bench.memory.data == want


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def nothing_leaves_its_window(dut):
    """A request that is let through by one byte, by the wrong permission, by wrapping around, or by
    two windows that only together cover it; and one that is denied although it fits."""
    bench = EndpointBench(dut, stall=0.2, memory_stall=0.2)
    top = 1 << bench.config.host.address_bits
    await bench.reset(
        ((2, 4, 1, 0), (4, 5, 1, 1), (6, 7, 0, 1), (top // PAGE - 1, 2**32 - 1, 1, 1))
    )
    flit, largest = bench.flit_bytes, bench.config.mesh.max_packet_bytes
    ok, denied, malformed = Status.OK, Status.WINDOW, Status.ILLEGAL_FIELD
    reads = [
        (2 * PAGE, largest, ok),
        (2 * PAGE - 1, 1, denied),
        (2 * PAGE - 1, 2, denied),
        (4 * PAGE - 1, 1, ok),
        (4 * PAGE - 1, 2, denied),
        (3 * PAGE - 1, 2, ok),
        (5 * PAGE - flit, flit, ok),
        (5 * PAGE - flit, flit + 1, denied),
        (6 * PAGE, 1, denied),
        (0, 1, denied),
        (top - 1, 2, denied),
        (2 * PAGE, 0, malformed),
        (2 * PAGE, largest + 1, malformed),
        (2 * PAGE + 5, 3, ok),
    ]
    writes = [
        (2 * PAGE, 4, denied),
        (4 * PAGE, largest, ok),
        (4 * PAGE - 1, 2, denied),
        (5 * PAGE - 1, 2, denied),
        (6 * PAGE + 1, flit, ok),
        (7 * PAGE - largest, largest, ok),
        (7 * PAGE - largest + 1, largest, denied),
        (top - 1, 2, denied),
        (6 * PAGE + 3, 5 * flit + 1, ok),
    ]
    want = bytearray(bench.memory.data)
    expected_reads, expected_writes = [], []
    for tag in range(max(len(reads), len(writes))):
        if tag < len(reads):
            address, length, status = reads[tag]
            bench.read(address, length, tag)
            expected_reads.append(
                bench.expected_read(tag, address, length)
                if status is ok
                else (ResponseKind.READ_DATA, tag, status, b"")
            )
        if tag < len(writes):
            address, length, status = writes[tag]
            payload = bench.rng.bytes(length)
            bench.write(address, payload, tag)
            expected_writes.append((ResponseKind.WRITE_ACK, tag, status, b""))
            if status is ok:
                want[address : address + length] = payload
    # a write that says it has no data, then a good one behind it
    bench.write(4 * PAGE, b"", 100)
    bench.write(4 * PAGE, b"\x55" * flit, 101)
    want[4 * PAGE : 4 * PAGE + flit] = b"\x55" * flit
    expected_writes += [
        (ResponseKind.WRITE_ACK, 100, malformed, b""),
        (ResponseKind.WRITE_ACK, 101, ok, b""),
    ]
    got = await bench.responses(len(expected_reads) + len(expected_writes))
    assert [r for r in got if r[0] is ResponseKind.WRITE_ACK] == expected_writes
    # page 4 is read and written, beside each other: compare its reads by status only
    for response, wanted in zip(
        (r for r in got if r[0] is ResponseKind.READ_DATA), expected_reads, strict=True
    ):
        assert response[1:3] == wanted[1:3]
        assert len(response[3]) == len(wanted[3])
    assert bench.memory.data == want


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def denied_requests_never_reach_memory(dut):
    """An access that is reported as denied but made nevertheless."""
    bench = EndpointBench(dut)
    await bench.reset(())
    for tag in range(8):
        bench.read(tag * 100, 50, tag)
        bench.write(tag * 100, bytes(50), tag)
    got = await bench.responses(16)
    assert {status for _, _, status, _ in got} == {Status.WINDOW}
    await bench.bench.cycles(50)
    assert bench.memory.accesses == 0


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def memory_errors_become_statuses(dut):
    """An error in a later beat that is lost, or that leaves its data in the packets behind it."""
    bench = EndpointBench(dut, stall=0.2, memory_stall=0.2)
    await bench.reset()
    bench.memory.errors = [range(0x3000, 0x3001), range(0x5800, 0x5810)]
    spans = [
        (0x2FF0, 16),
        (0x2FF0, 17),
        (0x3001, 1),
        (0x3040, 30),
        (0x57F3, 64),
        (0x5800, 3),
        (0x580F, 20),
        (0x5820, 64),
        (0x2FFF, 2),
        (0x2FFF, 1),
    ]
    flit = bench.flit_bytes

    def bad(address, length):
        beats = range(address // flit * flit, -(-(address + length) // flit) * flit)
        return any(beats.start < e.stop and e.start < beats.stop for e in bench.memory.errors)

    expected = []
    for tag, (address, length) in enumerate(spans):
        bench.read(address, length, tag)
        expected.append(
            (ResponseKind.READ_DATA, tag, Status.BUS, b"")
            if bad(address, length)
            else bench.expected_read(tag, address, length)
        )
    assert await bench.responses(len(spans)) == expected
    touched = {fault.start for fault in bench.memory.errors}
    expected = []
    for tag, (address, length) in enumerate(spans):
        bench.write(address, bytes(length), tag)
        fails = any(set(range(address, address + length)) & set(e) for e in bench.memory.errors)
        expected.append((ResponseKind.WRITE_ACK, tag, Status.BUS if fails else Status.OK, b""))
    assert await bench.responses(len(spans)) == expected
    assert touched


@cocotb.test(timeout_time=2, timeout_unit="ms")
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


@cocotb.test(timeout_time=2, timeout_unit="ms")
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


@cocotb.test(timeout_time=2, timeout_unit="ms")
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
def test_endpoint(name):
    run_bench(
        MemoryEndpoint(preset(name)), f"endpoint_{name}", __name__, parameters={"preset": name}
    )
