"""The router that replicates, alone.

| testpoint | drives | checks |
|---|---|---|
| random traffic | packets to nodes and to tiles, random stalls and room | flits as expected |
| latency, rate | lone packets to tiles; a stream | 2 cycles, all branches at once; a flit a cycle |
| room | an output without room | nothing starts there; the others go on without it |
| bound | all inputs flooded | packets that pass while one waits |
| plain packets | the same traffic to nodes through ``Router`` | the same cycles |
"""

from itertools import pairwise

import cocotb
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from harness_tree_router import NAMES, PORTS, Harness
from weft_hw.noc.router import Router
from weft_hw.noc.tree_router import TreeRouter
from weft_sim.bench import run_bench
from weft_sim.bench.pauses import bursts, random_pauses


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def random_traffic_arrives(dut):
    """A packet lost, doubled, cut, mixed with another or sent the wrong way; a credit lost."""
    for pauses, rooms in (
        (lambda rng: None, None),
        (lambda rng: random_pauses(rng, 0.5), lambda rng: random_pauses(rng, 0.5)),
        (lambda rng: bursts(rng, 4, 12), lambda rng: bursts(rng, 3, 40)),
    ):
        h = Harness(dut, pauses, rooms)
        rng = h.bench.rng
        await h.bench.reset()
        for _ in range(250):
            source = int(rng.integers(5))
            if rng.random() < 0.6:
                length = int(rng.integers(1, h.longest + 1))
                h.send_to_tiles(source, h.random_rectangle(source), length)
            else:
                target = int(rng.choice([k for k in range(5) if k != source]))
                h.send_to_node(source, target, int(rng.geometric(0.1)))
        credits = [0] * 5

        def count(credits=credits):
            for k, name in enumerate(NAMES):
                credits[k] += int(dut[f"credit_{name}"].value)

        total = sum(len(p["flits"]) * len(p["targets"]) for p in h.packets)
        for _ in range(60 * total):
            count()
            if sum(len(sink.raw) for sink in h.sinks) == total:
                break
            await h.bench.cycles(1)
        for _ in range(40):
            await h.bench.cycles(1)
            count()
            assert not any(dut[f"o_{name}__valid"].value for name in NAMES)
        h.judge()
        assert credits == [len(source.raw) for source in h.sources]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def all_branches_at_once(dut):
    """A branch that goes later than the others, a bubble in a stream to many tiles."""
    h = Harness(dut)
    await h.bench.reset()
    all_tiles = {"x_first": 0, "x_last": 4, "y_first": 0, "y_last": 4}
    for source in range(5):
        for length in (1, h.longest):
            h.send_to_tiles(source, all_tiles, length)
            packet = h.packets[-1]
            await h.sources[source].drained()
            await h.bench.cycles(10)
            for target in packet["targets"]:
                assert h.sinks[target].at[-length] - h.sources[source].at[-length] == 2
                assert h.sinks[target].at[-1] - h.sinks[target].at[-length] == length - 1
    for _ in range(10):
        h.send_to_tiles(0, all_tiles, h.longest)
    await h.sources[0].drained()
    await h.bench.cycles(10)
    for sink in h.sinks:
        assert sink.at[-1] - sink.at[-10 * h.longest] == 10 * h.longest - 1
    h.judge()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def no_room_no_start(dut):
    """A packet that starts where it may get stuck, or that waits for one branch with all others."""
    h = Harness(dut)
    await h.bench.reset()
    all_tiles = {"x_first": 0, "x_last": 4, "y_first": 0, "y_last": 4}
    h.rooms = [iter(lambda k=k: k == 3, None) for k in range(5)]  # none to the south
    h.send_to_tiles(0, all_tiles, 4)
    h.send_to_node(1, 2, 3)
    await h.bench.cycles(4 * h.longest)
    assert not h.sinks[3].raw
    for k in (0, 1, 2, 4):
        # after its patience the packet goes to the others together
        assert [at - h.sources[0].at[0] for at in h.sinks[k].at[-4:]] == [
            h.longest + place for place in range(2, 6)
        ]
    # a packet to a node needs no room
    h.send_to_node(1, 3, 2)
    await h.sinks[3].take(2, cycles=10)
    h.rooms = [iter(lambda: False, None) for _ in range(5)]
    await h.sinks[3].take(6, cycles=20)
    await h.bench.cycles(10)
    h.judge()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def waiting_has_a_bound(dut):
    """An input that starves because others ask, or because its branches are never free at once."""
    for plain_share in (0.0, 0.5):
        h = Harness(dut)
        rng = h.bench.rng
        await h.bench.reset()
        for _ in range(80):
            for source in range(5):
                if rng.random() < plain_share:
                    target = int(rng.choice([k for k in range(5) if k != source]))
                    h.send_to_node(source, target, h.longest)
                else:
                    h.send_to_tiles(source, h.random_rectangle(source), h.longest)
        await h.finish(cycles=200_000)
        worst_packets = worst_cycles = 0
        streams = [
            sorted((p["starts"][k], p["number"]) for p in h.packets if k in p["targets"])
            for k in range(5)
        ]
        for source in range(5):
            mine = [p for p in h.packets if p["source"] == source]
            for before, packet in pairwise(mine):
                head = max(before["ends"].values())
                done = max(packet["ends"].values())
                worst_cycles = max(worst_cycles, done - head)
                for target, start in packet["starts"].items():
                    passed = sum(head <= at < start for at, _ in streams[target])
                    worst_packets = max(worst_packets, passed)
                    # four other inputs, once for each pass there can be
                    assert passed <= 4 * len(packet["targets"]), packet
                    if not packet["tree"]:
                        assert passed <= 4
        # each pass: four packets of others, each of them after its patience; then this one's
        bound = 5 * (4 * 2 * h.longest + 2 * h.longest)
        dut._log.info(
            "wait: at most %d packets, %d cycles (bound %d), packets of %d flits",
            worst_packets,
            worst_cycles,
            bound,
            h.longest,
        )
        assert worst_cycles <= bound


