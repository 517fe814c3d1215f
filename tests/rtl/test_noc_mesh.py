"""Whole meshes, both planes at once.

| testpoint | drives | checks |
|---|---|---|
| random traffic | every node to every other, random lengths and stalls | flits as expected |
| reset | a reset amid traffic | nothing of before it arrives |
| latency | a flit between each two nodes | 2 cycles for each router on the way |
| streams | along rows and columns, from and to endpoints | a flit a cycle |
| saturation | uniform random traffic between tiles | measured, above a floor |
"""

import cocotb
import pytest
from noc_traffic import Packets
from weft_hw.config import ChipConfig, MeshConfig, TileConfig
from weft_hw.noc.mesh import Mesh
from weft_hw.noc.topology import NodeKind, nodes
from weft_sim.bench import Bench, StreamSink, StreamSource, run_bench
from weft_sim.bench.pauses import bursts, never, random_pauses

PLANES = ("request", "response")


def chip(cols, rows, endpoints, flit_bytes):
    """A chip with that mesh; of its tiles only the width of a flit counts."""
    return ChipConfig(
        name="mesh",
        tile=TileConfig(
            array_rows=flit_bytes, array_cols=flit_bytes, scratchpad_kib=64, accumulator_kib=32
        ),
        mesh=MeshConfig(cols=cols, rows=rows, memory_endpoints=endpoints),
    )


