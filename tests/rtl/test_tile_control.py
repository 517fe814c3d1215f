"""What a tile has around its engines: semaphores, completions, status pages, packet arbiter."""

import cocotb
import numpy as np
import pytest
from weft_hw.isa import SEMAPHORE_MAX, Engine, Status
from weft_hw.noc.arbiter import PacketArbiter
from weft_hw.noc.packet import (
    DataFlit,
    Headed,
    RequestHeader,
    ResponseHeader,
    ResponseKind,
    RouterPort,
)
from weft_hw.presets import preset
from weft_hw.tile.completions import Completions
from weft_hw.tile.engine import Done
from weft_hw.tile.semaphores import Semaphores
from weft_hw.tile.status import COUNTERS, PAGE_BYTES, TileStatus
from weft_sim.bench import Bench, StreamSink, StreamSource, run_bench
from weft_sim.bench.pauses import random_pauses

pytestmark = pytest.mark.rtl


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def semaphores_count(dut):
    """A grant without all counts, a lost signal, a counter that wraps."""
    bench = Bench(dut)
    await bench.reset()
    values = np.zeros(16, int)
    overflows = grants = 0
    for cycle in range(6000):
        request = int(bench.rng.integers(0, 16))
        masks = [
            int(bench.rng.integers(0, 65536)) & int(bench.rng.integers(0, 65536)) for _ in range(4)
        ]
        # some phases mostly signal, so that counters fill up
        signal = int(bench.rng.random() < (0.9 if cycle % 2000 < 1000 else 0.2))
        signal_mask = int(bench.rng.integers(0, 65536))
        if cycle % 2000 < 1000:
            request = 0
        dut.request.value = request
        dut.mask.value = sum(mask << (16 * e) for e, mask in enumerate(masks))
        # one engine's counts, and what the others would give
        giver = int(bench.rng.integers(0, 4))
        masks_given = [int(bench.rng.integers(0, 65536)) for _ in range(4)]
        masks_given[giver] = signal_mask
        dut.signal.value = signal << giver
        dut.signal_mask.value = sum(mask << (16 * e) for e, mask in enumerate(masks_given))
        remote = int(bench.rng.random() < 0.5)
        remote_mask = int(bench.rng.integers(0, 65536)) & int(bench.rng.integers(0, 65536))
        if bench.parameters["remote"]:
            dut.remote.value, dut.remote_mask.value = remote, remote_mask
        await bench.cycles(1)
        # inputs written before this edge were seen at it; outputs of that cycle:
        able = [
            e
            for e in range(4)
            if request >> e & 1 and all(values[i] for i in range(16) if masks[e] >> i & 1)
        ]
        want = 1 << able[0] if able else 0
        full = any(values[i] == SEMAPHORE_MAX for i in range(16) if signal_mask >> i & 1)
        told = int(dut.overflow.value)
        for e, mask in enumerate(masks_given):
            over = any(values[i] == SEMAPHORE_MAX for i in range(16) if mask >> i & 1)
            assert told >> e & 1 == over
        dut.request.value, dut.signal.value = 0, 0
        if bench.parameters["remote"]:
            # a signal from outside waits for one of the tile's own
            remote_full = any(values[i] == SEMAPHORE_MAX for i in range(16) if remote_mask >> i & 1)
            assert int(dut.remote_taken.value) == int(remote and not signal)
            assert int(dut.remote_overflow.value) == int(remote_full)
            dut.remote.value = 0
            if remote and not signal:
                signal, signal_mask, full = 1, remote_mask, remote_full
        await bench.cycles(1)
        for i in range(16):
            if want and masks[able[0]] >> i & 1:
                values[i] -= 1
            if signal and not full and signal_mask >> i & 1:
                values[i] += 1
        overflows += bool(signal and full)
        grants += bool(want)
        got = int(dut.values.value)
        assert [got >> (8 * i) & 255 for i in range(16)] == list(values), cycle
    assert overflows > 10
    assert grants > 100


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_end_is_told_once(dut):
    """A completion lost, doubled or given another engine's number."""
    bench = Bench(dut)
    config = preset("nano")
    layout = Done(address_bits=config.host.address_bits)
    sources = [
        StreamSource(bench, f"done_{e.name.lower()}", layout, pause=random_pauses(bench.rng, 0.4))
        for e in Engine
    ]
    sink = StreamSink(bench, "header", Headed(ResponseHeader), pause=random_pauses(bench.rng, 0.4))
    await bench.reset()
    sent = {e: [] for e in Engine}
    for engine, source in zip(Engine, sources, strict=True):
        for i in range(40):
            status = Status.BUS if bench.rng.random() < 0.1 else Status.OK
            item = {
                "index": int(engine.value) << 8 | i,
                "signal": i,
                "status": status,
                "address": 1000 + i,
            }
            sent[engine].append(item)
            source.send(item)
    got = [packet["header"] for packet in await sink.take(160, cycles=5000)]
    assert all(header["kind"] == ResponseKind.COMPLETION for header in got)
    for engine in Engine:
        mine = [
            (header["tag"], Status(header["status"]))
            for header in got
            if Engine(header["engine"]) == engine
        ]
        assert mine == [(item["index"], item["status"]) for item in sent[engine]]
    first = next(header for header in got if Status(header["status"]) == Status.BUS)
    assert int(dut.fault_status.value) == Status.BUS.value
    assert int(dut.fault_address.value) == 1000 + (first["tag"] & 0xFF)
    # an overflow turns OK into an error
    dut.overflow.value = 1 << Engine.LOAD.value
    sink.clear()
    sources[0].send({"index": 7, "signal": 1, "status": Status.OK})
    assert (
        Status((await sink.take(1, cycles=100))[0]["header"]["status"]) == Status.SEMAPHORE_OVERFLOW
    )


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def pages_show_the_tile(dut):
    """A counter in the wrong place, a page cut short."""
    bench = Bench(dut)
    config = preset(bench.parameters["preset"])
    header = RequestHeader(address_bits=config.host.address_bits)
    read = StreamSource(bench, "read", header)
    headers = StreamSink(
        bench, "header", Headed(ResponseHeader), pause=random_pauses(bench.rng, 0.4)
    )
    flits = StreamSink(
        bench, "flits", DataFlit(flit_bytes=config.flit_bytes), pause=random_pauses(bench.rng, 0.4)
    )
    await bench.reset()
    totals = dict.fromkeys((name for name, _ in COUNTERS), 0)
    shift = {}
    position = 0
    for name, width in COUNTERS:
        shift[name] = (position, width)
        position += width
    for _ in range(300):
        increments = {name: int(bench.rng.integers(0, 1 << width)) for name, width in COUNTERS}
        dut.increments.value = sum(value << shift[name][0] for name, value in increments.items())
        for name, value in increments.items():
            totals[name] += value
        await bench.cycles(1)
    dut.increments.value = 0
    states, waits, indices = 0b10_01_00_10, 0x0001_8000_0000_1234, 0x4_00000003_00000002_00000001
    dut.states.value, dut.waits.value, dut.indices.value = states, waits, indices
    dut.semaphores.value = int.from_bytes(bytes(range(16)), "little")
    dut.fault_status.value, dut.fault_address.value = Status.WINDOW.value, 0x12_3456_789A
    await bench.cycles(3)
    pages = []
    for page in range(5):
        headers.clear()
        flits.clear()
        read.send(
            {
                "address": page * PAGE_BYTES,
                "length": PAGE_BYTES,
                "tag": page + 7,
                "source": {"x": 1, "y": 2, "port": RouterPort.NORTH},
            }
        )
        await flits.take(PAGE_BYTES // config.flit_bytes, cycles=1000)
        assert flits.items[-1]["last"] == 1
        assert [item["last"] for item in flits.items[:-1]] == [0] * (len(flits.raw) - 1)
        assert headers.items[0]["header"]["tag"] == page + 7
        assert headers.items[0]["header"]["destination"] == {
            "x": 1,
            "y": 2,
            "port": RouterPort.NORTH,
        }
        data = b"".join(item["data"].to_bytes(config.flit_bytes, "little") for item in flits.items)
        pages.append(np.frombuffer(data, "<u4"))
    for e in range(4):
        assert pages[0][2 * e] == (states >> 2 * e & 3) | (waits >> 16 * e & 0xFFFF) << 16
        assert pages[0][2 * e + 1] == indices >> 32 * e & 0xFFFFFFFF
    assert pages[0][8:12].tobytes() == bytes(range(16))
    assert int(pages[0][12]) | int(pages[0][13]) << 32 == 0x12_3456_789A
    assert pages[0][14] == Status.WINDOW.value
    counters = np.concatenate(pages[1:3]).view("<u8")
    assert dict(zip(totals, counters.tolist(), strict=True)) == totals
    assert not pages[3].any()
    assert not pages[4].any()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def packets_do_not_interleave(dut):
    """Data of one packet under the header of another; a sender that starves."""
    bench = Bench(dut)
    headed, flit = Headed(ResponseHeader), DataFlit(flit_bytes=4)
    headers = [
        StreamSource(bench, f"i_header_{n}", headed, pause=random_pauses(bench.rng, 0.4))
        for n in range(3)
    ]
    datas = [
        StreamSource(bench, f"i_data_{n}", flit, pause=random_pauses(bench.rng, 0.4))
        for n in range(3)
    ]
    out_header = StreamSink(bench, "o_header", headed, pause=random_pauses(bench.rng, 0.3))
    out_data = StreamSink(bench, "o_data", flit, pause=random_pauses(bench.rng, 0.3))
    await bench.reset()
    sent = {n: [] for n in range(3)}
    for n in range(3):
        for i in range(40):
            has_data = bench.rng.random() < 0.5
            tag = n << 16 | i
            headers[n].send({"header": {"tag": tag}, "has_data": has_data})
            length = int(bench.rng.integers(1, 5)) if has_data else 0
            for j in range(length):
                datas[n].send({"data": tag << 8 | j, "last": j == length - 1})
            sent[n].append((tag, length))
    await out_header.take(120, cycles=5000)
    await bench.cycles(100)
    # the data follows its header and nothing comes between
    position = 0
    seen = {n: [] for n in range(3)}
    for item, at in zip(out_header.items, out_header.at, strict=True):
        tag = item["header"]["tag"]
        length = 0
        if item["has_data"]:
            while True:
                data = out_data.items[position]
                assert data["data"] == tag << 8 | length
                assert out_data.at[position] > at
                position += 1
                length += 1
                if data["last"]:
                    break
        seen[tag >> 16].append((tag, length))
    assert position == len(out_data.raw)
    assert seen == sent
    # round robin: nobody is served more than a few packets behind
    order = [item["header"]["tag"] >> 16 for item in out_header.items]
    assert set(order[:12]) == {0, 1, 2}


@pytest.mark.parametrize("remote", [False, True])
def test_semaphores(remote):
    run_bench(
        Semaphores(count=16, remote=remote),
        f"semaphores_{'remote' if remote else 'own'}",
        __name__,
        parameters={"remote": remote},
        testcase="semaphores_count",
    )


def test_completions():
    run_bench(
        Completions(preset("nano")), "completions", __name__, testcase="every_end_is_told_once"
    )


@pytest.mark.parametrize("name", ["nano", "base"])
def test_status(name):
    run_bench(
        TileStatus(preset(name)),
        f"status_{name}",
        __name__,
        parameters={"preset": name},
        testcase="pages_show_the_tile",
    )


def test_arbiter():
    run_bench(
        PacketArbiter(ResponseHeader, flit_bytes=4, count=3),
        "packet_arbiter",
        __name__,
        testcase="packets_do_not_interleave",
    )
