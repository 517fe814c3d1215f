"""The request plane of a mesh under packets to rectangles of tiles.

| testpoint | drives | checks |
|---|---|---|
| random traffic | tiles to random rectangles, all nodes to nodes, stalls | flits as expected |
| deadlock | all tiles at once to rows, columns, rectangles, all; tiny pauses | all arrives |
| latency | a packet to all tiles from each tile | 2 cycles for each router on the way to each |
| rate | a stream from a corner to all tiles | a flit a cycle at every tile |
"""

from collections import defaultdict, deque

import cocotb
import pytest
from amaranth.hdl import unsigned
from amaranth.lib import data
from weft_hw.config import MeshConfig
from weft_hw.noc.packet import Flit, NodeAddress
from weft_hw.noc.plane import Plane
from weft_hw.noc.tile_packet import TO_TILES, Rectangle
from weft_hw.noc.topology import NodeKind, nodes
from weft_sim.bench import Bench, StreamSink, StreamSource, pack, run_bench
from weft_sim.bench.pauses import bursts, never, random_pauses


class ToTiles(data.Struct):
    """Low 32 bits of the first flit of a packet to tiles; ``number`` of its source."""

    rectangle: Rectangle
    source: unsigned(5)
    number: unsigned(8)


class ToNode(data.Struct):
    """Of one to a node."""

    destination: NodeAddress
    source: unsigned(5)
    number: unsigned(8)


class Other(data.Struct):
    """Of the other flits."""

    number: unsigned(20)
    place: unsigned(12)


class Harness:
    """Agents on all nodes. Every flit differs from all others that are under way."""

    def __init__(self, dut, pauses=lambda rng: never()):
        self.bench = bench = Bench(dut)
        config = dict(bench.parameters)
        self.longest = config.pop("packet_flits")
        self.layout = Flit(flit_bytes=config.pop("flit_bytes"))
        self.mesh = MeshConfig(**config)
        self.nodes = nodes(self.mesh)
        self.tiles = [node for node in self.nodes if node.kind is NodeKind.TILE]
        count = len(self.nodes)
        self.sources = [
            StreamSource(bench, f"i__{k}", pause=pauses(bench.rng)) for k in range(count)
        ]
        self.sinks = [StreamSink(bench, f"o__{k}", pause=pauses(bench.rng)) for k in range(count)]
        self.expected = defaultdict(deque)
        self.total = 0
        self.count = 0

    def to_tiles(self, source, first, last, length):
        """A packet from node ``source`` to the tiles from ``first`` to ``last``, both (x, y)."""
        rectangle = {
            "x_first": first[0],
            "y_first": first[1],
            "mark": TO_TILES,
            "x_last": last[0],
            "y_last": last[1],
        }
        fields = {"rectangle": rectangle, "source": source, "number": self.count % 256}
        there = [
            y * self.mesh.cols + x
            for y in range(first[1], last[1] + 1)
            for x in range(first[0], last[0] + 1)
        ]
        self._send(source, there, pack(ToTiles, fields), length)

    def to_node(self, source, destination, length):
        node = self.nodes[destination]
        fields = {
            "destination": {"x": node.x, "y": node.y, "port": node.port},
            "source": source,
            "number": self.count % 256,
        }
        self._send(source, [destination], pack(ToNode, fields), length)

    def _send(self, source, destinations, first, length):
        words = [first]
        words += [pack(Other, {"number": self.count, "place": k}) for k in range(1, length)]
        flits = [
            pack(self.layout, {"data": word, "last": k == length - 1})
            for k, word in enumerate(words)
        ]
        self.count += 1
        for destination in destinations:
            self.expected[source, destination].append(flits)
        self.total += length * len(destinations)
        self.sources[source].send(*flits)

    def random_rectangle(self):
        rng = self.bench.rng
        x, y = (
            sorted(rng.integers(size, size=2).tolist()) for size in (self.mesh.cols, self.mesh.rows)
        )
        return (x[0], y[0]), (x[1], y[1])

    async def finish(self, cycles):
        await self.bench.until(
            lambda: sum(len(sink.raw) for sink in self.sinks) >= self.total,
            cycles=cycles,
            what="all flits there",
        )
        await self.bench.cycles(40)
        for destination, sink in enumerate(self.sinks):
            place = 0
            while place < len(sink.raw):
                head = unpack_source(sink.raw[place])
                queue = self.expected[head, destination]
                assert queue, f"nothing more must come from {head} to {destination}"
                flits = queue.popleft()
                got = sink.raw[place : place + len(flits)]
                assert got == flits, f"node {destination}: {got} must be {flits}"
                place += len(flits)
        assert not any(self.expected.values())


