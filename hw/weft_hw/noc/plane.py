"""One plane of the mesh: routers, links between them, nodes at their free ports."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..shared import share
from .credit import CreditLink
from .packet import Flit, RouterPort
from .router import Router
from .routing import dimension_order
from .topology import neighbour, nodes
from .tree_router import TreeRouter

__all__ = ["Plane"]


class Plane(wiring.Component):
    """A mesh of routers. Ports that would lead nowhere are not built.

    Latency: 2 cycles for each router on the way.

    Parameters
    ----------
    mesh : MeshConfig
    flit_bytes : int
    routing : function
        see ``routing``
    packet_flits : int
        flits of the largest packet to tiles; 0: the plane carries none, its routers cannot
        replicate

    Members
    -------
    i, o : In, Out(stream of Flit) x nodes
        from and to each node, in the order of ``topology.nodes``
    """

    def __init__(self, mesh, *, flit_bytes, routing=dimension_order, packet_flits=0):
        self.mesh = mesh
        self.flit_bytes = flit_bytes
        self.packet_flits = packet_flits
        self.routing = routing
        flits = stream.Signature(Flit(flit_bytes=flit_bytes))
        count = len(nodes(mesh))
        super().__init__({"i": In(flits).array(count), "o": Out(flits).array(count)})

    def elaborate(self, platform):
        m = Module()
        depth = self.mesh.router_fifo_depth
        held = {(node.x, node.y, node.port): index for index, node in enumerate(nodes(self.mesh))}
        routers = {}
        for y in range(self.mesh.rows):
            for x in range(self.mesh.cols):
                ports = tuple(
                    port for port in RouterPort
                    if (x, y, port) in held or neighbour(self.mesh, x, y, port) is not None)
                routers[x, y] = router = self._router(ports)
                m.submodules[f"router_{x}_{y}"] = share(router)
                m.d.comb += [router.x.eq(x), router.y.eq(y)]

        for (x, y), router in routers.items():
            for port in router.ports:
                if (x, y, port) in held:
                    index = held[x, y, port]
                    wiring.connect(m, wiring.flipped(self.i[index]), router.input(port))
                    wiring.connect(m, router.output(port), wiring.flipped(self.o[index]))
                    if self.packet_flits:
                        m.d.comb += router.room(port).eq(1)
                else:
                    far_x, far_y, far_port = neighbour(self.mesh, x, y, port)
                    target = routers[far_x, far_y]
                    name = f"link_{x}_{y}_{port.name.lower()}"
                    m.submodules[name] = way = CreditLink(
                        flit_bytes=self.flit_bytes, depth=depth, packet_flits=self.packet_flits)
                    m.d.comb += way.credit.eq(target.credit(far_port))
                    if self.packet_flits:
                        m.d.comb += router.room(port).eq(way.room)
                    wiring.connect(m, router.output(port), way.i)
                    wiring.connect(m, way.o, target.input(far_port))
        return m

    def _router(self, ports):
        parameters = {"flit_bytes": self.flit_bytes, "depth": self.mesh.router_fifo_depth,
                      "ports": ports, "routing": self.routing}
        if self.packet_flits:
            return TreeRouter(packet_flits=self.packet_flits, **parameters)
        # a tile acknowledges what it has written in itself
        return Router(to_self=self.mesh.tiles > 1, **parameters)
