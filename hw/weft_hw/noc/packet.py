"""What travels on the mesh: addresses, flits, packet headers, and the port of a node.

Two physical planes. *Requests*: commands from the control node to tiles, reads and writes from
tiles to memory endpoints, writes from tiles to tiles (``tile_packet``, whose header differs),
register reads from the control node to tiles. *Responses*: read data,
write acknowledgements, completions. Every node accepts every response without waiting for anything
else, so the planes cannot deadlock each other.

A packet is a header, packed into as many flits as its width needs, then data flits; ``last`` marks
the final flit of the packet. The destination is the lowest field of the header, so it is whole in
the first flit. Data is packed from lane 0: byte ``i`` of the payload is byte ``i % flit_bytes`` of
data flit ``i // flit_bytes``; bytes after the last are zero.

| plane | kind | sent by | header ``tag`` | header ``address`` | data |
|---|---|---|---|---|---|
| request | READ | load engine, control | requester's, returned | byte in memory or tile | none |
| request | WRITE | store engine | requester's, returned | memory byte address | ``length`` bytes |
| request | to tiles | store engine | requester's, returned | (scratchpad row) | rows, or none |
| request | COMMAND | control | `isa.Engine` | command index in the low 32 bits | 64 bytes |
| response | READ_DATA | endpoint, tile | of the request | | ``length`` bytes, none on error |
| response | WRITE_ACK | endpoint, tiles | of the request | | none |
| response | COMPLETION | tile | the command's index | | none |
"""

from amaranth.hdl import unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..enums import enum
from ..isa import Engine, Status

__all__ = ["DataFlit", "Flit", "Headed", "MeshPort", "NodeAddress", "RequestHeader", "RequestKind",
           "ResponseHeader", "ResponseKind", "RouterPort"]


class RouterPort(enum.Enum, shape=unsigned(3)):
    """The five ports of a router. North is towards row 0, west towards column 0."""

    LOCAL = 0
    NORTH = 1
    EAST = 2
    SOUTH = 3
    WEST = 4


class NodeAddress(data.Struct):
    """A node: the router it hangs on and the port there. Tiles hang on LOCAL, memory endpoint ``i``
    on WEST of router ``(0, i)``, the control node on NORTH of router ``(0, 0)``.

    Routing is dimension order, X then Y, to router ``(x, y)``, then out of ``port``. Edge ports
    lead to nodes, never to another router, so the last hop adds no cycle to the channel
    dependencies.
    """

    x: unsigned(4)
    y: unsigned(4)
    port: RouterPort


class RequestKind(enum.Enum, shape=unsigned(2)):
    READ = 0
    WRITE = 1
    COMMAND = 2


class ResponseKind(enum.Enum, shape=unsigned(2)):
    READ_DATA = 0
    WRITE_ACK = 1
    COMPLETION = 2


class RequestHeader(data.StructLayout):
    """Header of the request plane; addresses have ``address_bits``, ``length`` counts bytes."""

    def __init__(self, *, address_bits):
        super().__init__({
            "destination": NodeAddress,
            "source": NodeAddress,
            "kind": RequestKind,
            "tag": unsigned(8),
            "length": unsigned(13),
            "address": unsigned(max(address_bits, 32)),
        })


class ResponseHeader(data.Struct):
    """Header of the response plane. ``engine`` counts for COMPLETION only."""

    destination: NodeAddress
    source: NodeAddress
    kind: ResponseKind
    status: Status
    engine: Engine
    tag: unsigned(32)


class Headed(data.StructLayout):
    """A header as packet senders and receivers exchange it: it says whether data flits follow."""

    def __init__(self, header):
        super().__init__({"header": header, "has_data": unsigned(1)})


class Flit(data.StructLayout):
    """One flit on a link: ``flit_bytes`` of header or data."""

    def __init__(self, *, flit_bytes):
        super().__init__({"data": unsigned(8 * flit_bytes), "last": unsigned(1)})


#: Data flits beside the network (payload only, no headers) have the shape of flits on it.
DataFlit = Flit


class MeshPort(wiring.Signature):
    """The port of a node, seen from the node: both planes, both ways, each a stream of ``Flit``."""

    def __init__(self, *, flit_bytes):
        flits = stream.Signature(Flit(flit_bytes=flit_bytes))
        super().__init__({
            "request_o": Out(flits),
            "request_i": In(flits),
            "response_o": Out(flits),
            "response_i": In(flits),
        })
