"""The network of a chip: two planes that connect tiles, memory endpoints and control."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from .deadlock import check_network
from .packet import MeshPort
from .plane import Plane
from .routing import dimension_order
from .tile_packet import tile_packet_flits
from .topology import NodeKind, nodes

__all__ = ["Mesh"]


class Mesh(wiring.Component):
    """Request and response plane of ``config``; each member is the far side of a node's
    ``MeshPort``, to be connected by ``link(m, node.mesh, mesh.<member>)``.

    The request plane carries packets to rectangles of tiles if there is more than one tile. Packets
    between one source and one destination keep their order on each plane. That no cycle of waiting
    can arise is checked when the mesh is made (``deadlock``).

    Latency: 2 cycles for each router on the way (``hops + 1`` of them), from a flit's acceptance at
    the source to its first offer at the destination.  Throughput: 1 flit a cycle on every link,
    with the default depth of 4. Tiles that send 9-flit packets to random other tiles as fast as
    they can get 0.64 to 0.72 flits a cycle each through a 2 x 2 mesh and 0.47 to 0.52 through 4 x 4
    (measured over five seeds: ``pytest tests/rtl/test_noc_mesh.py -rP``, line "saturation").

    Parameters
    ----------
    config : ChipConfig
    routing : function
        see ``routing``

    Members
    -------
    tile : In(MeshPort) x rows * cols
        index ``y * cols + x``
    endpoint : In(MeshPort) x memory_endpoints
        west of router (0, index)
    control : In(MeshPort)
        north of router (0, 0)

    Raises
    ------
    DeadlockError
        if the routing could deadlock, misroute or not end, with the way that shows it.
    """

    def __init__(self, config, *, routing=dimension_order):
        self.packet_flits = tile_packet_flits(config) if config.mesh.tiles > 1 else 0
        check_network(config.mesh, routing, packet_flits=self.packet_flits)
        self.config = config
        self.routing = routing
        port = MeshPort(flit_bytes=config.flit_bytes)
        super().__init__({
            "tile": In(port).array(config.mesh.tiles),
            "endpoint": In(port).array(config.mesh.memory_endpoints),
            "control": In(port),
        })

    def elaborate(self, platform):
        m = Module()
        planes = {}
        for name, packet_flits in (("request", self.packet_flits), ("response", 0)):
            m.submodules[name] = planes[name] = Plane(
                self.config.mesh, flit_bytes=self.config.flit_bytes, routing=self.routing,
                packet_flits=packet_flits)
        ports = {
            NodeKind.TILE: self.tile,
            NodeKind.ENDPOINT: self.endpoint,
            NodeKind.CONTROL: [self.control],
        }
        for index, node in enumerate(nodes(self.config.mesh)):
            port = ports[node.kind][node.index]
            for name, plane in planes.items():
                wiring.connect(m, wiring.flipped(getattr(port, f"{name}_o")), plane.i[index])
                wiring.connect(m, plane.o[index], wiring.flipped(getattr(port, f"{name}_i")))
        return m
