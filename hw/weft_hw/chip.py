"""The whole chip: a mesh of tiles, memory endpoints on its west edge, the control node north-west.

::

                 control (AXI4-Lite registers, AXI4 host)
                    |
    memory 0 --- tile(0,0) --- tile(1,0) --- ...
                    |             |
    memory 1 --- tile(0,1) --- tile(1,1) --- ...

A 1x1 chip is the same: one router, one tile, one endpoint, control.
"""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .axi.signature import Axi4, AxiLite
from .control.node import ControlNode
from .control.registers import ADDRESS_BITS
from .endpoint.node import MemoryEndpoint
from .isa import Engine
from .noc.mesh import Mesh
from .noc.packet import RouterPort
from .shared import share
from .streams.link import link
from .tile.tile import EngineTrace, Tile

__all__ = ["Chip"]


class Chip(wiring.Component):
    """A chip of any ``ChipConfig``.

    Members
    -------
    registers : In(AxiLite)
        The host's registers (``control.registers``).
    host : Out(Axi4)
        Command ring and completion records.
    memory : Out(Axi4) x memory_endpoints
    interrupt : Out(1)
        High until the host clears the cause.
    trace : Out(EngineTrace) x tiles x engines
        Observation only; leave it open in a product.
    """

    def __init__(self, config):
        self.config = config
        axi = Axi4(address_bits=config.host.address_bits, data_bytes=config.flit_bytes)
        super().__init__({
            "registers": In(AxiLite(address_bits=ADDRESS_BITS)),
            "host": Out(axi),
            "memory": Out(axi).array(config.mesh.memory_endpoints),
            "interrupt": Out(1),
            "trace": Out(EngineTrace()).array(config.mesh.tiles, len(Engine)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.mesh = mesh = Mesh(config)
        m.submodules.control = control = ControlNode(config)
        link(m, control.mesh, mesh.control)
        link(m, wiring.flipped(self.registers), control.registers)
        link(m, control.host, wiring.flipped(self.host))
        m.d.comb += self.interrupt.eq(control.interrupt)

        for index in range(config.mesh.memory_endpoints):
            endpoint = MemoryEndpoint(config)
            m.submodules[f"endpoint_{index}"] = share(endpoint)
            link(m, endpoint.mesh, mesh.endpoint[index])
            link(m, endpoint.memory, wiring.flipped(self.memory[index]))
            m.d.comb += [endpoint.y.eq(index), endpoint.windows.eq(control.windows)]

        for index in range(config.mesh.tiles):
            tile = Tile(config)
            y, x = divmod(index, config.mesh.cols)
            m.submodules[f"tile_{index}"] = share(tile)
            link(m, tile.mesh, mesh.tile[index])
            m.d.comb += [
                tile.node.x.eq(x), tile.node.y.eq(y), tile.node.port.eq(RouterPort.LOCAL),
                tile.abort.eq(control.abort), tile.clear.eq(control.clear),
            ]
            for engine in range(len(Engine)):
                link(m, tile.trace[engine], wiring.flipped(self.trace[index][engine]))
        return m