class Harness:
    """Agents on all nodes of both planes. What arrives is judged flit by flit."""

    def __init__(self, dut, pauses=lambda rng: never()):
        self.bench = bench = Bench(dut)
        config = chip(**bench.parameters)
        self.mesh = config.mesh
        self.nodes = nodes(config.mesh)
        self.packets = Packets(config.flit_bytes)
        self.sources, self.sinks = {}, {}
        for node in self.nodes:
            port = (
                "control" if node.kind is NodeKind.CONTROL else f"{node.kind.value}__{node.index}"
            )
            for plane in PLANES:
                name = f"{port}__{plane}"
                self.sources[plane, node] = StreamSource(
                    bench, f"{name}_o", pause=pauses(bench.rng)
                )
                self.sinks[plane, node] = StreamSink(bench, f"{name}_i", pause=pauses(bench.rng))
        self._judged = dict.fromkeys(self.sinks, 0)

    def send(self, plane, source, destination, length):
        flits = self.packets.make(plane, source, destination, length)
        self.sources[plane, source].send(*flits)

    def pick(self, count):
        """Distinct random nodes."""
        return [self.nodes[k] for k in self.bench.rng.choice(len(self.nodes), count, replace=False)]

    @property
    def received(self):
        return sum(len(sink.raw) for sink in self.sinks.values())

    async def finish(self, cycles):
        """Waits until all sent flits are there, judges them, and sees that nothing more comes."""
        await self.bench.until(
            lambda: self.received == self.packets.sent_flits, cycles=cycles, what="all flits there"
        )
        await self.bench.cycles(40)
        for (plane, node), sink in self.sinks.items():
            for bits in sink.raw[self._judged[plane, node] :]:
                self.packets.arrived(plane, node, bits)
            self._judged[plane, node] = len(sink.raw)
        assert not self.packets.outstanding
        assert self.received == self.packets.received_flits == self.packets.sent_flits

    async def full_rate(self):
        """Streams along rows, then columns, then at endpoints, and checks a flit a cycle."""
        tile = {(node.x, node.y): node for node in self.nodes if node.kind is NodeKind.TILE}
        right, down = self.mesh.cols - 1, self.mesh.rows - 1
        rows = [(tile[0, y], tile[right, y]) for y in range(down + 1) if right]
        columns = [(tile[x, 0], tile[x, down]) for x in range(right + 1) if down]
        endpoints = [
            (node, tile[right, node.y]) for node in self.nodes if node.kind is NodeKind.ENDPOINT
        ]
        for agent in (*self.sources.values(), *self.sinks.values()):
            agent.pause = never()
        for ways in (rows, columns, endpoints):
            before = {key: len(sink.raw) for key, sink in self.sinks.items()}
            for one, other in ways:
                for plane, length in ((p, n) for p in PLANES for n in (9, 1, 17, 9, 2, 32)):
                    self.send(plane, one, other, length)
                    self.send(plane, other, one, length)
            await self.finish(cycles=500)
            for plane, node in ((plane, node) for plane in PLANES for way in ways for node in way):
                at = self.sinks[plane, node].at[before[plane, node] :]
                assert at[-1] - at[0] == len(at) - 1 == 69

    def hops(self, source, destination):
        return abs(source.x - destination.x) + abs(source.y - destination.y)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def random_traffic_arrives(dut):
    """A packet lost, doubled, cut, mixed, overtaken, misled or stuck; a credit lost."""
    for pauses in (
        lambda rng: never(),
        lambda rng: random_pauses(rng, rng.choice([0, 0.3, 0.8])),
        lambda rng: bursts(rng, 8, 30),
    ):
        h = Harness(dut, pauses)
        await h.bench.reset()
        # twice: the second round would show a credit or a turn lost in the first
        for _ in range(2):
            for _ in range(12 * len(h.nodes)):
                plane = PLANES[h.bench.rng.integers(2)]
                h.send(plane, *h.pick(2), int(min(h.bench.rng.geometric(0.2), 30)))
            await h.finish(cycles=20 * h.packets.sent_flits)
        # a credit lost would show in the rate of its link
        await h.full_rate()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_reset_empties_the_network(dut):
    """A lock, a credit or a flit that outlives a reset."""
    h = Harness(dut, lambda rng: random_pauses(rng, 0.6))
    await h.bench.reset()
    for _ in range(20 * len(h.nodes)):
        h.send("request", *h.pick(2), 5)
    await h.bench.cycles(60)
    assert h.received < h.packets.sent_flits
    await h.bench.reset()
    assert h.received == 0
    h.packets = Packets(chip(**h.bench.parameters).flit_bytes)
    for _ in range(5 * len(h.nodes)):
        h.send("request", *h.pick(2), 5)
    await h.finish(cycles=20 * h.packets.sent_flits)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def each_router_takes_two_cycles(dut):
    """A detour, or a stage more or less than documented."""
    h = Harness(dut)
    await h.bench.reset()
    for shift in range(1, len(h.nodes)):
        for index, source in enumerate(h.nodes):
            destination = h.nodes[(index + shift) % len(h.nodes)]
            plane = PLANES[(index + shift) % 2]
            h.send(plane, source, destination, 1)
            sink = h.sinks[plane, destination]
            await sink.take(len(sink.raw) + 1, cycles=100)
            taken = h.sources[plane, source].at[-1]
            assert sink.at[-1] - taken == 2 * (h.hops(source, destination) + 1)
    await h.finish(cycles=10)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def each_link_carries_a_flit_each_cycle(dut):
    """A bubble between flits or packets, or a credit that comes late."""
    h = Harness(dut)
    await h.bench.reset()
    await h.full_rate()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def uniform_traffic_saturates_late(dut):
    """Throughput lost beyond what wormhole switching without virtual channels must lose."""
    h = Harness(dut)
    await h.bench.reset()
    tiles = [node for node in h.nodes if node.kind is NodeKind.TILE]
    if len(tiles) < 2:
        return
    length = 9
    for tile in tiles:
        others = [node for node in tiles if node is not tile]
        for _ in range(70):
            h.send("request", tile, others[h.bench.rng.integers(len(others))], length)
    warm, window = 100, 400
    await h.bench.cycles(warm)
    before = h.received
    await h.bench.cycles(window)
    rate = (h.received - before) / window / len(tiles)
    dut._log.info("saturation: %.3f flits per tile and cycle, packets of %d", rate, length)
    assert rate > 0.3
    await h.finish(cycles=20_000)


@pytest.mark.parametrize(
    ("cols", "rows", "endpoints", "flit_bytes"),
    # one router; corners only, a row without endpoint; corners, edges and inner routers
    [(1, 1, 1, 16), (2, 2, 1, 8), (4, 4, 4, 4)],
)
def test_noc_mesh(cols, rows, endpoints, flit_bytes):
    run_bench(
        Mesh(chip(cols, rows, endpoints, flit_bytes)),
        f"mesh_{cols}x{rows}_{flit_bytes}",
        __name__,
        parameters={"cols": cols, "rows": rows, "endpoints": endpoints, "flit_bytes": flit_bytes},
    )
