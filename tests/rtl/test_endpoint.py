"""The memory endpoint against cocotbext-axi: bytes, windows, errors.

Every dimension of a request (lane of the first byte, lane of the last, beats, distance to the end
of the page) is covered below, at and above its edges, with random stalls of every stream and
channel.
"""

import cocotb
import pytest
from endpoint_bench import MEMORY_BYTES, EndpointBench
from weft_hw.endpoint.node import MemoryEndpoint
from weft_hw.endpoint.read import read_buffer_beats
from weft_hw.isa import Status
from weft_hw.noc.packet import ResponseKind
from weft_hw.presets import preset
from weft_sim.bench import run_bench
from weft_sim.bench.pauses import stall_for

PAGE = 4096


def edge_requests(config):
    """(address, length): every first lane with lengths around the flit; around a page's end."""
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


@cocotb.test(timeout_time=100, timeout_unit="us")
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


@cocotb.test(timeout_time=100, timeout_unit="us")
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


@cocotb.test(timeout_time=100, timeout_unit="us")
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


@cocotb.test(timeout_time=100, timeout_unit="us")
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


@cocotb.test(timeout_time=100, timeout_unit="us")
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


@cocotb.test(timeout_time=100, timeout_unit="us")
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
    expected = []
    for tag, (address, length) in enumerate(spans):
        bench.write(address, bytes(length), tag)
        fails = any(set(range(address, address + length)) & set(e) for e in bench.memory.errors)
        expected.append((ResponseKind.WRITE_ACK, tag, Status.BUS if fails else Status.OK, b""))
    assert await bench.responses(len(spans)) == expected


@cocotb.test(timeout_time=100, timeout_unit="us")
async def reads_wait_for_room(dut):
    """More beats asked for than fit while the network does not take responses, and writes that
    wait for those reads."""
    bench = EndpointBench(dut, latency=10)
    bench.sink.pause = stall_for(2000)
    await bench.reset()
    largest = bench.config.mesh.max_packet_bytes
    room = read_buffer_beats(bench.config)
    want = []
    for tag in range(60):
        bench.read(tag * 300 + tag % 5, largest, tag)
        want.append(bench.expected_read(tag, tag * 300 + tag % 5, largest))
    bench.write(0x8000, b"\xee" * 20, 99)
    await bench.bench.cycles(1900)
    assert room - largest // bench.flit_bytes <= len(bench.memory.read_at) <= room + 4
    assert bench.memory.data[0x8000:0x8014] == b"\xee" * 20
    got = await bench.responses(61)
    assert [response for response in got if response[1] != 99] == want


@pytest.mark.parametrize("name", ["nano", "quad", "base"])
def test_endpoint(name):
    run_bench(
        MemoryEndpoint(preset(name)), f"endpoint_{name}", __name__, parameters={"preset": name}
    )