def unpack_source(bits):
    """Source of a packet, from its first flit: the same bits for both kinds."""
    is_tree = bits >> 8 & 7 == TO_TILES
    return bits >> (19 if is_tree else 11) & 31


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_traffic_arrives(dut):
    """A packet lost, doubled, cut, mixed, overtaken, misled or stuck; a credit lost."""
    for pauses in (
        lambda rng: never(),
        lambda rng: random_pauses(rng, rng.choice([0, 0.3, 0.8])),
        lambda rng: bursts(rng, 8, 30),
    ):
        h = Harness(dut, pauses)
        rng = h.bench.rng
        await h.bench.reset()
        for _ in range(10 * len(h.nodes)):
            if rng.random() < 0.5:
                source = int(rng.integers(len(h.tiles)))
                h.to_tiles(source, *h.random_rectangle(), int(rng.integers(1, h.longest + 1)))
            else:
                source, destination = rng.choice(len(h.nodes), 2, replace=False).tolist()
                h.to_node(source, destination, int(min(rng.geometric(0.1), 40)))
        await h.finish(cycles=20 * h.total)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def all_tiles_at_once(dut):
    """A circle of packets that wait for each other."""
    right, down = dut_size(dut)
    for pauses in (lambda rng: never(), lambda rng: random_pauses(rng, 0.1)):
        h = Harness(dut, pauses)
        rng = h.bench.rng
        await h.bench.reset()
        for _ in range(12):
            for tile, node in enumerate(h.tiles):
                shapes = [
                    ((0, node.y), (right, node.y)),
                    ((node.x, 0), (node.x, down)),
                    ((0, 0), (right, down)),
                    h.random_rectangle(),
                    h.random_rectangle(),
                ]
                first, last = shapes[rng.integers(len(shapes))]
                h.to_tiles(tile, first, last, h.longest)
                if rng.random() < 0.3:
                    # as a store to memory: longer than a buffer
                    h.to_node(tile, int(rng.integers(len(h.tiles), len(h.nodes))), 40)
        flood = h.total
        await h.finish(cycles=4 * flood)
        dut._log.info("%d flits out in %d cycles", flood, h.bench.cycle)


def dut_size(dut):
    """Last column and row."""
    parameters = Bench(dut).parameters
    return parameters["cols"] - 1, parameters["rows"] - 1


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def each_router_takes_two_cycles(dut):
    """A detour, a branch that waits for another, a stage more or less than documented."""
    h = Harness(dut)
    await h.bench.reset()
    right, down = h.mesh.cols - 1, h.mesh.rows - 1
    for tile, node in enumerate(h.tiles):
        for length in (1, h.longest):
            h.to_tiles(tile, (0, 0), (right, down), length)
            await h.sources[tile].drained()
            await h.bench.cycles(2 * (h.mesh.cols + h.mesh.rows) + 5)
            sent = h.sources[tile].at[-length]
            for other, there in enumerate(h.tiles):
                hops = abs(there.x - node.x) + abs(there.y - node.y)
                at = h.sinks[other].at[-length:]
                assert at == [sent + 2 * (hops + 1) + k for k in range(length)]
    await h.finish(cycles=10)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_stream_to_all(dut):
    """A bubble between packets although the buffers leave room for the credits on their way."""
    h = Harness(dut)
    await h.bench.reset()
    right, down = h.mesh.cols - 1, h.mesh.rows - 1
    for _ in range(20):
        h.to_tiles(0, (0, 0), (right, down), h.longest)
    await h.finish(cycles=2000)
    flits = 20 * h.longest
    for sink in h.sinks[: len(h.tiles)]:
        took = sink.at[-1] - sink.at[0] + 1
        if h.longest + 3 <= h.mesh.router_fifo_depth:
            assert took == flits
        else:
            dut._log.info("%d flits in %d cycles", flits, took)


@pytest.mark.parametrize(
    ("cols", "rows", "depth", "packet_flits"),
    # packets that fill a buffer, and as a chip has them; no square
    [(4, 4, 4, 4), (4, 4, 16, 13), (3, 2, 8, 8)],
)
def test_noc_trees(cols, rows, depth, packet_flits):
    parameters = {"cols": cols, "rows": rows, "memory_endpoints": rows, "router_fifo_depth": depth}
    run_bench(
        Plane(MeshConfig(**parameters), flit_bytes=4, packet_flits=packet_flits),
        f"trees_{cols}x{rows}_{depth}_{packet_flits}",
        __name__,
        parameters=parameters | {"flit_bytes": 4, "packet_flits": packet_flits},
    )