@cocotb.test(timeout_time=2, timeout_unit="ms", name="z_plain_traffic")
async def plain_traffic(dut):
    """Packets to nodes that take other cycles than through a plain router."""
    # some short rounds: the first turns after a reset count too
    for pauses, packets in (
        (lambda rng: None, 300),
        (lambda rng: bursts(rng, 6, 3), 300),
        *((lambda rng: None, 20) for _ in range(15)),
    ):
        h = Harness(dut, pauses)
        await h.bench.reset()
        rng = h.bench.rng
        for _ in range(packets):
            source = int(rng.integers(5))
            target = int(rng.choice([k for k in range(5) if k != source]))
            h.send_to_node(source, target, int(rng.geometric(0.2)))
        total = sum(len(packet["flits"]) for packet in h.packets)
        for _ in range(20 * total):
            assert not dut.differs.value, h.bench.cycle
            if sum(len(sink.raw) for sink in h.sinks) == total:
                break
            await h.bench.cycles(1)
        h.judge()


class Twins(wiring.Component):
    """A router that replicates and a plain one under the same traffic; ``differs`` says that they
    do not do the same. Behind the first there is never room.
    """

    def __init__(self, **parameters):
        self.plain = Router(flit_bytes=parameters["flit_bytes"], depth=parameters["depth"])
        self.tree = TreeRouter(**parameters)
        members = {name: In(1) for name in self.tree.signature.members if "room" in name}
        super().__init__({**self.plain.signature.members, **members, "differs": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.plain, m.submodules.tree = plain, tree = self.plain, self.tree
        differs = Signal(3 * len(PORTS))
        m.d.comb += self.differs.eq(differs.any())
        for router in (plain, tree):
            m.d.comb += [router.x.eq(self.x), router.y.eq(self.y)]
        for k, (port, name) in enumerate(zip(PORTS, NAMES, strict=True)):
            wiring.connect(m, wiring.flipped(getattr(self, f"i_{name}")), plain.input(port))
            wiring.connect(m, plain.output(port), wiring.flipped(getattr(self, f"o_{name}")))
            one, other = plain.output(port), tree.output(port)
            m.d.comb += [
                getattr(self, f"credit_{name}").eq(plain.credit(port)),
                tree.input(port).valid.eq(plain.input(port).valid),
                tree.input(port).payload.eq(plain.input(port).payload),
                other.ready.eq(one.ready),
                differs[3 * k].eq(plain.input(port).ready != tree.input(port).ready),
                differs[3 * k + 1].eq(
                    (one.valid != other.valid)
                    | (one.valid & (one.payload.as_value() != other.payload.as_value()))
                ),
                differs[3 * k + 2].eq(plain.credit(port) != tree.credit(port)),
            ]
        return m


@pytest.mark.parametrize(("flit_bytes", "depth", "packet_flits"), [(4, 4, 4), (8, 16, 13)])
def test_noc_tree_router(flit_bytes, depth, packet_flits):
    run_bench(
        TreeRouter(flit_bytes=flit_bytes, depth=depth, packet_flits=packet_flits),
        f"tree_router_{flit_bytes}_{depth}",
        __name__,
        parameters={"flit_bytes": flit_bytes, "depth": depth, "packet_flits": packet_flits},
        testcase=[
            "random_traffic_arrives",
            "all_branches_at_once",
            "no_room_no_start",
            "waiting_has_a_bound",
        ],
    )


def test_noc_tree_router_is_a_router():
    parameters = {"flit_bytes": 4, "depth": 4, "packet_flits": 4}
    run_bench(
        Twins(**parameters),
        "tree_router_twins",
        __name__,
        parameters=parameters,
        testcase="z_plain_traffic",
    )
