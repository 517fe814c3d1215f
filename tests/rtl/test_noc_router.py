"""The router alone.

| testpoint | drives | checks |
|---|---|---|
| random traffic | all ports, random packets and stalls | flits as expected, a credit for each |
| latency, rate | lone packets; five flows without conflict | 2 cycles; a flit a cycle |
| fairness | four inputs to one output | packets in turn |
| broken rule | a packet that would turn back | the assertion stops the simulation |
"""

from types import SimpleNamespace

import cocotb
import pytest
from noc_traffic import Packets
from weft_hw.noc.packet import RouterPort
from weft_hw.noc.router import Router
from weft_sim.bench import Bench, StreamSink, StreamSource, run_bench
from weft_sim.bench.pauses import bursts, random_pauses

X, Y = 2, 1
NAMES = [port.name.lower() for port in RouterPort]
#: A node behind each port of the router at (X, Y).
BEHIND = [
    SimpleNamespace(index=0, x=X, y=Y, port=RouterPort.LOCAL),
    SimpleNamespace(index=1, x=X, y=Y - 1, port=RouterPort.LOCAL),
    SimpleNamespace(index=2, x=X + 1, y=Y, port=RouterPort.SOUTH),
    SimpleNamespace(index=3, x=X, y=Y + 2, port=RouterPort.LOCAL),
    SimpleNamespace(index=4, x=X - 2, y=Y - 1, port=RouterPort.LOCAL),
]
#: Destinations by way of each port, all the ways there are.
VIA = [
    [BEHIND[0]],
    [BEHIND[1], SimpleNamespace(index=5, x=X, y=Y, port=RouterPort.NORTH)],
    [BEHIND[2], SimpleNamespace(index=6, x=15, y=0, port=RouterPort.WEST)],
    [BEHIND[3], SimpleNamespace(index=7, x=X, y=Y, port=RouterPort.SOUTH)],
    [BEHIND[4], SimpleNamespace(index=8, x=0, y=15, port=RouterPort.WEST)],
]


class Harness:
    """Agents on all ports; flits that leave are judged at the node that was meant."""

    def __init__(self, dut, pauses=lambda rng: None):
        self.bench = bench = Bench(dut)
        self.packets = Packets(bench.parameters["flit_bytes"])
        dut.x.value, dut.y.value = X, Y
        self.sources = [StreamSource(bench, f"i_{name}", pause=pauses(bench.rng)) for name in NAMES]
        self.sinks = [StreamSink(bench, f"o_{name}", pause=pauses(bench.rng)) for name in NAMES]

    def send(self, source, destination, length):
        self.sources[source].send(*self.packets.make("", BEHIND[source], destination, length))

    def judge(self):
        """Splits what each port gave into packets and judges them."""
        for sink, ways in zip(self.sinks, VIA, strict=True):
            node = None
            for flit, bits in zip(map(self.packets.flit, sink.raw), sink.raw, strict=True):
                if node is None:
                    there = self.packets.destination(bits)
                    node = next((way for way in ways if self.packets.address(way) == there), None)
                    assert node, f"packet for {there} must not leave by {sink.name}"
                self.packets.arrived("", node, bits)
                if flit["last"]:
                    node = None
            assert node is None, f"{sink.name} must end with a whole packet"
        assert not self.packets.outstanding
        assert self.packets.received_flits == self.packets.sent_flits


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def random_traffic_arrives(dut):
    """A packet lost, doubled, cut, mixed with another or sent the wrong way; a credit lost."""
    for pauses in (
        lambda rng: None,
        lambda rng: random_pauses(rng, 0.5),
        lambda rng: bursts(rng, 4, 12),
    ):
        h = Harness(dut, pauses)
        credits = [0] * 5
        await h.bench.reset()
        rng = h.bench.rng
        for _ in range(250):
            source, via = rng.choice(5, size=2, replace=False)
            ways = VIA[via]
            h.send(source, ways[rng.integers(len(ways))], int(rng.geometric(0.3)))
        budget = 30 * h.packets.sent_flits + 1000
        for _ in range(budget):
            for k in range(5):
                credits[k] += int(dut[f"credit_{NAMES[k]}"].value)
            if sum(len(sink.raw) for sink in h.sinks) == h.packets.sent_flits:
                break
            await h.bench.cycles(1)
        for _ in range(30):
            await h.bench.cycles(1)
            for k in range(5):
                credits[k] += int(dut[f"credit_{NAMES[k]}"].value)
                assert not dut[f"o_{NAMES[k]}__valid"].value
        h.judge()
        assert credits == [len(source.raw) for source in h.sources]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_flit_takes_two_cycles(dut):
    """A stage more or less than documented."""
    h = Harness(dut)
    await h.bench.reset()
    for source in range(5):
        for via in range(5):
            if source != via:
                h.send(source, VIA[via][0], 1)
                before = len(h.sinks[via].raw)
                await h.sinks[via].take(before + 1, cycles=20)
                assert h.sinks[via].at[-1] - h.sources[source].at[-1] == 2
    h.judge()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def all_ports_carry_a_flit_each_cycle(dut):
    """A bubble between flits or packets where nothing is in the way."""
    h = Harness(dut)
    await h.bench.reset()
    for k in range(5):
        for length in (1, 1, 5, 1, 9, 2, 40):
            h.send(k, VIA[(k + 1) % 5][0], length)
    for sink in h.sinks:
        await sink.take(59, cycles=100)
        assert sink.at[-1] - sink.at[0] == 58
    h.judge()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def inputs_take_turns(dut):
    """An input that starves because others ask too."""
    h = Harness(dut)
    await h.bench.reset()
    for source in (0, 1, 3, 4):
        for _ in range(20):
            h.send(source, VIA[2][0], 3)
    await h.sinks[2].take(240, cycles=400)
    assert h.sinks[2].at[-1] - h.sinks[2].at[0] == 239
    firsts = [h.packets.source(bits) for bits in h.sinks[2].raw[::3]]
    for turn in range(20):
        assert len({str(source) for source in firsts[4 * turn : 4 * turn + 4]}) == 4
    h.judge()


@cocotb.test(timeout_time=1, timeout_unit="ms", name="z_turning_back")
async def turning_back(dut):
    """A router that hangs or loops on a packet that must not exist."""
    h = Harness(dut)
    await h.bench.reset()
    h.send(2, VIA[2][0], 2)
    await h.bench.cycles(20)


@pytest.mark.parametrize(("flit_bytes", "depth"), [(4, 2), (16, 4)])
def test_noc_router(flit_bytes, depth):
    run_bench(
        Router(flit_bytes=flit_bytes, depth=depth),
        f"router_{flit_bytes}_{depth}",
        __name__,
        parameters={"flit_bytes": flit_bytes},
        testcase=[
            "random_traffic_arrives",
            "a_flit_takes_two_cycles",
            "all_ports_carry_a_flit_each_cycle",
            "inputs_take_turns",
        ],
    )


def test_noc_router_stops_at_a_packet_that_turns_back(capfd):
    """The assertion ends the simulation; nobody has to notice a lost packet."""
    with pytest.raises(AssertionError, match="1 of 1 failed"):
        run_bench(
            Router(flit_bytes=4, depth=2),
            "router_4_2",
            __name__,
            parameters={"flit_bytes": 4},
            testcase="z_turning_back",
        )
    assert "not by the one it came in by" in capfd.readouterr().out
