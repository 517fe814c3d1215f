"""Registers and queues between streams: nothing lost, repeated or changed, and the ways that they
cut."""

import cocotb
import pytest
from amaranth.hdl import unsigned
from cocotb.triggers import RisingEdge
from weft_hw.axi.queue import Queue
from weft_hw.streams.slice import Slice
from weft_sim.bench import Bench, StreamMonitor, StreamSink, StreamSource, run_bench
from weft_sim.bench.pauses import pattern, random_pauses

SHAPE = unsigned(16)
DEPTH = 5
#: Block -> (latency, items that it holds).
FACTS = {
    "slice": (1, 2),
    "queue": (1, DEPTH),
    "queue_front": (1, DEPTH),
    "queue_register": (2, DEPTH + 1),
    "queue_block_ram": (1, DEPTH),
    "queue_block_ram_register": (2, DEPTH + 1),
}


async def drive(dut, slow_in, slow_out, count=200):
    """Numbers through the block; when each was taken in and out."""
    bench = Bench(dut)
    source = StreamSource(bench, "i", SHAPE, pause=slow_in(bench.rng))
    sink = StreamSink(bench, "o", SHAPE, pause=slow_out(bench.rng))
    monitor = StreamMonitor(bench, "o", SHAPE)
    await bench.reset()
    want = bench.rng.integers(0, 1 << 16, count).tolist()
    source.send(*want)
    assert await sink.take(count, cycles=20 * count) == want
    assert monitor.raw == sink.raw
    assert not source.pending
    return source.at, sink.at


def often(chance):
    return lambda rng: random_pauses(rng, chance)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def items_pass_in_order_under_any_pauses(dut):
    """An item lost, repeated or changed when either side pauses."""
    for slow_in, slow_out in ((0, 0), (0.7, 0), (0, 0.7), (0.5, 0.5), (0.2, 0.8)):
        await drive(dut, often(slow_in), often(slow_out))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def an_item_a_cycle(dut):
    """A bubble between items, or a latency other than the documented one."""
    taken, given = await drive(dut, often(0), often(0))
    latency = FACTS[str(dut._name)][0]
    assert given == [cycle + latency for cycle in taken]
    assert given[-1] - given[0] == len(given) - 1


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def ready_does_not_wait_for_the_other_side(dut):
    """Items that are refused while there is room: a way of ``ready`` through the block."""
    room = FACTS[str(dut._name)][1]
    # taken for the first time in the twelfth cycle
    taken, given = await drive(dut, often(0), lambda rng: pattern("1" * 11 + "0"), count=20)
    assert sum(cycle < given[0] for cycle in taken) == room


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def what_follows_is_told_a_cycle_ahead(dut):
    """``following`` or ``moves`` that disagree with the front of the next cycle, where a queue has
    them."""
    if str(dut._name) != "queue_front":
        assert not hasattr(dut, "following")
        return
    bench = Bench(dut)
    source = StreamSource(bench, "i", SHAPE, pause=often(0.4)(bench.rng))
    StreamSink(bench, "o", SHAPE, pause=often(0.4)(bench.rng))
    await bench.reset()
    source.send(*range(200))
    told, seen = None, 0
    for _ in range(800):
        await RisingEdge(dut.clk)
        front = int(dut.o__payload.value)
        if told is not None and int(dut.o__valid.value):
            assert front == told
            seen += 1
        told = int(dut.following.value) if int(dut.moves.value) else front
    assert seen > 200


def test_slice():
    assert run_bench(Slice(SHAPE), "slice", __name__).tests == 4


@pytest.mark.parametrize(
    "options", [(), ("front",), ("register",), ("block_ram",), ("block_ram", "register")]
)
def test_queue(options):
    block = Queue(SHAPE, depth=DEPTH, **dict.fromkeys(options, True))
    assert run_bench(block, "_".join(("queue", *options)), __name__).tests == 4
