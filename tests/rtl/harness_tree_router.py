"""Around a router that replicates: packets to nodes and to tiles, and what must come out where."""

from collections import defaultdict, deque

from amaranth.hdl import unsigned
from amaranth.lib import data
from weft_hw.noc.packet import Flit, NodeAddress, RouterPort
from weft_hw.noc.routing import row_then_columns
from weft_hw.noc.tile_packet import TO_TILES, Rectangle
from weft_sim.bench import Bench, StreamSink, StreamSource, pack

__all__ = ["NAMES", "PORTS", "Harness"]

X, Y = 2, 1
PORTS = tuple(RouterPort)
NAMES = [port.name.lower() for port in PORTS]


class ToTiles(data.Struct):
    """Low 32 bits of the first flit of a packet to tiles."""

    rectangle: Rectangle
    number: unsigned(13)


class ToNode(data.Struct):
    """Of one to a node."""

    destination: NodeAddress
    number: unsigned(21)


class Harness:
    """Agents on all ports. Every packet has a number; every flit tells it and its place."""

    def __init__(self, dut, pauses=lambda rng: None, rooms=None):
        self.bench = bench = Bench(dut)
        self.dut = dut
        self.depth, self.longest = bench.parameters["depth"], bench.parameters["packet_flits"]
        self.layout = Flit(flit_bytes=bench.parameters["flit_bytes"])
        dut.x.value, dut.y.value = X, Y
        self.sources = [StreamSource(bench, f"i_{name}", pause=pauses(bench.rng)) for name in NAMES]
        self.sinks = [StreamSink(bench, f"o_{name}", pause=pauses(bench.rng)) for name in NAMES]
        self.rooms = [iter(rooms(bench.rng)) for _ in NAMES] if rooms else None
        bench.add(self)
        self.expected = defaultdict(deque)
        self.packets = []

    def reset(self):
        for name in NAMES:
            self.dut[f"room_{name}"].value = 1

    def step(self):
        for k, name in enumerate(NAMES):
            if self.rooms:
                self.dut[f"room_{name}"].value = int(not next(self.rooms[k]))

    def describe(self):
        return f"{len(self.packets)} packets, to come by port {self.outstanding()}"

    def outstanding(self):
        missing = defaultdict(int)
        for (_, target), queue in self.expected.items():
            missing[NAMES[target]] += len(queue)
        return dict(missing)

    def branches(self, source, rectangle):
        """Ports by which a packet to tiles leaves."""
        view = type("Area", (), rectangle)
        rules = row_then_columns(X, Y, PORTS[source], view)
        return [PORTS.index(port) for condition, port in rules if condition]

    def send_to_tiles(self, source, rectangle, length):
        targets = self.branches(source, rectangle)
        assert targets
        fields = {"rectangle": rectangle | {"mark": TO_TILES}, "number": len(self.packets) % 8192}
        self._send(source, targets, pack(ToTiles, fields), length, True)

    def send_to_node(self, source, target, length):
        place = {
            0: (X, Y, 0),
            1: (X, Y - 1, 0),
            2: (X + 1, Y, 3),
            3: (X, Y + 2, 0),
            4: (X - 2, Y - 1, 0),
        }[target]
        destination = dict(zip(("x", "y", "port"), place, strict=True))
        fields = {"destination": destination, "number": len(self.packets) % 8192}
        self._send(source, [target], pack(ToNode, fields), length, False)

    def _send(self, source, targets, first, length, is_tree):
        words = [first, *(len(self.packets) << 12 | place << 6 | 1 for place in range(1, length))]
        flits = [
            pack(self.layout, {"data": word, "last": place == length - 1})
            for place, word in enumerate(words)
        ]
        packet = {
            "flits": flits,
            "tree": is_tree,
            "source": source,
            "targets": targets,
            "ends": {},
            "starts": {},
            "number": len(self.packets),
        }
        self.packets.append(packet)
        for target in targets:
            self.expected[source, target].append(packet)
        self.sources[source].send(*flits)

    def random_rectangle(self, source, size=5):
        """A rectangle that gives a packet from ``source`` something to do here."""
        rng = self.bench.rng
        while True:
            x, y = sorted(rng.integers(size, size=2).tolist()), sorted(rng.integers(size, size=2))
            rectangle = {"x_first": x[0], "x_last": x[1], "y_first": int(y[0]), "y_last": int(y[1])}
            if self.branches(source, rectangle):
                return rectangle

    async def finish(self, cycles):
        total = sum(len(p["flits"]) * len(p["targets"]) for p in self.packets)
        await self.bench.until(
            lambda: sum(len(sink.raw) for sink in self.sinks) >= total,
            cycles=cycles,
            what=f"{total} flits out",
        )
        await self.bench.cycles(2 * self.longest + 10)
        self.judge()

    def judge(self):
        """Every packet came out whole, once by each of its ports, in the order of its input."""
        for target, sink in enumerate(self.sinks):
            place = 0
            while place < len(sink.raw):
                bits = sink.raw[place]
                heads = [
                    queue[0]
                    for (_, port), queue in self.expected.items()
                    if port == target and queue and queue[0]["flits"][0] == bits
                ]
                assert len(heads) == 1, f"{NAMES[target]}: flit {place} ({bits:#x}) is no next head"
                packet = heads[0]
                flits = packet["flits"]
                assert sink.raw[place : place + len(flits)] == flits, NAMES[target]
                packet["starts"][target] = sink.at[place]
                place += len(flits)
                packet["ends"][target] = sink.at[place - 1]
                self.expected[packet["source"], target].popleft()
        assert not any(self.expected.values()), self.outstanding()
