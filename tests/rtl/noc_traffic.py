"""Test packets for routers and meshes, and the scoreboard that judges what arrives.

Every flit names its packet, so that loss, duplication, misrouting, interleaving and reordering all
show.
"""

from collections import defaultdict, deque
from types import SimpleNamespace

from amaranth.hdl import unsigned
from amaranth.lib import data
from weft_hw.noc.packet import Flit, NodeAddress
from weft_sim.bench import pack, unpack

#: Sequence numbers wrap here; no test keeps more packets of one source under way.
SEQUENCES = 1024


class First(data.Struct):
    """Low 32 bits of the first flit of a packet."""

    destination: NodeAddress
    source: NodeAddress
    sequence: unsigned(10)


class Other(data.Struct):
    """Low 32 bits of the others."""

    source: NodeAddress
    sequence: unsigned(10)
    number: unsigned(11)


class Packets:
    """Makes packets of ``flit_bytes`` wide flits and judges them on arrival.

    A node is any key with an address (``SimpleNamespace`` or ``topology.Node``: x, y, port).
    """

    def __init__(self, flit_bytes):
        self.layout = Flit(flit_bytes=flit_bytes)
        self.flit_bits = 8 * flit_bytes
        self._next = defaultdict(int)
        self._expected = defaultdict(deque)
        self._partial = {}
        self.sent_flits = 0
        self.received_flits = 0

    def make(self, plane, source, destination, length):
        """The flits of a new packet, as integers; from now on it is expected at its destination."""
        sequence = self._next[plane, source.index]
        self._next[plane, source.index] = (sequence + 1) % SEQUENCES
        here, there = Packets.address(source), Packets.address(destination)
        words = [pack(First, {"destination": there, "source": here, "sequence": sequence})]
        for number in range(1, length):
            words.append(pack(Other, {"source": here, "sequence": sequence, "number": number}))
        flits = [
            pack(self.layout, {"data": self._widen(word), "last": number == length - 1})
            for number, word in enumerate(words)
        ]
        way = (plane, _key(source), _key(destination))
        self._expected[way].append((sequence, flits))
        self.sent_flits += length
        return flits

    @staticmethod
    def address(node):
        """The node's address as a mapping."""
        return {"x": node.x, "y": node.y, "port": node.port}

    def _widen(self, word):
        """Fills the flit above the word with bits that depend on all of it."""
        extra = (word * 0x9E3779B97F4A7C15F39CC0605CEDC835 + 1) >> 17
        return word | ((extra << 32) & ((1 << self.flit_bits) - 1))

    def arrived(self, plane, node, bits):
        """Judges one flit that left the network at ``node``.

        Raises
        ------
        AssertionError
            saying what is wrong with it.
        """
        self.received_flits += 1
        flit = unpack(self.layout, bits)
        at = (plane, _key(node))
        if at not in self._partial:
            first = unpack(First, flit["data"] & 0xFFFFFFFF)
            source, there = SimpleNamespace(**first["source"]), first["destination"]
            assert there == Packets.address(node), f"packet for {there} must not arrive at {node}"
            expected = self._expected[plane, _key(source), _key(node)]
            assert expected, f"nothing more must come from {first['source']} to {node}"
            sequence, flits = expected.popleft()
            assert sequence == first["sequence"], (
                f"packets from {first['source']} to {node} must keep their order: {sequence} is "
                f"next, not {first['sequence']}"
            )
            self._partial[at] = deque(flits)
        want = self._partial[at].popleft()
        assert bits == want, f"flit at {node} must be {want:#x}, not {bits:#x}"
        if not self._partial[at]:
            del self._partial[at]

    def flit(self, bits):
        """The flit as a mapping."""
        return unpack(self.layout, bits)

    def destination(self, bits):
        """The address in the first flit of a packet."""
        return unpack(First, self.flit(bits)["data"] & 0xFFFFFFFF)["destination"]

    def source(self, bits):
        """The source's address in the first flit of a packet."""
        return unpack(First, self.flit(bits)["data"] & 0xFFFFFFFF)["source"]

    @property
    def outstanding(self):
        """Packets sent and not wholly arrived."""
        return sum(map(len, self._expected.values())) + len(self._partial)


def _key(node):
    return (node.x, node.y, node.port)
