"""Joins the two ways of a store, to memory and to tiles, behind one front end.

Commands go to the way they name; ends come back in the order of the commands.

Latency: 0 cycles.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out

from ..isa import StoreCommand
from ..tile.engine import EnginePort

__all__ = ["StorePaths"]


class StorePaths(wiring.Component):
    """One ``EnginePort`` to two.

    Members
    -------
    engine : In(EnginePort)
    memory, tiles : Out(EnginePort)
    """

    def __init__(self, config):
        self.config = config
        port = EnginePort(address_bits=config.host.address_bits)
        super().__init__({"engine": In(port), "memory": Out(port), "tiles": Out(port)})

    def elaborate(self, platform):
        m = Module()
        # the way of each command that has not ended
        m.submodules.ways = ways = fifo.SyncFIFO(
            width=1, depth=self.config.tile.command_queue_depth)
        command, done = self.engine.command, self.engine.done
        size = StoreCommand.as_shape().size
        to_tiles = Signal()
        m.d.comb += [
            to_tiles.eq(data.View(StoreCommand, command.payload.bits[:size]).to_tiles),
            ways.w_data.eq(to_tiles),
            ways.w_en.eq(command.valid & command.ready),
            ways.r_en.eq(done.valid & done.ready),
        ]
        for way, port in enumerate((self.memory, self.tiles)):
            m.d.comb += [
                port.abort.eq(self.engine.abort),
                port.command.payload.eq(command.payload),
                port.command.valid.eq(command.valid & ways.w_rdy & (to_tiles == way)),
            ]
            with m.If(to_tiles == way):
                m.d.comb += command.ready.eq(port.command.ready & ways.w_rdy)
            with m.If(ways.r_data == way):
                m.d.comb += [
                    done.payload.eq(port.done.payload),
                    done.valid.eq(port.done.valid & ways.r_rdy),
                    port.done.ready.eq(done.ready & ways.r_rdy),
                ]
        return m
