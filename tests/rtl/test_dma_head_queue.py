"""The queue whose oldest item is in a register: order, latency, room, and what follows."""

import cocotb
from amaranth.hdl import unsigned
from amaranth.lib import data
from cocotb.triggers import RisingEdge
from test_streams import often
from weft_hw.dma.head_queue import HeadQueue
from weft_sim.bench import Bench, StreamMonitor, StreamSink, StreamSource, run_bench
from weft_sim.bench.pauses import pattern

DEPTH = 4
ITEM = data.StructLayout({"low": unsigned(8), "high": unsigned(8)})


async def drive(dut, slow_in, slow_out, count=200):
    """Random items through the queue; when each was taken in and out."""
    bench = Bench(dut)
    source = StreamSource(bench, "i", ITEM, pause=slow_in(bench.rng))
    sink = StreamSink(bench, "o", ITEM, pause=slow_out(bench.rng))
    monitor = StreamMonitor(bench, "o", ITEM)
    await bench.reset()
    fields = bench.rng.integers(0, 256, (count, 2)).tolist()
    want = [{"low": low, "high": high} for low, high in fields]
    source.send(*want)
    assert await sink.take(count, cycles=20 * count) == want
    assert monitor.raw == sink.raw
    return source.at, sink.at


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def items_pass_in_order_under_any_pauses(dut):
    """An item lost or repeated where it goes past the memory or out of it."""
    for slow_in, slow_out in ((0, 0), (0.7, 0), (0, 0.7), (0.5, 0.5), (0.2, 0.4), (0.4, 0.2)):
        await drive(dut, often(slow_in), often(slow_out))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def latency_throughput_and_room(dut):
    """A cycle more than one, a bubble, or another number of items than the depth."""
    taken, given = await drive(dut, often(0), often(0))
    assert given == [cycle + 1 for cycle in taken]
    assert given[-1] - given[0] == len(given) - 1
    taken, given = await drive(dut, often(0), lambda rng: pattern("1" * 15 + "0"), count=20)
    assert sum(cycle < given[0] for cycle in taken) == DEPTH


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def what_follows_is_told_a_cycle_ahead(dut):
    """``following`` or ``moves`` that disagree with the front of the next cycle."""
    bench = Bench(dut)
    source = StreamSource(bench, "i", ITEM, pause=often(0.4)(bench.rng))
    StreamSink(bench, "o", ITEM, pause=often(0.4)(bench.rng))
    await bench.reset()
    source.send(*[{"low": n, "high": 255 - n} for n in range(200)])
    told, seen = None, 0
    for _ in range(800):
        await RisingEdge(dut.clk)
        front = int(dut.o__payload.value)
        if told is not None and int(dut.o__valid.value):
            assert front == told
            seen += 1
        told = int(dut.following.value) if int(dut.moves.value) else front
    assert seen > 200


def test_head_queue():
    assert run_bench(HeadQueue(ITEM, depth=DEPTH), "head_queue", __name__).tests == 3
